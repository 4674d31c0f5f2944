"""`virtctl get`: what is on the node, as tables or as objects."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.completing import objects
from executor.cli.declared import Files, Recursive, declared
from executor.cli.forms import Form, Output
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, Selector, hypervisor_at


def get(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND] [NAME...]", help="vm, vmnet, vmpool, vmnode or all; or vm/web-1.", autocompletion=objects
        ),
    ] = None,
    filename: Files = None,
    recursive: Recursive = False,
    namespace: Namespace = None,
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")] = False,
    selector: Selector = "",
    output: Output = Form("table"),  # noqa: B008  (a constant)
    unmanaged: Annotated[bool, typer.Option("--unmanaged", help="Also what is not managed.")] = False,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Then a row for each change, until Ctrl-C.")] = False,
    watch_only: Annotated[bool, typer.Option("--watch-only", help="Changes alone, not what is there.")] = False,
    watch_events: Annotated[
        bool, typer.Option("--output-watch-events", help="Say ADDED, MODIFIED or DELETED with each change.")
    ] = False,
    sort_by: Annotated[str, typer.Option("--sort-by", metavar="PATH", help="As .status.printableStatus.")] = "",
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Tables without their first line.")] = False,
    show_labels: Annotated[bool, typer.Option("--show-labels", help="Labels as a last column.")] = False,
    connect: Connect = "",
) -> None:
    """Show guests, networks and pools, and how they are.

    What was applied or adopted is shown; what is not managed is only counted, and shown with --unmanaged. The exit code
    is 1 if something was asked for by name, or by a file that has it, and is not there.

    \b
    Examples:
      virtctl get vm
      virtctl get vm -A -o wide
      virtctl get vm web-1 -o yaml
      virtctl get vm --unmanaged
      virtctl get all -A
      virtctl get -f web-1.yaml
      virtctl get vm -w
      virtctl get vm -o jsonpath='{range .items[*]}{.metadata.name}{"\\n"}{end}'
      virtctl get vm -o custom-columns=NAME:.metadata.name,STATUS:.status.printableStatus
    """
    from executor.cli.getting import show
    from executor.cli.refs import parse
    from executor.engine.listing import Query

    if bool(what) == bool(filename):
        raise typer.BadParameter("name either kinds or files")
    if filename and (all_namespaces or selector):
        raise typer.BadParameter("files name their objects: -A and -l choose from kinds")
    wanted = None if all_namespaces else namespace or DEFAULT_NAMESPACE
    if filename:
        asked = declared(filename, namespace, recursive)
    else:
        asked = [(kind, wanted, names) for kind, names in parse(what or ()).items()]
    queries = [Query(kind, place, names, selector, unmanaged, detail=output.detail) for kind, place, names in asked]
    by = None
    if sort_by:
        from executor.cli import jsonpath

        by = jsonpath.path(sort_by)
    if watch or watch_only or watch_events:
        if by is not None:
            raise typer.BadParameter("--sort-by has no place with --watch: changes come in their own order")
        from executor.cli.watching import watch as watched

        with hypervisor_at(connect) as hypervisor:
            raise typer.Exit(
                watched(
                    hypervisor, queries, output,
                    only=watch_only, events=watch_events, heads=not no_headers, labels=show_labels,
                )
            )  # fmt: skip
    with hypervisor_at(connect, events=False) as hypervisor:
        raise typer.Exit(show(hypervisor, queries, output, sort_by=by, heads=not no_headers, labels=show_labels))
