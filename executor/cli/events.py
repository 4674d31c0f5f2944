"""`virtctl events`: what happens to a node's guests, networks and pools, as it happens."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.completing import guests
from executor.cli.durations import seconds
from executor.cli.options import Report
from executor.cli.tables import Output
from executor.cli.targets import Connect, Namespace, find, hypervisor_at, names


def events(
    name: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[vm] [NAME...]",
            help="Guests: web-1, vm web-1 or vm/web-1; none for everything.",
            autocompletion=guests,
        ),
    ] = None,
    *,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on until interrupted; the default.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", parser=seconds, metavar="TIME", help="End after that long.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=0, help="End after so many events; 0 for no end.")] = 0,
    output: Output = Report.text,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Show events as they come, one a line: time, about what, and what happened.

    libvirt keeps none: only what happens from now on is shown. With -o json each line is an object.

    \b
    Examples:
      virtctl events
      virtctl events vm web-1 -o json
      virtctl events web-1 --count 1 --timeout 5m
    """
    import json
    import queue
    import time
    from datetime import UTC, datetime

    from executor.hypervisor.events import Event, Topic

    if watch and count:
        raise typer.BadParameter("--watch has no end, --count has")
    words = [] if name in (["vm"], ["vms"]) else name or []
    arrived: queue.Queue[Event] = queue.Queue()
    deadline = None if timeout is None else time.monotonic() + timeout
    with hypervisor_at(connect) as hypervisor:
        wanted = {find(hypervisor, each, namespace).uuid for each in names(words)} if words else None
        shown = 0
        with hypervisor.events(arrived.put):
            while not count or shown < count:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return
                try:
                    event = arrived.get(timeout=left)
                except queue.Empty:
                    return
                if event.topic is Topic.RESYNC or (wanted is not None and event.uuid not in {*wanted, ""}):
                    continue
                now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                if output is Report.json:
                    whole = {"time": now, "topic": str(event.topic), "name": event.name, "uuid": event.uuid}
                    line = json.dumps(whole | {"what": event.what, "detail": event.detail}, ensure_ascii=False)
                else:
                    line = messages.one_line(
                        "   ".join(filter(None, (now, event.name or "-", str(event.topic), event.what, event.detail)))
                    )
                typer.echo(line)
                shown += 1
