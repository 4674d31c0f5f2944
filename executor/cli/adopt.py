"""`virtctl adopt`: guests taken over as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from executor.cli import messages
from executor.cli.completing import guests
from executor.cli.declared import Files, Recursive, load
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, hypervisor_at, names
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.engine.source import Declared


def adopt(
    name: Annotated[
        list[str] | None,
        typer.Argument(metavar="[vm] NAME...", help="Domains, by libvirt's names.", autocompletion=guests),
    ] = None,
    filename: Files = None,
    recursive: Recursive = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Take over guests as they are, without touching them.

    They are managed from then on, as objects that say what is there: nothing but our own metadata element is written,
    whether they run or not. The objects have runStrategy Manual, and deletionPolicy Retain: to delete one releases the
    guest. With -f guests are taken over as the objects in the files, which the next apply then brings about.

    \b
    Examples:
      virtctl adopt web-1
      virtctl adopt instance-0000002a -n shop && virtctl get vm -n shop -o yaml
      virtctl adopt -f estate/ -R
    """
    from executor.engine import ownership, resolve

    if bool(name) == bool(filename):
        raise typer.BadParameter("name either domains or files")
    todo: list[tuple[str, Declared | None]] = [(each, None) for each in names(name or [])]
    if filename:
        declared = load(filename, namespace, recursive)
        found = [each for each in declared.objects if each.ref.kind == "VirtualMachine"]
        todo = [(resolve.names(each.object, each.ref)[0], each) for each in found]
    code = 0
    with hypervisor_at(connect) as hypervisor:
        for domain, what in todo:
            try:
                ref = ownership.adopt(hypervisor, domain, namespace or DEFAULT_NAMESPACE, declared=what)
            except KubevmmError as error:
                messages.failure(error)
                code = 1
            else:
                typer.echo(f"{ref} adopted")
    raise typer.Exit(code)
