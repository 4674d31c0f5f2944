"""`virtctl media`: what lies in a guest's CD or floppy drive."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from executor.cli.completing import guests
from executor.cli.targets import Connect, Name, Namespace, find, hypervisor_at, name_and, note_drift, target

app = typer.Typer(name="media", help="Insert into and eject from a guest's CD drive.", no_args_is_help=True)

Drive: TypeAlias = Annotated[
    str | None, typer.Option("--target", help="The drive, such as sda; not needed where there is only one.")
]


@app.command("insert", no_args_is_help=True)
def insert(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[vm] NAME SOURCE", help="A guest; a path, or POOL/VOLUME.", autocompletion=guests),
    ],
    *,
    to: Drive = None,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Put an image into a guest's drive, in place of what is there; also while it runs.

    \b
    Examples:
      virtctl media insert web-1 /images/installer.iso
      virtctl media insert vm web-1 default/tools.iso --target sda
    """
    from executor.node import hotplug

    name, source = name_and(words, "SOURCE")
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        typer.echo(f"disk/{hotplug.change_media(domain, source, to, form='raw')} inserted")
        note_drift(domain)


@app.command("eject", no_args_is_help=True)
def eject(name: Name, *, to: Drive = None, namespace: Namespace = None, connect: Connect = "") -> None:
    """Empty a guest's drive, though the guest may have locked it.

    \b
    Examples:
      virtctl media eject web-1
    """
    from executor.node import hotplug

    with target(name, namespace, connect) as (_, domain):
        typer.echo(f"disk/{hotplug.change_media(domain, None, to)} ejected")
        note_drift(domain)
