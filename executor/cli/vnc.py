"""`virtctl vnc`: a guest's screen on a port of this machine, or a picture of it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.options import Report
from executor.cli.tables import Output, as_json
from executor.cli.targets import Connect, Name, Namespace, only_name, target


def vnc(
    name: Name,
    *,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes one that is free.")
    ] = 0,
    once: Annotated[bool, typer.Option("--once", help="End when the first client has left.")] = False,
    address: Annotated[
        bool, typer.Option("--address", help="Only show where the screen itself listens, on the guest's node.")
    ] = False,
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", metavar="FILE.png", help="Write a picture of the screen instead.")
    ] = None,
    screen: Annotated[int, typer.Option("--screen", min=0, help="The screen to picture, from 0.")] = 0,
    output: Output = Report.text,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Bring a guest's VNC screen to a port of this machine, until Ctrl-C.

    The address is printed as soon as viewers can connect to it. It goes through libvirt, so that it makes no difference
    where the screen itself listens, be it a socket; on another machine, through ssh where the URI says ssh. Whoever is
    on this machine can connect, and is asked for the screen's password if it has one.

    \b
    Examples:
      virtctl vnc web-1
      virtctl vnc vm web-1 --port 5900 --once
      virtctl vnc web-1 --screenshot web-1.png
    """
    from executor.hypervisor.errors import WrongState
    from executor.node import screens
    from executor.node.picture import save_picture
    from executor.node.proxy import ADDRESS, Proxy

    with target(name, namespace, connect) as (_, domain):
        if not domain.state().active:
            raise WrongState(
                f"domain {domain.name}: it does not run", hint=f"`virtctl start {only_name(name)}` starts it"
            )
        if screenshot is not None:
            count = save_picture(domain, screenshot, screen=screen)
            typer.echo(as_json({"file": str(screenshot), "bytes": count}) if output is Report.json else str(screenshot))
            return
        found = screens.screen_of(domain)
        if address:
            where = {"address": found.address, "port": found.port, "socket": found.socket or None}
            plain = found.socket or f"{found.address or '127.0.0.1'}:{found.port}"
            typer.echo(as_json(where) if output is Report.json else plain)
            return
        with Proxy(port, lambda: screens.connect(domain, found), messages.failure) as proxy:
            there = {"address": ADDRESS, "port": proxy.port}
            typer.echo(as_json(there) if output is Report.json else f"{ADDRESS}:{proxy.port}")
            # Ctrl-C is how it is meant to end.
            with contextlib.suppress(KeyboardInterrupt):
                proxy.serve(once=once)
