"""`kubevmm-controller`, or `python -m controller`."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from controller.daemon import Options, run
from controller.pods import PAUSE
from schemas.errors import KubevmmError


def controller(
    *,
    namespace: Annotated[
        str, typer.Option("--namespace", envvar="POD_NAMESPACE", help="Where the Lease of who leads is.")
    ] = "kubevmm-system",
    kubeconfig: Annotated[
        str, typer.Option("--kubeconfig", metavar="FILE", help="How to reach the API server; in a Pod it is known.")
    ] = "",
    context: Annotated[str, typer.Option("--context", help="The context in it.")] = "",
    elect: Annotated[bool, typer.Option(help="Wait for the Lease, so that one of several works at a time.")] = True,
    host: Annotated[
        str, typer.Option("--host", envvar="KUBEVMM_HOST", help="The address of /healthz, /readyz and /metrics.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Its port; 0 for any that is free.")] = 8081,
    image: Annotated[
        str, typer.Option("--placement-image", envvar="KUBEVMM_PLACEMENT_IMAGE", help="What placement Pods run.")
    ] = PAUSE,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Decide on a cluster what is to become of KubeVMM's objects, until stopped; executors on the nodes act."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    run(Options(namespace, kubeconfig, context, elect, host, port, image))


def main() -> None:
    """Run, and end with one line where that fails."""
    try:
        typer.run(controller)
    except KubevmmError as error:
        sys.exit(f"error: {error}{f' ({error.hint})' if error.hint else ''}")


if __name__ == "__main__":
    main()
