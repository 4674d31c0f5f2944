"""`kubectl virt describe`: all that a cluster knows of an object, and why a guest is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli.cluster.options import Context, Kubeconfig, Namespace
from executor.cli.options import Report
from executor.cli.tables import Output

if TYPE_CHECKING:
    from executor.cli.cluster.server import Server


def describe(
    words: Annotated[
        list[str], typer.Argument(metavar="[KIND] NAME", help="web-1, vm web-1, vmdisk root, or vmnode/worker-1.")
    ],
    *,
    output: Output = Report.text,
    namespace: Namespace = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Show an object, its status, conditions and events, and why a guest does not run or is not as its object says.

    \b
    Examples:
      kubectl virt describe web-1
      kubectl virt describe vm web-1 -o json
      kubectl virt describe vmnode worker-1
    """
    from executor.cli.cluster.server import GUESTS, ask
    from executor.cli.refs import parse

    asked = [(kind, name) for kind, names in parse(words, bare=GUESTS.kind).items() for name in names]
    if len(asked) != 1:
        raise typer.BadParameter(f"one object is expected, not {len(asked)}")

    async def look(server: Server) -> dict[str, Any]:
        from executor.cli.cluster.about import about

        return await about(server, *asked[0])

    found = ask(context, kubeconfig, namespace, look)
    if output is Report.json:
        from executor.cli.tables import as_json

        typer.echo(as_json(found))
        return
    from executor.cli.cluster.about import text

    typer.echo("\n".join(text(found)))
