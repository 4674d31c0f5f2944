"""The verbs that say what a node should be, and show what it is, for `virtctl`'s table of verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.cli.adopt import adopt
from executor.cli.apply import apply
from executor.cli.delete import delete
from executor.cli.diff import diff
from executor.cli.edit import edit
from executor.cli.export import export
from executor.cli.get import get
from executor.cli.release import release
from executor.cli.wait import wait

if TYPE_CHECKING:
    import typer

VERBS = (apply, diff, get, edit, delete, wait, adopt, release, export)


def register(app: typer.Typer) -> None:
    """Add them to *app*."""
    for verb in VERBS:
        app.command(no_args_is_help=True)(verb)
