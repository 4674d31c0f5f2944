"""`virtctl clone`: a guest made from another that is off."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.completing import guests
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, find, hypervisor_at, mark_of, name_and


def clone(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[vm] NAME NEWNAME", help="A guest that is off; a new name.", autocompletion=guests),
    ],
    *,
    linked: Annotated[
        bool, typer.Option("--linked", help="Disks that keep the guest's as their backing store, instead of copies.")
    ] = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Make a guest from another one, which must be off.

    The disks that it writes to are copied within their pools; the clone's are VirtualMachineDisks named after it. Its
    name, UUID and MAC addresses are its own. It does not start by itself. What is inside stays as it is: host names
    and keys are the guest's own to change.

    \b
    Examples:
      virtctl clone web-1 web-2
      virtctl clone vm golden test-1 --linked
    """
    from executor.cli.progress import Bar
    from executor.engine.cloning import clone as engine
    from executor.engine.store import Guest

    name, new = name_and(words, "NEWNAME")
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        mark = mark_of(domain)
        where = mark.namespace if mark is not None else namespace or DEFAULT_NAMESPACE
        with Bar(new) as told:
            made = engine(hypervisor, Guest(domain, mark), new, namespace=where, linked=linked, progress=told)
    typer.echo(f"virtualmachine/{new} created")
    for note in made.notes:
        messages.note(f"virtualmachine/{new}: {note}")
