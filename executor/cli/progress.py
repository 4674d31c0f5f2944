"""How far long work is, on a terminal; nothing anywhere else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress


class Bar:
    """A context manager that shows what it is told, as `executor.engine.landing` tells it: nothing until then.

    ``name`` is what the work is on.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown: Progress | None = None
        self._what = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clear()

    def __call__(self, what: str, done: int, whole: int | None) -> None:
        """Show *what* is being done, how many bytes of it, and of how many, where that is known."""
        if not sys.stderr.isatty():
            return
        if self._shown is None:
            self._shown = _shown()
            self._shown.start()
        if what != self._what:
            # A task of its own, since another's total would stay.
            for task in self._shown.task_ids:
                self._shown.remove_task(task)
            self._shown.add_task(f"{self._name}: {what}", total=whole)
            self._what = what
        self._shown.update(self._shown.task_ids[0], completed=done, total=whole)

    def clear(self) -> None:
        """Show nothing any more, until it is told something anew."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None
            self._what = ""


def _shown() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    # Standard output is for results, which may go elsewhere.
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
