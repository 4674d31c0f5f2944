"""How far long work is, on a terminal; nothing anywhere else."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, ProgressColumn, TaskID

QUICK: Final = 0.5
"""Seconds for which nothing is shown of work on many objects: most of it is done by then."""

AGAIN: Final = 0.1
"""Seconds after a line was written in which nothing is shown again."""


def shown(*columns: ProgressColumn) -> Progress:
    """Return what shows *columns* on standard error, which is a terminal; to be started."""
    from rich.console import Console
    from rich.progress import Progress

    # Standard output is for results, which may go elsewhere.
    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)


class Bar:
    """A context manager that shows what it is told, as `executor.engine.landing` tells it: nothing until then.

    ``name`` is what the work is on.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clear()

    def __call__(self, what: str, done: int, whole: int | None) -> None:
        """Show *what* is being done, how many bytes of it, and of how many, where that is known."""
        if self._shown is None:
            self._shown = _of_bytes()
        if self._shown is None:
            return
        if what != self._what or self._task is None:
            # A task of its own, since another's total would stay.
            if self._task is not None:
                self._shown.remove_task(self._task)
            self._task = self._shown.add_task(f"{self._name}: {what}", total=whole)
            self._what = what
        self._shown.update(self._task, completed=done, total=whole)
        self._shown.start()

    def clear(self) -> None:
        """Show nothing any more, until it is told something anew."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = self._task = None


class Count:
    """A context manager that shows how many of *whole* objects are done, which is next, and how far that is.

    ``verb`` is what is done to them. `clear` comes before a line is written, `begin` before each object.
    """

    def __init__(self, verb: str, whole: int) -> None:
        self._verb = verb
        self._whole = whole
        self._done = -1
        self._bar = Bar("")
        self._shown: Progress | None = None
        self._at = time.monotonic() + QUICK

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clear()

    def begin(self, name: object) -> None:
        """Show that *name* is next, and those before it are done."""
        self._done += 1
        self._bar = Bar(str(name))
        if self._whole < 2 or time.monotonic() < self._at:  # noqa: PLR2004  (one is no count)
            return
        if self._shown is None:
            self._shown = _of_objects()
            if self._shown is None:
                return
            self._shown.add_task("", total=self._whole)
            self._shown.start()
        self._shown.update(self._shown.task_ids[0], completed=self._done, description=f"{self._verb} {name}")

    def __call__(self, what: str, done: int, whole: int | None) -> None:
        """Show how far the object is that is in work, as `Bar` does."""
        if self._shown is not None:
            self._stop()
        self._bar(what, done, whole)

    def clear(self) -> None:
        """Show nothing for a moment: a line is to be written."""
        self._bar.clear()
        if self._shown is not None:
            self._stop()
            self._at = time.monotonic() + AGAIN

    def _stop(self) -> None:
        if self._shown is not None:
            self._shown.stop()
            self._shown = None


def _of_bytes() -> Progress | None:
    if not sys.stderr.isatty():
        return None
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn

    return shown(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())


def _of_objects() -> Progress | None:
    if not sys.stderr.isatty():
        return None
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    return shown(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
