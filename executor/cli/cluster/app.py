"""`kubectl virt`: virtctl for a cluster, which kubectl finds by the name of its program, kubectl-virt."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli import main as virtctl
from executor.cli.cluster.options import Context, Kubeconfig, Namespace
from executor.cli.cluster.verbs import Verbs

NAME = "kubectl virt"

app = typer.Typer(
    name=NAME,
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


@app.callback()
def _root(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001  (its callback has acted)
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=virtctl.show_version_if)
    ] = False,
    namespace: Namespace = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Look at a cluster's guests as they are on their nodes, start, stop and compare them, and import whole estates.

    What kubectl does itself (apply, edit, delete, wait, events) it does for KubeVMM's kinds too.
    """
    given = {"namespace": namespace, "context": context, "kubeconfig": kubeconfig}
    virtctl.handed_on(ctx, {name: value for name, value in given.items() if value})


def main() -> None:
    """Run it; see `executor.cli.main.run`."""
    virtctl.run(app, NAME)
