"""`virtctl agent`: the daemon that keeps a node as a folder of manifests says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from executor.cli.daemons import Level, LogLevel, Resync, Workers
from executor.cli.targets import SYSTEM, Connect


def agent(
    manifests: Annotated[
        Path,
        typer.Option("--manifests", metavar="DIR", help="The folder whose manifests are kept, not those below it."),
    ],
    *,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="ADDRESS",
            help="Where /healthz, /readyz and /metrics are: unix:PATH, 127.0.0.1:PORT or none."
            " Without it, the socket kubevmm/agent.sock in /run, or in the user's runtime folder.",
        ),
    ] = "",
    resync: Resync = 1800.0,
    workers: Workers = 4,
    log_level: LogLevel = Level.info,
    connect: Connect = "",
) -> None:
    """Keep the node's guests, networks and pools as the manifests in a folder say, until it is stopped.

    What is put into the folder is applied, what is changed there is changed, and what is taken out of it is deleted as
    its deletionPolicy says, if it came from this folder. Guests that end are started again as their runStrategy says,
    and wait longer each time if they crash. A file that cannot be read deletes nothing. One agent runs for each
    libvirt. SIGHUP looks at everything anew; guests run on when the agent ends, however it ends.

    \b
    Examples:
      virtctl agent --manifests /etc/kubevmm/manifests
      virtctl agent --manifests guests --connect qemu:///session --listen 127.0.0.1:9474
      curl --unix-socket /run/kubevmm/agent.sock http://localhost/readyz
    """
    from executor.agent.daemon import Options, run

    run(Options(connect or SYSTEM, manifests, listen, resync, workers, str(log_level)))
