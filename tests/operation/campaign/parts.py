"""A part of the cluster: a process that is there again a while after it ended, as a service manager does it."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

from tests.harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness.server import Server

SOON = 0.3
"""Seconds until one that ended is started again, unless somebody wants it otherwise."""

LOOK = 0.02


class Part:
    """The part *name*, which *start* starts; its logs, one for each process, are in *folder*."""

    def __init__(self, name: str, folder: Path, start: Callable[[Path], Server]) -> None:
        self.name = name
        self.ends: list[int] = []
        """The exit codes of those that ended."""
        self.logs: list[Path] = []
        self._read = 0
        self._folder = folder
        self._start = start
        self._server: Server | None = None
        self._pause = SOON
        self._closing = threading.Event()
        # What the kernel ends with the thread that started it lives as long as this one.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self) -> None:
        """Start it."""
        self._thread.start()

    def end(self) -> None:
        """Ask it to end, and start it no more."""
        self._closing.set()
        self.signal(signal.SIGCONT)
        self._thread.join(timeout=60)

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._server is not None

    def unread(self) -> list[Path]:
        """Return the logs of which somebody has not seen all: the last one, and those since this was asked last."""
        found = self.logs[self._read :]
        self._read = max(len(self.logs) - 1, 0)
        return found

    def kill(self, pause: float = SOON) -> bool:
        """End it as kill -9 does; it is started again in *pause* seconds. Return whether it ran."""
        self._pause = pause
        return self.signal(signal.SIGKILL)

    def signal(self, number: int) -> bool:
        """Send it a signal; return whether it ran."""
        server = self._server
        if server is None:
            return False
        server.signal(number)
        return True

    def _run(self) -> None:
        while not self._closing.is_set():
            log = self._folder / f"{self.name}-{len(self.logs)}.log"
            self.logs.append(log)
            try:
                server = self._server = self._start(log)
            except HarnessError as error:
                log.write_text(f"{error}\n", encoding="utf-8")
                time.sleep(SOON)
                continue
            while server.exit_code() is None and not self._closing.is_set():
                time.sleep(LOOK)
            self._server = None
            code = server.exit_code()
            if code is None:
                server.stop(grace=30.0)
                return
            self.ends.append(code)
            self._closing.wait(self._pause)
            self._pause = SOON
