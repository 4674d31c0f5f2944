"""`virtctl delete`: objects, and the guests that they are as their deletionPolicy says."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.apply import SUFFIX, DryRun
from executor.cli.completing import objects
from executor.cli.declared import Files, Recursive, load
from executor.cli.durations import seconds
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, Selector, hypervisor_at


class Form(StrEnum):
    """How what was deleted is shown, in place of a line on each."""

    name = "name"


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
    now: Annotated[bool, typer.Option("--now", help="As --grace-period 1.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until guests are off; else only ask those that run.")
    ] = True,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", parser=seconds, metavar="TIME", help="How long at most; 0: as long as their grace period."
        ),
    ] = 0.0,
    selector: Selector = "",
    every: Annotated[bool, typer.Option("--all", help="All of the kind in the namespace.")] = False,
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="With -l or --all.")] = False,
    dry_run: Annotated[DryRun, typer.Option("--dry-run", help="client or server: only say what.")] = DryRun.none,
    output: Annotated[
        Form | None, typer.Option("-o", "--output", metavar="name", help="Only what was deleted.")
    ] = None,
    ignore_not_found: Annotated[bool, typer.Option("--ignore-not-found", help="Missing objects are no error.")] = False,
    connect: Connect = "",
) -> None:
    """Delete guests, networks and pools, as their deletionPolicy says.

    A guest with deletionPolicy Retain, as import and adopt give it, runs on, managed no longer: it is released. Another
    is asked to shut down, its power is cut when its grace period is over, and its definition is removed. Its disks
    stay, and a pool's volumes. What is not managed is never touched. Many guests shut down together.

    One that runs still after --timeout, or with --no-wait, was asked to shut down and is not deleted: delete it again.

    \b
    Examples:
      virtctl delete vm web-1
      virtctl delete -f web-1.yaml
      virtctl delete vm/web-1 vm/web-2 --force
      virtctl delete vm -l app=web
      virtctl delete vm --all -A --dry-run=client
    """
    from executor.cli.refs import WITHOUT_DATA, parse
    from executor.engine import remove
    from executor.engine.objects import Ref
    from executor.hypervisor.errors import NotFound

    if bool(what) == bool(filename):
        raise typer.BadParameter("name either objects or files")
    many = bool(selector) or every
    if all_namespaces and not many:
        raise typer.BadParameter("--all-namespaces goes with --all or -l: a name is in one namespace")
    if now and (force or grace_period is not None):
        raise typer.BadParameter("--now is a grace period of its own")
    asked = parse(what or [], bare="" if many else "VirtualMachine", every=WITHOUT_DATA) if what else {}
    if many and (filename or any(asked.values())):
        raise typer.BadParameter("-l and --all choose from a kind: name a kind, and no objects")
    here = namespace or DEFAULT_NAMESPACE
    if filename:
        refs = [each.ref for each in load(filename, namespace, recursive).objects]
    else:
        refs = [Ref(kind, here, name) for kind, names in asked.items() for name in names]
    if not refs and not many:
        raise typer.BadParameter("a name is missing, or -l, or --all")
    code, grace = 0, 0 if force else 1 if now else grace_period
    with hypervisor_at(connect) as hypervisor:
        if many:
            refs = remove.chosen(hypervisor, asked, None if all_namespaces else here, selector)
            if not refs:
                messages.note("nothing found" + ("" if all_namespaces else f" in the namespace {here}"))
        if dry_run is not DryRun.none:
            done = remove.foretell(hypervisor, refs)
        else:
            done = remove.remove(hypervisor, refs, grace=grace, patience=(timeout or None) if wait else 0)
        for each in done:
            if each.error is None:
                typer.echo(str(each.ref) if output is Form.name else f"{each.ref} {each.done}{SUFFIX[dry_run]}")
            elif not (ignore_not_found and isinstance(each.error, NotFound)):
                messages.failure(each.error)
                code = 1
    raise typer.Exit(code)
