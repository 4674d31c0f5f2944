"""Run a command with a libvirtd of its own: ``python -m scripts.node COMMAND ...``.

The command, on a terminal maybe a shell, finds it by LIBVIRT_DEFAULT_URI, and a folder for guests' files, which QEMU
may write to, by NODE_FOLDER. Whatever ends the command, the daemon, its guests and the folder are gone when this ends;
the machine's own libvirt and its guests are never touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

from schemas.errors import KubevmmError
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from types import FrameType


def main() -> int:
    """Return the command's exit code, 128 and the signal's number if one ended it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        with Libvirtd() as daemon:
            return _run(daemon, sys.argv[1:])
    except (KubevmmError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", ""):
            print(f"hint: {hint}", file=sys.stderr)
        return 1


def _run(daemon: Libvirtd, command: list[str]) -> int:
    guests = daemon.folder / "guests"
    guests.mkdir(mode=0o755)
    owner = daemon.folder.stat()
    os.chown(guests, owner.st_uid, owner.st_gid)
    own = {"LIBVIRT_DEFAULT_URI": daemon.uri, "NODE_FOLDER": str(guests), "KUBEVMM_STATE": str(daemon.folder / "mine")}
    # A group of its own can be ended as a whole. But a terminal lets no other group than its first read from it.
    group = None if sys.stdin.isatty() else 0
    if group is None:
        # It has the terminal's interrupts too, and what to do about them is its own business.
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
    process = subprocess.Popen(command, env={**os.environ, **own}, process_group=group)
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGHUP) if group is None else os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    return code if code >= 0 else 128 - code


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # What is left to do is to end the daemon and its guests.
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
