"""`virtctl executor`: the daemon that keeps a node as a cluster's API server says."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.daemons import Level, LogLevel, Resync, Workers
from executor.cli.targets import SYSTEM, Connect


def executor(
    node: Annotated[
        str,
        typer.Option("--node", envvar="NODE_NAME", metavar="NAME", help="The node's name in the cluster."),
    ],
    *,
    namespace: Annotated[
        str,
        typer.Option("--lease-namespace", envvar="POD_NAMESPACE", help="Where the node's Lease is."),
    ] = "kubevmm-system",
    kubeconfig: Annotated[
        str,
        typer.Option("--kubeconfig", metavar="FILE", help="How to reach the API server; in a Pod it is known."),
    ] = "",
    context: Annotated[str, typer.Option("--context", help="The context in it.")] = "",
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            envvar="KUBEVMM_LISTEN",
            metavar="ADDRESS",
            help="Where /healthz, /readyz and /metrics are: unix:PATH, an address with a port, or none.",
        ),
    ] = "none",
    resync: Resync = 1800.0,
    workers: Workers = 4,
    log_level: LogLevel = Level.info,
    connect: Connect = "",
) -> None:
    """Keep the node's guests, networks and pools as the cluster's API server says, until it is stopped.

    Only guests of this node are seen, and only what carries our mark is touched. While the API server does not answer,
    guests are kept as they were last; they run on when the executor ends, however it ends.

    \b
    Examples:
      virtctl executor --node worker-1
      virtctl executor --node worker-1 --kubeconfig admin.conf --connect qemu:///session
    """
    from executor.cluster.daemon import Options, run

    run(Options(connect or SYSTEM, node, namespace, kubeconfig, context, listen, resync, workers, str(log_level)))
