"""libvirt's event loop, in one thread for the process; it must run before the first connection is opened.

Keepalive, events and non-blocking streams are its work. Callbacks run in its thread: they must be short, and must make
no call that waits for an answer, which that very thread would have to read.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from typing import Any, Final

import libvirt

from executor.hypervisor.calls import translating
from executor.hypervisor.errors import heard

_lock: Final = threading.Lock()
_thread: threading.Thread | None = None
_owner = 0
_stopping: Final = threading.Event()


def ensure_running() -> None:
    """Start the loop, once for the process; may be called from any thread, as often as one likes.

    Raises Unsupported in a process that was forked from one that had it: libvirt's own state there is half a copy.
    """
    global _thread, _owner  # noqa: PLW0603  (libvirt's loop is the process's, so is this)
    with _lock:
        if _thread is not None:
            if _owner != os.getpid():
                from executor.hypervisor.errors import Unsupported  # noqa: PLC0415  (only on the way out)

                raise Unsupported("libvirt cannot be used in a process that was forked while it was in use")
            return
        silence()
        with translating("libvirt's event loop", "virEventRegisterDefaultImpl"):
            libvirt.virEventRegisterDefaultImpl()
        _owner = os.getpid()
        _thread = threading.Thread(target=_run, name="libvirt-events", daemon=True)
        _thread.start()
        atexit.register(_stop)


def silence() -> None:
    """Have libvirt raise its errors, and not print each of them on stderr too, also those that we expect."""
    libvirt.registerErrorHandler(heard, None)


def in_loop_thread() -> bool:
    """Say whether the caller is a callback, run by the loop."""
    return threading.current_thread() is _thread


def soon(callback: Any) -> None:
    """Run *callback* once in the loop's thread, as soon as it is free."""
    timer: list[int] = []
    ready = threading.Event()

    def once(_timer: int, _opaque: Any) -> None:
        ready.wait()
        libvirt.virEventRemoveTimeout(timer[0])
        callback()

    timer.append(libvirt.virEventAddTimeout(0, once, None))
    ready.set()


def _run() -> None:
    while not _stopping.is_set():
        # Not even an exception from a callback may end it: every connection of the process lives by it.
        with contextlib.suppress(Exception):
            libvirt.virEventRunDefaultImpl()


def _stop() -> None:
    """End the thread before the interpreter goes away under it."""
    if _thread is None or _owner != os.getpid():
        return
    _stopping.set()
    # Wakes it from its poll.
    libvirt.virEventAddTimeout(0, lambda _timer, _opaque: None, None)
    _thread.join(timeout=5)
