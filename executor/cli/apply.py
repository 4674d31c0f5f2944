"""`virtctl apply`: the node's guests, networks and pools made what files say."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from executor.cli import messages
from executor.cli.declared import Files, Recursive, load
from executor.cli.durations import Timeout
from executor.cli.targets import Connect, Namespace, Selector, hypervisor_at

if TYPE_CHECKING:
    from executor.engine.apply import Applied
    from executor.engine.source import Declarations
    from executor.hypervisor.hypervisor import Hypervisor


class DryRun(StrEnum):
    """What is only tried."""

    none = "none"
    client = "client"
    server = "server"


class Form(StrEnum):
    """How the objects that were applied are shown, in place of a line on each."""

    name = "name"
    json = "json"
    yaml = "yaml"


SUFFIX: Final = {DryRun.none: "", DryRun.client: " (dry run)", DryRun.server: " (server dry run)"}


def apply(
    filename: Files = None,
    recursive: Recursive = False,
    namespace: Namespace = None,
    dry_run: Annotated[
        DryRun, typer.Option("--dry-run", help="client: only read the files; server: say what would be done.")
    ] = DryRun.none,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what was applied and is not in the files; needs -l or --all.")
    ] = False,
    selector: Selector = "",
    every: Annotated[bool, typer.Option("--all", help="With --prune: whatever the labels.")] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Then wait until guests run or are off, as they should, and the rest is ready."),
    ] = False,
    timeout: Timeout = 120.0,
    output: Annotated[Form | None, typer.Option("-o", "--output", help="Show the objects.")] = None,
    connect: Connect = "",
) -> None:
    """Make guests, networks and pools what files say.

    Each object is one line on standard output: created, configured, unchanged, adopted, or skipped (it is for another
    node). What changes is changed in the running guest where libvirt can do that, and in its definition; what has to
    wait for its next start is named on standard error. A domain that is not managed is adopted if it is as the file
    says already, and never changed otherwise. All files are checked before anything is done. The exit code is 1 if an
    object could not be applied.

    With --prune, what was applied before with the labels of -l (with --all, whatever its labels) in the namespaces of
    the files, and is in none of them now, is deleted as its deletionPolicy says, if all else went well.

    \b
    Examples:
      virtctl apply -f web-1.yaml
      virtctl apply -f estate/ -R --dry-run=server
      virtctl apply -f shop/ --prune -l app=shop
      virtctl apply -f web-1.yaml --wait --timeout 5m
      virtctl import qemu:///system -o estate && virtctl apply -f estate -R
    """
    if not filename:
        raise typer.BadParameter("name files with -f")
    if prune and not (selector or every):
        raise typer.BadParameter("--prune needs -l, or --all for whatever the labels")
    if every and not prune:
        raise typer.BadParameter("--all goes with --prune")
    from executor.cli.progress import Count
    from executor.engine import apply as engine
    from executor.engine.readings import Readings

    readings = Readings()
    declared = load(filename, namespace, recursive, readings)
    readings.check(declared)
    chosen = engine.selected(declared, selector)
    if dry_run is DryRun.client:
        if output is not None:
            return _show([each.object for each in chosen], output)
        for each in chosen:
            typer.echo(f"{each.ref} configured{SUFFIX[dry_run]}")
        return None
    code = 0
    with hypervisor_at(connect) as hypervisor:
        finished = []
        with Count("applying", len(chosen)) as count:
            passing = engine.apply(
                hypervisor, declared, dry_run=dry_run is DryRun.server, selector=selector, progress=count
            )
            for each in chosen:
                count.begin(each.ref)
                done = next(passing)
                if output is None or done.error is not None or (done.result is not None and done.result.notes):
                    count.clear()
                code = max(code, _report(done, dry_run, quiet=output is not None))
                finished.append(done)
            # It ends by itself, and keeps then what it found out.
            next(passing, None)
        if output is not None:
            applied = [done for done in finished if done.error is None]
            _show(engine.objects(hypervisor, applied, dry_run=dry_run is DryRun.server), output)
        if dry_run is DryRun.none:
            readings.save()
        if wait and dry_run is DryRun.none:
            code = max(code, _wait(hypervisor, finished, timeout))
        if prune and code == 0:
            code = _prune(hypervisor, declared, selector, namespace, dry_run)
        elif prune:
            messages.note("nothing is pruned, since not all could be applied")
    raise typer.Exit(code)


def _report(done: Applied, dry_run: DryRun, *, quiet: bool) -> int:
    """Say what became of one object; return the exit code."""
    if done.error is not None:
        messages.failure(done.error)
        return 1
    if done.result is not None:
        if not quiet:
            typer.echo(f"{done.declared.ref} {done.result.outcome}{SUFFIX[dry_run]}")
        for note in done.result.notes:
            messages.note(f"{done.declared.ref}: {note}")
    return 0


def _wait(hypervisor: Hypervisor, finished: list[Applied], timeout: float) -> int:
    """Wait until what was applied is as it should be; return the exit code."""
    from executor.cli import waiting
    from executor.engine.guests import Outcome

    refs = [done.declared.ref for done in finished if done.result and done.result.outcome is not Outcome.SKIPPED]
    return waiting.settled(hypervisor, refs, timeout)


def _prune(
    hypervisor: Hypervisor, declared: Declarations, selector: str, namespace: str | None, dry_run: DryRun
) -> int:
    from executor.engine import remove

    refs = remove.prunable(hypervisor, declared, selector, namespace)
    if dry_run is not DryRun.none:
        for ref in refs:
            typer.echo(f"{ref} pruned{SUFFIX[dry_run]}")
        return 0
    code = 0
    for each in remove.remove(hypervisor, refs):
        if each.error is not None:
            messages.failure(each.error)
            code = 1
        else:
            typer.echo(f"{each.ref} {'pruned' if each.done == 'deleted' else each.done}")
    return code


def _show(objects: list[dict[str, Any]], form: Form) -> None:
    from executor.cli.getting import write

    write(objects, str(form))
