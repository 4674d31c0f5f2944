"""`kubectl virt diff`: where guests are not on their nodes what their objects say, and objects not what files say."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.cluster.options import AllNamespaces, Context, Kubeconfig, Namespace, Selector
from executor.cli.declared import Files, Recursive, load
from schemas.errors import KubevmmError


def diff(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[vm] [NAME...]", help="Objects: web-1, vm web-1, vmnet/inner; none for all guests."),
    ] = None,
    *,
    filename: Files = None,
    recursive: Recursive = False,
    selector: Selector = "",
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Show where guests are not what their objects say, and with -f where objects are not what files say.

    A guest is compared by its node, which tells what it has not acted on yet, what it cannot bring about, what waits
    for the guest's next start, and what somebody changed behind our back. What a file says otherwise than the object is
    shown field by field, what the object has behind - and what the file has behind +. Nothing is changed. The exit code
    is 0 if there is no difference, 1 if there is one, 2 if it cannot be told.

    \b
    Examples:
      kubectl virt diff
      kubectl virt diff -A
      kubectl virt diff vm/web-1
      kubectl virt diff -R -f estate/
    """
    from executor.cli.diff import TROUBLE

    if filename and (words or selector or all_namespaces):
        raise typer.BadParameter("either files with -f, or objects by their names, labels or namespaces")
    try:
        from executor.cli.cluster.differing import of_files, of_objects
        from executor.cli.cluster.listing import Query
        from executor.cli.cluster.server import GUESTS, ask

        if filename:
            declared = load(filename, namespace, recursive)
            code = ask(context, kubeconfig, namespace, lambda server: of_files(server, declared))
        else:
            from executor.cli.refs import parse

            asked = parse(words, bare=GUESTS.kind) if words else {GUESTS.kind: ()}
            queries = [Query(kind, names, all_namespaces, selector) for kind, names in asked.items()]
            code = ask(context, kubeconfig, namespace, lambda server: of_objects(server, queries))
    except KubevmmError as error:
        messages.failure(error)
        code = TROUBLE
    raise typer.Exit(code)
