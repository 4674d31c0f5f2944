"""`virtctl vnc`: where a guest's screen is reached, or a picture of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from executor.cli.options import Report
from executor.cli.tables import Output, as_json
from executor.cli.targets import Connect, Name, Namespace, mark_of, only_name, target


def vnc(
    name: Name,
    *,
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", metavar="FILE.png", help="Write a picture of the screen instead.")
    ] = None,
    screen: Annotated[int, typer.Option("--screen", min=0, help="The screen to picture, from 0.")] = 0,
    output: Output = Report.text,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Show where a guest's VNC screen listens (HOST:PORT, or a socket's path), or take a picture of it.

    \b
    Examples:
      virtctl vnc web-1
      virtctl vnc vm web-1 --screenshot web-1.png
    """
    from executor.hypervisor.errors import NotFound, WrongState
    from executor.node.facts import facts
    from executor.node.picture import save_picture

    with target(name, namespace, connect) as (_, domain):
        if not domain.state().active:
            raise WrongState(
                f"domain {domain.name}: it does not run", hint=f"`virtctl start {only_name(name)}` starts it"
            )
        if screenshot is not None:
            count = save_picture(domain, screenshot, screen=screen)
            typer.echo(as_json({"file": str(screenshot), "bytes": count}) if output is Report.json else str(screenshot))
            return
        screens = [each for each in facts(domain, mark_of(domain))["graphics"] if each["type"] == "vnc"]
        reached = [each for each in screens if each["port"] or each["socket"]]
        if not reached:
            raise NotFound(f"domain {domain.name}: it has no VNC screen", hint="`virtctl describe` shows its graphics")
        if output is Report.json:
            typer.echo(as_json(reached))
            return
        for each in reached:
            typer.echo(each["socket"] or f"{each['address'] or '127.0.0.1'}:{each['port']}")
