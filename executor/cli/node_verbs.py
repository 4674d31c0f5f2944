"""The verbs that act on a node's guests, for `virtctl`'s table of verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.cli import disk, guest, media, nic, snapshot
from executor.cli.console import console
from executor.cli.describe import describe
from executor.cli.events import events
from executor.cli.pause import pause
from executor.cli.reset import reset
from executor.cli.restart import restart
from executor.cli.restore import restore
from executor.cli.resume import resume
from executor.cli.save import save
from executor.cli.softreboot import softreboot
from executor.cli.start import start
from executor.cli.stop import stop
from executor.cli.top import top
from executor.cli.vnc import vnc

if TYPE_CHECKING:
    import typer

VERBS = (start, stop, restart, reset, softreboot, pause, resume, save, restore, console, describe, vnc)
LISTINGS = (top, events)
GROUPS = (disk, nic, media, snapshot, guest)


def register(app: typer.Typer) -> None:
    """Add them to *app*."""
    for verb in VERBS:
        app.command(no_args_is_help=True)(verb)
    for listing in LISTINGS:
        app.command()(listing)
    for group in GROUPS:
        app.add_typer(group.app)
