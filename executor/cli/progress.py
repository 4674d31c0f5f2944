"""How far long work is, on a terminal; nothing anywhere else."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(name: str) -> Iterator[Callable[[str, int, int | None], object] | None]:
    """Give what the engine tells of its work on *name*: what it does, how many bytes, and of how many, if known."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(name, total=None)

        def told(what: str, done: int, whole: int | None) -> None:
            shown.update(task, description=f"{name}: {what}", completed=done, total=whole)

        yield told
