"""`kubectl virt get`: objects of a cluster, with the nodes and addresses of guests."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.cluster.options import AllNamespaces, Context, Kubeconfig, Namespace, Selector
from executor.cli.forms import Form, Output


def get(
    what: Annotated[
        list[str],
        typer.Argument(metavar="KIND [NAME...]", help="vm, vmdisk, vmnet, vmpool, vmnode ... or all; or vm/web-1."),
    ],
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = "",
    field_selector: Annotated[
        str,
        typer.Option("--field-selector", metavar="FIELDS", help="As status.nodeName=worker-1, for those guests alone."),
    ] = "",
    output: Output = Form("table"),  # noqa: B008  (a constant)
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Then a row for each change, until Ctrl-C.")] = False,
    watch_only: Annotated[bool, typer.Option("--watch-only", help="Changes alone, not what is there.")] = False,
    watch_events: Annotated[
        bool, typer.Option("--output-watch-events", help="Say ADDED, MODIFIED or DELETED with each change.")
    ] = False,
    sort_by: Annotated[str, typer.Option("--sort-by", metavar="PATH", help="As .status.nodeName.")] = "",
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Tables without their first line.")] = False,
    show_labels: Annotated[bool, typer.Option("--show-labels", help="Labels as a last column.")] = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Show guests with their nodes and addresses, and other objects.

    The exit code is 1 if something was asked for by name and is not there.

    \b
    Examples:
      kubectl virt get vm
      kubectl virt get vm -A -o wide
      kubectl virt get vm --field-selector status.nodeName=worker-1
      kubectl virt get vm -l app=web -w
      kubectl virt get vm web-1 -o yaml
    """
    from executor.cli.cluster.listing import Query, listed, show
    from executor.cli.cluster.server import ask
    from executor.cli.refs import parse

    asked = parse(what)
    by = None
    if sort_by:
        from executor.cli import jsonpath

        by = jsonpath.path(sort_by)
    queries = [Query(kind, names, all_namespaces, selector, field_selector) for kind, names in asked.items()]
    if watch or watch_only or watch_events:
        if by is not None:
            raise typer.BadParameter("--sort-by has no place with --watch: changes come in their own order")
        from executor.cli.cluster.watching import watch as watched

        raise typer.Exit(
            ask(
                context, kubeconfig, namespace,
                lambda server: watched(
                    server, queries, output,
                    only=watch_only, events=watch_events, heads=not no_headers, labels=show_labels,
                ),
            )
        )  # fmt: skip
    found = ask(context, kubeconfig, namespace, lambda server: listed(server, queries))
    raise typer.Exit(show(found, output, sort_by=by, heads=not no_headers, labels=show_labels))
