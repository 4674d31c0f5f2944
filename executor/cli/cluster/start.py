"""`kubectl virt start`: let guests run."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.cluster.options import Context, Guests, Kubeconfig, Namespace
from executor.cli.durations import Timeout


def start(
    names: Guests,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until they run.")] = False,
    timeout: Timeout = 120.0,
    namespace: Namespace = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Let guests run, by setting their runStrategy to Always.

    A guest whose runStrategy is Always already, or that runs under another one than Halted, is left as it is.

    \b
    Examples:
      kubectl virt start web-1
      kubectl virt start vm web-1 web-2 --wait --timeout 5m
    """
    from executor.cli.cluster.power import change, starting
    from executor.cli.cluster.server import ask
    from executor.cli.targets import names as named

    found = named(names)
    patience = timeout if wait else None
    raise typer.Exit(
        ask(context, kubeconfig, namespace, lambda server: change(server, found, starting, patience=patience))
    )
