"""`virtctl top`: how busy guests are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli.completing import guests
from executor.cli.durations import seconds
from executor.cli.options import Report
from executor.cli.tables import Output, as_json, size, table
from executor.cli.targets import Connect, Namespace, find, hypervisor_at, mark_of, names

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor


def top(
    name: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[vm] [NAME...]",
            help="Guests: web-1, vm web-1 or vm/web-1; none for all that run.",
            autocompletion=guests,
        ),
    ] = None,
    *,
    interval: Annotated[
        float, typer.Option("--interval", parser=seconds, metavar="TIME", help="Over how long to measure.")
    ] = 1.0,
    output: Output = Report.text,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Show guests' CPU time (100% is one host CPU), memory, disk and network traffic, the busiest first.

    \b
    Examples:
      virtctl top
      virtctl top vm web-1 web-2 --interval 5s
      virtctl top -o json
    """
    if interval <= 0:
        raise typer.BadParameter("--interval must be more than 0")
    words = [] if name in (["vm"], ["vms"]) else name or []
    with hypervisor_at(connect) as hypervisor:
        wanted = {find(hypervisor, each, namespace).uuid for each in names(words)} if words else None
        found = _measured(hypervisor, wanted, namespace, interval)
    found.sort(key=lambda each: -(each["cpu"] or 0))
    if output is Report.json:
        typer.echo(as_json(found))
        return
    rows = [
        (
            each["namespace"],
            each["name"],
            "" if each["cpu"] is None else f"{each['cpu']:.1f}",
            each["vcpus"],
            size(each["memory"]),
            *(_speed(each[key]) for key in ("diskRead", "diskWrite", "netReceive", "netSend")),
        )
        for each in found
    ]
    headings = ("NAMESPACE", "NAME", "CPU%", "VCPUS", "MEMORY", "READ/s", "WRITE/s", "RECEIVE/s", "SEND/s")
    typer.echo(table(headings, rows))


def _measured(
    hypervisor: Hypervisor, wanted: set[str] | None, namespace: str | None, interval: float
) -> list[dict[str, Any]]:
    import time

    from executor.node.load import load

    started = time.monotonic()
    before = {each.domain.uuid: each.statistics for each in hypervisor.domains.summaries(statistics=True)}
    time.sleep(interval)
    after = hypervisor.domains.summaries(statistics=True)
    elapsed = time.monotonic() - started
    found = []
    for each in after:
        uuid = each.domain.uuid
        if uuid not in before or not each.state.active or (wanted is not None and uuid not in wanted):
            continue
        mark = mark_of(each.domain)
        if wanted is None and namespace is not None and (mark is None or mark.namespace != namespace):
            continue
        found.append(
            {
                "namespace": mark.namespace if mark is not None else None,
                "name": mark.name if mark is not None else each.domain.name,
                "uuid": uuid,
                **load(before[uuid], each.statistics, elapsed).table(),
            }
        )
    return found


def _speed(count: float | None) -> str:
    return "" if count is None else size(round(count))
