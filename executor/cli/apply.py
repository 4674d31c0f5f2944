"""`virtctl apply`: the node's guests, networks and pools made what files say."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.declared import Files, Recursive, load
from executor.cli.targets import Connect, Namespace, hypervisor_at


class DryRun(StrEnum):
    """What is only tried."""

    none = "none"
    client = "client"
    server = "server"


def apply(
    filename: Files = None,
    recursive: Recursive = False,
    namespace: Namespace = None,
    dry_run: Annotated[
        DryRun, typer.Option("--dry-run", help="client: only read the files; server: say what would be done.")
    ] = DryRun.none,
    connect: Connect = "",
) -> None:
    """Make guests, networks and pools what files say.

    Each object is one line on standard output: created, configured, unchanged, adopted, or skipped (it is for another
    node). What changes is changed in the running guest where libvirt can do that, and in its definition; what has to
    wait for its next start is named on standard error. A domain that is not managed is adopted if it is as the file
    says already, and never changed otherwise. All files are checked before anything is done. The exit code is 1 if an
    object could not be applied.

    \b
    Examples:
      virtctl apply -f web-1.yaml
      virtctl apply -f estate/ -R --dry-run=server
      virtctl import qemu:///system -o estate && virtctl apply -f estate -R
    """
    if not filename:
        raise typer.BadParameter("name files with -f")
    from executor.engine import apply as engine

    declared = load(filename, namespace, recursive)
    engine.check(declared)
    suffix = {DryRun.none: "", DryRun.client: " (dry run)", DryRun.server: " (server dry run)"}[dry_run]
    if dry_run is DryRun.client:
        for each in engine.ordered(declared):
            typer.echo(f"{each.ref} configured{suffix}")
        return
    code = 0
    with hypervisor_at(connect) as hypervisor:
        for done in engine.apply(hypervisor, declared, dry_run=dry_run is DryRun.server):
            if done.error is not None:
                messages.failure(done.error)
                code = 1
            elif done.result is not None:
                typer.echo(f"{done.declared.ref} {done.result.outcome}{suffix}")
                for note in done.result.notes:
                    messages.note(f"{done.declared.ref}: {note}")
    raise typer.Exit(code)
