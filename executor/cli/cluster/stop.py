"""`kubectl virt stop`: ask guests to shut down, and let them stay off."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.cluster.options import Context, Guests, Kubeconfig, Namespace
from executor.cli.durations import Timeout


def stop(
    names: Guests,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until they are off.")] = False,
    timeout: Timeout = 120.0,
    namespace: Namespace = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Ask guests to shut down, by setting their runStrategy to Halted, and let them stay off.

    A guest whose system ignores that runs on, for nobody pulls its plug; `virtctl stop --force` on its node does.

    \b
    Examples:
      kubectl virt stop web-1
      kubectl virt stop vm web-1 web-2 --wait --timeout 5m
    """
    from executor.cli.cluster.power import change, stopping
    from executor.cli.cluster.server import ask
    from executor.cli.targets import names as named

    found = named(names)
    patience = timeout if wait else None
    raise typer.Exit(
        ask(context, kubeconfig, namespace, lambda server: change(server, found, stopping, patience=patience))
    )
