"""`kubevmm-extender`, or `python -m scheduler`."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from scheduler.daemon import Options, run
from schemas.errors import KubevmmError


def extender(
    *,
    kubeconfig: Annotated[
        str, typer.Option("--kubeconfig", metavar="FILE", help="How to reach the API server; in a Pod it is known.")
    ] = "",
    context: Annotated[str, typer.Option("--context", help="The context in it.")] = "",
    host: Annotated[str, typer.Option("--host", help="The address to answer kube-scheduler on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port for kube-scheduler.")] = 8888,
    health_host: Annotated[
        str, typer.Option("--health-host", envvar="KUBEVMM_HEALTH_HOST", help="The address of its health and metrics.")
    ] = "127.0.0.1",
    health_port: Annotated[
        int, typer.Option("--health-port", min=0, max=65535, help="The port of /healthz, /readyz and /metrics.")
    ] = 8081,
) -> None:
    """Tell kube-scheduler on which nodes a guest can run, and where it runs best, until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run(Options(kubeconfig, context, host, port, health_host, health_port))


def main() -> None:
    """Run, and end with one line where that fails."""
    try:
        typer.run(extender)
    except KubevmmError as error:
        sys.exit(f"error: {error}{f' ({error.hint})' if error.hint else ''}")


if __name__ == "__main__":
    main()
