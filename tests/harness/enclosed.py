"""Run a daemon in folders of its own and end all that it leaves: ``enclosed.py PARENT [FROM:TO ...] -- PROGRAM ...``.

Each folder FROM stands at TO, for this program and what it starts alone (a mount namespace; needs root). All orphans
become children of this program: it reaps them at once, where a container's first process may take a minute, for which
libvirtd waits; and it ends them, guests included, when the daemon ends, when it is told to (SIGTERM), or when the
process PARENT ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

# From <linux/prctl.h>, <linux/sched.h> and <linux/mount.h>.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x00020000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

# How long the daemon may take to end by itself, in seconds.
GRACE = 8.0

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Run the program and return its exit code, 128 and the signal's number if it was killed."""
    parent, arguments = int(sys.argv[1]), sys.argv[2:]
    end = arguments.index("--")
    folders, command = arguments[:end], arguments[end + 1 :]
    if folders:
        _stand(folders)
    signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    _call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _call("prctl", PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    # The parent may have ended before the kernel was asked.
    if os.getppid() != parent:
        return 1
    daemon = os.posix_spawn(command[0], command, os.environ, setsigmask=())
    code: int | None = None
    deadline: float | None = None
    while code is None:
        received = signal.sigtimedwait(signals, 0.5)
        if received is not None and received.si_signo != signal.SIGCHLD and deadline is None:
            deadline = time.monotonic() + GRACE
            os.kill(daemon, signal.SIGTERM)
        if deadline is not None and time.monotonic() > deadline:
            os.kill(daemon, signal.SIGKILL)
        code = _reaped().get(daemon)
    while children := _children():
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 0.1)
        _reaped()
    return code if code >= 0 else 128 - code


def _stand(folders: list[str]) -> None:
    """Let each FROM stand at its TO, out of the machine's sight."""
    _call("unshare", CLONE_NEWNS)
    _mount(None, "/", MS_REC | MS_PRIVATE)
    for folder in folders:
        source, _, target = folder.partition(":")
        _mount(source, target, MS_BIND)


def _mount(source: str | None, target: str, flags: int) -> None:
    _call("mount", None if source is None else os.fsencode(source), os.fsencode(target), None, flags, None)


def _call(name: str, *arguments: int | bytes | None) -> None:
    """Call the C library's function *name* and raise OSError when it fails."""
    if getattr(_libc, name)(*(ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _reaped() -> dict[int, int]:
    """Reap all children that have ended, and return their exit codes, negative for a signal, by process id."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                break
            ended[child] = os.waitstatus_to_exitcode(status)
    return ended


def _children() -> list[int]:
    """Return the process ids of all children, from what the kernel says of every process' parent."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # Behind the command's name, which may hold anything: state, then parent.
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if int(fields[1]) == os.getpid():
                    found.append(int(entry.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
