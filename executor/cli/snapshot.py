"""`virtctl snapshot`: a guest's snapshots, made, listed, gone back to and deleted by hand."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from executor.cli import messages
from executor.cli.completing import guests
from executor.cli.options import Report
from executor.cli.tables import Output, as_json, table
from executor.cli.targets import Connect, Name, Namespace, find, hypervisor_at, name_and, names, target, without_kind

app = typer.Typer(name="snapshot", help="Make, list, go back to and delete a guest's snapshots.", no_args_is_help=True)

Which: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="[vm] NAME SNAPSHOT", help="A guest; the name of one of its snapshots.", autocompletion=guests
    ),
]


@app.command("create", no_args_is_help=True)
def create(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[vm] NAME [SNAPSHOT]",
            help="A guest; a name for the snapshot, by default the time.",
            autocompletion=guests,
        ),
    ],
    *,
    disk_only: Annotated[
        bool, typer.Option("--disk-only", help="Without memory: each disk goes on in a new file.")
    ] = False,
    quiesce: Annotated[
        bool, typer.Option("--quiesce", help="Have the guest's agent freeze its file systems for the moment.")
    ] = False,
    description: Annotated[str | None, typer.Option("--description", help="What it is for.")] = None,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Make a snapshot of a guest's disks and, if it runs, of its memory.

    With memory its disks must be of a format that can hold it, such as qcow2.

    \b
    Examples:
      virtctl snapshot create web-1 before-upgrade
      virtctl snapshot create vm web-1 nightly --disk-only --quiesce
    """
    from executor.hypervisor.snapshots import Making, Snapshots
    from executor.node.snapshotting import document

    if quiesce and not disk_only:
        raise typer.BadParameter("--quiesce goes with --disk-only: memory holds what is not written yet")
    rest = without_kind(words)
    name = names(rest[:1])[0]
    snapshot = name_and(rest, "SNAPSHOT")[1] if len(rest) > 1 else None
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        how = (Making.DISK_ONLY | Making.ATOMIC if disk_only else Making.PLAIN) | (Making.QUIESCE if quiesce else 0)
        made = Snapshots(domain).create(document(snapshot, description), Making(how))
        typer.echo(f"snapshot/{messages.one_line(made.name)} created")


@app.command("list", no_args_is_help=True)
def list_snapshots(
    name: Name, *, output: Output = Report.text, namespace: Namespace = None, connect: Connect = ""
) -> None:
    """List a guest's snapshots, parents first.

    \b
    Examples:
      virtctl snapshot list web-1
      virtctl snapshot list vm web-1 -o json
    """
    from executor.node.facts import snapshots

    with target(name, namespace, connect) as (_, domain):
        found = snapshots(domain)
    if output is Report.json:
        typer.echo(as_json(found))
        return
    rows = (
        (s["name"], s["parent"], s["created"], s["state"], "yes" if s["memory"] else "no",
         "yes" if s["current"] else "no", s["description"])
        for s in found
    )  # fmt: skip
    typer.echo(table(("NAME", "PARENT", "CREATED", "STATE", "MEMORY", "CURRENT", "DESCRIPTION"), rows))


@app.command("revert", no_args_is_help=True)
def revert(
    words: Which,
    *,
    running: Annotated[
        bool | None,
        typer.Option("--running/--paused", help="How it is then; by default as it was.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Though what runs now is lost for good.")] = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Put a guest back to a snapshot: its disks, and its memory if that is in it. What came since is lost.

    \b
    Examples:
      virtctl snapshot revert web-1 before-upgrade
    """
    from executor.engine import snapshots
    from executor.hypervisor.snapshots import Snapshots

    name, snapshot = name_and(words, "SNAPSHOT")
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        snapshots.revert(Snapshots(domain).by_name(snapshot), running=running, force=force)
        typer.echo(f"virtualmachine/{messages.one_line(name)} reverted to {messages.one_line(snapshot)}")


@app.command("delete", no_args_is_help=True)
def delete(
    words: Which,
    *,
    children: Annotated[bool, typer.Option("--children", help="And all that were made after it.")] = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Delete a snapshot; the guest stays as it is now.

    \b
    Examples:
      virtctl snapshot delete web-1 before-upgrade
    """
    from executor.hypervisor.snapshots import Snapshots

    name, snapshot = name_and(words, "SNAPSHOT")
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        Snapshots(domain).by_name(snapshot).delete(children=children)
        typer.echo(f"snapshot/{messages.one_line(snapshot)} deleted")
