"""A connection to a hypervisor that keeps itself alive, and opens itself again after it was lost.

A lost connection is found by keepalive, by the end of the daemon, or by a call that fails for it. The next use opens it
once more; `wait_until_open` does so with growing pauses. Handles from before are then useless (each of their calls
raises Unavailable): look things up again, and list them again, since events were missed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self

import libvirt

from executor.hypervisor import eventloop
from executor.hypervisor.calls import invoke
from executor.hypervisor.drivers import Driver, driver_of
from executor.hypervisor.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0


class Watcher(Protocol):
    """Is told what becomes of a connection."""

    def opened(self, raw: Any) -> None:
        """Be given the new handle, the first time and after each loss, before anybody else."""

    def lost(self) -> None:
        """Be told of a loss, perhaps in the event loop's thread: make no call."""

    def closing(self, raw: Any) -> None:
        """Be given the handle a last time."""


class Connection:
    """One libvirt connection. A context manager; may be used by many threads at once.

    ``uri`` as for virsh's ``--connect``, empty for libvirt's own choice, which it then names; ``readonly`` for one that
    may change nothing and sees no passwords. Every ``keepalive`` seconds (0: never) the other end is asked whether it
    is there; after three questions without an answer the connection counts as lost.

    Without *events* a connection to this machine does without libvirt's event loop, which every call through it would
    wake: a call then costs half as much (measured), but there are no events, no keepalive and no streams. One to
    another machine keeps the loop, since it may be lost without a word.
    """

    kind: ClassVar[str] = "connection"

    def __init__(self, uri: str = "", *, readonly: bool = False, keepalive: int = 5, events: bool = True) -> None:
        self.uri = uri
        self.readonly = readonly
        self.watched = events or not _is_here(uri)
        """Whether the event loop looks after it."""
        self._keepalive = keepalive if self.watched else 0
        self._lock = threading.RLock()
        self._raw: Any = None
        self._lost = False
        self._closed = False
        self._watchers: tuple[Watcher, ...] = ()
        self._driver: Driver | None = None
        self._library = 0

    def __repr__(self) -> str:
        return f"<connection {self.uri}>"

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> Self:
        """Open it, if it is not open. Raises Unavailable or Denied."""
        self._closed = False
        self._open()
        return self

    def close(self) -> None:
        """Close it for good; handles that came by it keep it open until they are gone, but must not be used."""
        with self._lock:
            self._closed = True
            raw, self._raw = self._raw, None
            if raw is not None:
                self._release(raw, lost=self._lost)

    @property
    def raw(self) -> Any:
        """The binding's handle, after it was opened again if need be. Raises Unavailable or Denied."""
        raw = self._raw
        return raw if raw is not None and self._alive(raw) else self._open()

    @property
    def alive(self) -> bool:
        """Whether it is open and, as far as is known, not lost."""
        raw = self._raw
        return raw is not None and self._alive(raw)

    def wait_until_open(self, timeout: float | None = None, *, stop: threading.Event | None = None) -> None:
        """Open it, trying again with growing pauses, for *timeout* seconds (None: for ever) or until *stop* is set.

        Raises Unavailable when the time is over, and Denied at once.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pauses = _pauses()
        stop = stop or threading.Event()
        while True:
            try:
                self._open()
            except Unavailable:
                pause = next(pauses)
                if self._closed or stop.is_set() or (deadline is not None and time.monotonic() + pause > deadline):
                    raise
                stop.wait(pause)
            else:
                return

    def watch(self, watcher: Watcher) -> None:
        """Tell *watcher* what becomes of this connection; if it is open already, that at once."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)
            if self._raw is not None:
                watcher.opened(self._raw)

    def unwatch(self, watcher: Watcher) -> None:
        """Tell *watcher* nothing any more, but that it ends, if the connection is open."""
        with self._lock:
            self._watchers = tuple(each for each in self._watchers if each is not watcher)
            if self._raw is not None and not self._lost:
                watcher.closing(self._raw)

    def read(self, method: str, *args: Any) -> Any:
        """Make a call that changes nothing; if it finds the connection lost, once more through a new one."""
        try:
            return self._call(method, args, mutating=False)
        except Unavailable:
            if self._closed:
                raise
            with self._lock:
                if self._raw is not None and not self._alive(self._raw):
                    self._lost = True
                elif not self._lost:
                    raise
        return self._call(method, args, mutating=False)

    def change(self, method: str, *args: Any) -> Any:
        """Make a call that changes something. Once only: after a loss nobody knows whether it was done."""
        return self._call(method, args, mutating=True)

    @property
    def driver(self) -> Driver:
        """What is known of the hypervisor behind it."""
        if self._driver is None:
            self._driver = driver_of(str(self.read("getType")))
        return self._driver

    @property
    def library(self) -> int:
        """Libvirt's version at the other end, as libvirt counts: 9000000 is 9.0.0."""
        if not self._library:
            self._library = int(self.read("getLibVersion"))
        return self._library

    def _call(self, method: str, args: tuple[Any, ...], *, mutating: bool) -> Any:
        return invoke(self.raw, method, *args, kind=self.kind, target=self.uri, mutating=mutating)

    def _alive(self, raw: Any) -> bool:
        if self._lost:
            return False
        try:
            return bool(raw.isAlive())
        except libvirt.libvirtError as error:
            # A driver that cannot say lives in this process, or on another host behind its own protocol.
            return bool(error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT)

    def _open(self) -> Any:
        with self._lock:
            if self._closed:
                raise Unavailable(f"connection {self.uri}: it is closed", transient=False)
            if self._raw is not None:
                if self._alive(self._raw):
                    return self._raw
                old, self._raw = self._raw, None
                self._release(old, lost=True)
            if self.watched:
                eventloop.ensure_running()
            else:
                eventloop.silence()
            method = "openReadOnly" if self.readonly else "open"
            raw = invoke(
                libvirt, method, self.uri or None, kind=self.kind, target=self.uri or "(default)", mutating=False
            )
            self._lost = False
            self._library = 0
            self._prepare(raw)
            self._raw = raw
            for watcher in self._watchers:
                watcher.opened(raw)
            return raw

    def _prepare(self, raw: Any) -> None:
        with contextlib.suppress(libvirt.libvirtError):
            self.uri = raw.getURI()
        # A driver inside this process has neither.
        if self.watched:
            with contextlib.suppress(libvirt.libvirtError):
                raw.registerCloseCallback(self._on_close, raw)
        if self._keepalive > 0:
            with contextlib.suppress(libvirt.libvirtError):
                raw.setKeepAlive(self._keepalive, 3)

    def _on_close(self, _raw: Any, _reason: int, opened: Any) -> None:
        if opened is self._raw:
            self._lost = True
            for watcher in self._watchers:
                watcher.lost()

    def _release(self, raw: Any, *, lost: bool) -> None:
        if not lost:
            for watcher in self._watchers:
                watcher.closing(raw)
        # What is lost already cannot be left properly.
        if self.watched:
            with contextlib.suppress(libvirt.libvirtError):
                raw.unregisterCloseCallback()
        with contextlib.suppress(libvirt.libvirtError):
            raw.close()


def _is_here(uri: str) -> bool:
    """Say whether *uri* names no other machine."""
    return uri.partition("://")[2].startswith("/")


def _pauses() -> Iterator[float]:
    """Yield growing pauses in seconds, each somewhat by chance, so that a thousand clients do not come at once."""
    import random  # noqa: PLC0415  (what lists guests waits for nothing)

    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, keeps no secret)
        pause = min(pause * 2, LONGEST_PAUSE)
