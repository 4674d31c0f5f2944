"""`virtctl delete`: objects, and the guests that they are as their deletionPolicy says."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.completing import objects
from executor.cli.declared import Files, Recursive, load
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, hypervisor_at


def delete(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KIND] NAME...", help="web-1, vm web-1, or vm/web-1.", autocompletion=objects),
    ] = None,
    filename: Files = None,
    recursive: Recursive = False,
    namespace: Namespace = None,
    grace_period: Annotated[
        int | None, typer.Option("--grace-period", min=0, help="Seconds to shut down in; else as the object says.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Cut the power at once.")] = False,
    selector: Annotated[str, typer.Option("-l", "--selector", metavar="LABELS", help="As app=web,tier!=db.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All of the kind in the namespace.")] = False,
    ignore_not_found: Annotated[bool, typer.Option("--ignore-not-found", help="Missing objects are no error.")] = False,
    connect: Connect = "",
) -> None:
    """Delete guests, networks and pools, as their deletionPolicy says.

    A guest with deletionPolicy Retain, as import and adopt give it, runs on, managed no longer: it is released. Another
    is asked to shut down, its power is cut when its grace period is over, and its definition is removed. Its disks
    stay, and a pool's volumes. What is not managed is never touched.

    \b
    Examples:
      virtctl delete vm web-1
      virtctl delete -f web-1.yaml
      virtctl delete vm/web-1 vm/web-2 --force
      virtctl delete vm -l app=web
    """
    from executor.cli.refs import WITHOUT_DATA, parse
    from executor.engine import remove
    from executor.engine.objects import Ref
    from executor.hypervisor.errors import NotFound

    if bool(what) == bool(filename):
        raise typer.BadParameter("name either objects or files")
    many = bool(selector) or every
    asked = parse(what or [], bare="" if many else "VirtualMachine", every=WITHOUT_DATA) if what else {}
    if many and (filename or any(asked.values())):
        raise typer.BadParameter("-l and --all choose from a kind: name a kind, and no objects")
    if filename:
        refs = [each.ref for each in load(filename, namespace, recursive).objects]
    else:
        refs = [Ref(kind, namespace or DEFAULT_NAMESPACE, name) for kind, names in asked.items() for name in names]
    if not refs and not many:
        raise typer.BadParameter("a name is missing, or -l, or --all")
    code = 0
    with hypervisor_at(connect) as hypervisor:
        if many:
            refs = remove.chosen(hypervisor, asked, [namespace or DEFAULT_NAMESPACE], selector)
            if not refs:
                messages.note(f"nothing found in the namespace {namespace or DEFAULT_NAMESPACE}")
        for each in remove.remove(hypervisor, refs, grace=0 if force else grace_period):
            if each.error is None:
                typer.echo(f"{each.ref} {each.done}")
            elif not (ignore_not_found and isinstance(each.error, NotFound)):
                messages.failure(each.error)
                code = 1
    raise typer.Exit(code)
