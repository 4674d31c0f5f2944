"""`virtctl fit`: whether an estate would fit on a cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli import tables
from executor.cli.options import Report
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.fit import Fit, Guest

_LISTED = 10


def fit(
    guests: Annotated[
        list[str], typer.Argument(metavar="SRC...", help="Folders and files of VirtualMachines, as import writes them.")
    ],
    *,
    nodes: Annotated[
        Path | None,
        typer.Option(
            "--nodes",
            metavar="FILE",
            help="Nodes and what runs on them: what `kubectl get vmnode,node,pod,vmdisk -A -o yaml` prints.",
        ),
    ] = None,
    context: Annotated[
        str, typer.Option("--context", metavar="NAME", help="The kubeconfig's context whose cluster is asked instead.")
    ] = "",
    kubeconfig: Annotated[
        str,
        typer.Option("--kubeconfig", metavar="FILE", help="By default KUBECONFIG's, a Pod's own, or ~/.kube/config."),
    ] = "",
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="FILTER", help="A filter not to ask, such as network.")
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="As if no guest named a node in spec.nodeName.")] = False,
    output: tables.Output = Report.text,
) -> None:
    """Say whether guests would fit on a cluster's nodes, by the scheduler's own filters; and what is left over.

    Without --nodes the cluster itself is asked, by the current context or --context; nothing is changed on it. Guests
    are placed one after the other, the largest first, beside the Pods that are there; guests that have their placement
    Pod already keep it. Taints, nodeSelector and required node affinity count; affinity between guests and topology
    spread do not. A Node without a VirtualMachineNode is judged by its room, a VirtualMachineNode alone by what it has.

    \b
    Examples:
      virtctl fit guests/ --anywhere
      virtctl fit guests/ --context production --ignore network -o json
      kubectl get vmnode,node,pod,vmdisk -A -o yaml > nodes.yaml; virtctl fit guests/ --nodes nodes.yaml
    """
    from analyser import files
    from executor.cli import fitting
    from executor.cli.parallel import each
    from scheduler.filters import FILTERS
    from scheduler.fit import fit as place
    from scheduler.places import Places

    for name in ignore or ():
        if name not in FILTERS:
            raise KubevmmError(f"{name} is no filter", hint=f"they are: {', '.join(FILTERS)}")
    if nodes is not None and (context or kubeconfig):
        raise KubevmmError("--nodes reads a file, and --context asks a cluster", hint="give one of them")
    estate = fitting.estate(each(fitting.read, list(files.sources(guests)), 0))
    if not estate.guests:
        raise KubevmmError("no VirtualMachine to place", hint="SRC is what `virtctl import` wrote")
    cluster = fitting.from_file(nodes) if nodes is not None else fitting.from_server(context, kubeconfig)
    if not cluster.nodes:
        raise KubevmmError("the cluster has no nodes", hint="--nodes FILE says of others")
    wanted = [guest for guest in estate.guests if guest.name not in cluster.there]
    if anywhere:
        wanted = [replace(guest, node="") for guest in wanted]
    wanted.sort(key=lambda guest: (-_bytes(guest), -guest.requests["cpu"], guest.name))
    there = {guest.name: cluster.there[guest.name] for guest in estate.guests if guest.name in cluster.there}
    disks = Places({**estate.disks, **cluster.disks})
    done = place(wanted, cluster.nodes, disks, ignored=frozenset(ignore or ()))
    typer.echo(tables.as_json(_json(done, there)) if output is Report.json else _text(done, there))
    if done.left:
        raise typer.Exit(1)


def _bytes(guest: Guest) -> int:
    """Return the bytes of all memory that a guest takes, of whatever pages."""
    return sum(count for name, count in guest.requests.items() if name == "memory" or name.startswith("hugepages-"))


def _text(done: Fit, there: Mapping[str, str]) -> str:
    from executor.cli.tables import size, table

    rows = [
        (
            node.name, len(node.guests), f"{_cpus(node.taken['cpu'])} of {_cpus(node.allocatable.get('cpu', 0))}",
            f"{size(node.taken['memory'])} of {size(node.allocatable.get('memory', 0))}",
        )
        for node in done.nodes
    ]  # fmt: skip
    lines = [table(("NODE", "GUESTS", "CPU", "MEMORY"), rows), ""]
    whole = len(done.placed) + len(done.left) + len(there)
    lines.append(f"{len(done.placed) + len(there)} of {whole} guests fit on {len(done.nodes)} nodes")
    if there:
        lines.append(f"{len(there)} of them have their place already")
    names: dict[str, list[str]] = {}
    for name, why in done.left.items():
        names.setdefault(_why(why), []).append(name)
    for said, found in sorted(names.items(), key=lambda one: -len(one[1])):
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        lines += [f"{len(found)} left over: {said}", f"  {', '.join(found[:_LISTED])}{more}"]
    return "\n".join(lines)


def _why(why: Counter[str]) -> str:
    return "; ".join(f"{count} nodes: {text}" for text, count in sorted(why.items(), key=lambda one: (-one[1], one[0])))


def _json(done: Fit, there: Mapping[str, str]) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "name": node.name,
                "guests": node.guests,
                "taken": _whole(node.taken),
                "allocatable": _whole(node.allocatable),
            }
            for node in done.nodes
        ],
        "placed": {**there, **done.placed},
        "there": sorted(there),
        "leftOver": {name: dict(why) for name, why in done.left.items()},
    }


def _whole(amounts: Mapping[str, int]) -> dict[str, int | float]:
    return {name: _cpus(count) if name == "cpu" else count for name, count in amounts.items()}


def _cpus(thousandths: int) -> int | float:
    return thousandths // 1000 if thousandths % 1000 == 0 else thousandths / 1000
