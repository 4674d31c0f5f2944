"""`kubectl virt restart`: guests off and on again."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.cluster.options import Context, Guests, Kubeconfig, Namespace
from executor.cli.durations import Timeout, Wait, seconds


def restart(
    names: Guests,
    *,
    force: Annotated[bool, typer.Option("--force", help="Pull the plug: the guest is not asked.")] = False,
    grace_period: Annotated[
        float | None,
        typer.Option(
            "--grace-period", parser=seconds, metavar="TIME", help="Pull the plug if it runs still after that long."
        ),
    ] = None,
    wait: Wait = True,
    timeout: Timeout = 300.0,
    namespace: Namespace = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Shut guests down and start them anew, so that what waits for a restart takes effect.

    A guest that does not shut down within --grace-period, by default its own (180s where it does not say), loses its
    power. It is a VirtualMachineOperation: once begun, it is brought to its end whatever becomes of this command.

    \b
    Examples:
      kubectl virt restart web-1
      kubectl virt restart vm web-1 web-2 --grace-period 30s
    """
    from executor.cli.cluster.operating import operate

    grace = 0 if force else grace_period
    spec = {"stop": {"gracePeriodSeconds": int(grace)}} if grace is not None else {}
    patience = timeout if wait else None
    raise typer.Exit(operate(names, "Restart", spec=spec, patience=patience, where=(context, kubeconfig, namespace)))
