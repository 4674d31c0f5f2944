"""A server process for tests: logs to a file, is ended by its process id, never outlives the test run."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TIED = Path(__file__).parent / "tied.py"


class Server:
    """One running program. ``log`` is the file that its output goes to.

    Start it from a thread that lives as long as it should: the kernel ends it when that thread ends.
    """

    def __init__(self, program: Path, arguments: Sequence[str], *, log: Path) -> None:
        self.name = program.name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", TIED, str(os.getpid()), program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(log.parent)},
                # A Ctrl-C is for the test run, which then stops its servers in the right order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send it a signal; does nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would, without a chance to tidy up."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def stop(self, *, grace: float = 10.0) -> None:
        """End it: ask, wait ``grace`` seconds, then kill. Harmless when it has ended already."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            self.kill()


def free_ports(count: int) -> list[int]:
    """Return ``count`` different loopback TCP ports that nothing listens on at this moment."""
    with contextlib.ExitStack() as stack:
        # All are held until the last is found, so that none comes twice.
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]
