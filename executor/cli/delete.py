"""`virtctl delete`: objects, and the guests that they are as their deletionPolicy says."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.declared import Files, Recursive, load
from executor.cli.targets import Connect, Namespace, hypervisor_at
from schemas.errors import KubevmmError


def delete(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND] NAME...", help="web-1, vm web-1, or vm/web-1.")
    ] = None,
    filename: Files = None,
    recursive: Recursive = False,
    namespace: Namespace = None,
    grace_period: Annotated[
        int | None, typer.Option("--grace-period", min=0, help="Seconds to shut down in; else as the object says.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Cut the power at once.")] = False,
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
    """
    from executor.cli.refs import parse
    from executor.engine import definitions, ownership, store
    from executor.engine.objects import Ref
    from executor.hypervisor.errors import NotFound

    if bool(what) == bool(filename):
        raise typer.BadParameter("name either objects or files")
    if filename:
        refs = [each.ref for each in load(filename, namespace, recursive).objects]
    else:
        asked = parse(what or [], bare="VirtualMachine")
        refs = [Ref(kind, namespace or "default", name) for kind, names in asked.items() for name in names]
    if not refs:
        raise typer.BadParameter("a name is missing")
    # What others stand on goes last.
    refs.sort(key=lambda ref: ref.kind != "VirtualMachine")
    code = 0
    with hypervisor_at(connect) as hypervisor:
        for ref in refs:
            try:
                if ref.kind in definitions.KINDS:
                    done = definitions.delete(hypervisor, ref)
                else:
                    done = ownership.delete(hypervisor, store.find(hypervisor, ref), grace=0 if force else grace_period)
            except NotFound as error:
                if not ignore_not_found:
                    messages.failure(error)
                    code = 1
            except KubevmmError as error:
                messages.failure(error)
                code = 1
            else:
                typer.echo(f"{ref} {done}")
    raise typer.Exit(code)
