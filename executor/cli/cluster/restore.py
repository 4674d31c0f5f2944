"""`kubectl virt restore`: on from saved memory, or back to a snapshot."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from executor.cli.cluster.options import Context, Guests, Kubeconfig, Namespace
from executor.cli.durations import Timeout, Wait


def restore(
    names: Guests,
    *,
    snapshot: Annotated[
        str, typer.Option("--snapshot", metavar="NAME", help="Go back to this VirtualMachineSnapshot instead.")
    ] = "",
    wait: Wait = True,
    timeout: Timeout = 300.0,
    namespace: Namespace = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Let guests go on from where `kubectl virt save` stopped them, or go back to a snapshot.

    What a guest wrote since the snapshot is lost. It is a VirtualMachineOperation, done once by the executor of the
    guest's node.

    \b
    Examples:
      kubectl virt restore web-1
      kubectl virt restore web-1 --snapshot before-upgrade
    """
    from executor.cli.cluster.operating import operate

    spec: dict[str, Any] = {"restore": {"snapshotRef": {"name": snapshot}}} if snapshot else {}
    patience = timeout if wait else None
    raise typer.Exit(operate(names, "Restore", spec=spec, patience=patience, where=(context, kubeconfig, namespace)))
