"""`virtctl fit`: whether an estate would fit on a cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli import tables
from executor.cli.options import Report
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from analyser.files import Source
    from scheduler.fit import Fit, Guest, Node

_LISTED = 10


def fit(
    guests: Annotated[
        list[str], typer.Argument(metavar="SRC...", help="Folders and files of VirtualMachines, as import writes them.")
    ],
    *,
    nodes: Annotated[
        Path,
        typer.Option(
            "--nodes",
            metavar="FILE",
            help="VirtualMachineNodes, Kubernetes Nodes or both: what `kubectl get vmnode,node -o yaml` prints.",
        ),
    ],
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="FILTER", help="A filter not to ask, such as network.")
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="As if no guest named a node in spec.nodeName.")] = False,
    output: tables.Output = Report.text,
) -> None:
    """Say whether guests would fit on nodes, offline, by the scheduler's own filters; and what is left over.

    Guests are placed one after the other, the largest first, on nodes that are taken to be empty of guests. Affinity,
    taints and topology spread are not looked at. A Kubernetes Node without a VirtualMachineNode is judged by its room.

    \b
    Examples:
      kubectl get vmnode,node -o yaml > nodes.yaml
      virtctl fit guests/ --nodes nodes.yaml --anywhere
      virtctl fit guests/ --nodes nodes.yaml --ignore network --ignore storage -o json
    """
    from analyser import files
    from executor.cli.parallel import each
    from scheduler.filters import FILTERS
    from scheduler.fit import fit as place

    for name in ignore or ():
        if name not in FILTERS:
            raise KubevmmError(f"{name} is no filter", hint=f"they are: {', '.join(FILTERS)}")
    read = [guest for part in each(_guests, list(files.sources(guests)), 0) for guest in part]
    if not read:
        raise KubevmmError("no VirtualMachine to place", hint="SRC is what `virtctl import` wrote")
    if anywhere:
        read = [replace(guest, node="") for guest in read]
    found = _nodes(nodes)
    read.sort(key=lambda guest: (-guest.requests.get("memory", 0), -guest.requests["cpu"], guest.name))
    done = place(read, found, ignored=frozenset(ignore or ()))
    typer.echo(tables.as_json(_json(done)) if output is Report.json else _text(done))
    if done.left:
        raise typer.Exit(1)


def _guests(source: Source) -> list[Guest]:
    """Return the guests in one file."""
    from analyser import documents, files, yamlreader
    from scheduler.demand import demand
    from scheduler.fit import Guest
    from schemas.requests import requests

    out = []
    text = yamlreader.decode(files.read(source), str(source))
    for document in yamlreader.iter_documents(text, file=str(source)):
        for obj in documents.objects(document):
            if obj.get("kind") != "VirtualMachine" or obj.get("apiVersion") != documents.GROUP:
                continue
            metadata, spec = obj.get("metadata") or {}, obj.get("spec") or {}
            name = f"{metadata.get('namespace') or 'default'}/{metadata.get('name')}"
            selector = tuple(sorted((str(k), str(v)) for k, v in (spec.get("nodeSelector") or {}).items()))
            domain = spec.get("domain") or {}
            try:
                out.append(Guest(name, demand(obj), requests(domain), str(spec.get("nodeName") or ""), selector))
            except (TypeError, ValueError, AttributeError):
                raise InputError(
                    f"{name} cannot be understood", file=str(source), hint="`virtctl validate` says what is wrong"
                ) from None
    return out


def _nodes(path: Path) -> list[Node]:
    from analyser import documents, files, yamlreader
    from scheduler.fit import Node
    from scheduler.supply import supply
    from schemas.quantities import in_bytes

    text = yamlreader.decode(files.read(files.Source(path, Path(path.name))), str(path))
    ours: dict[str, dict[str, Any]] = {}
    theirs: dict[str, dict[str, Any]] = {}
    for document in yamlreader.iter_documents(text, file=str(path)):
        for obj in documents.objects(document):
            kept = {"VirtualMachineNode": ours, "Node": theirs}.get(str(obj.get("kind")))
            if kept is not None:
                kept[str((obj.get("metadata") or {}).get("name"))] = obj
    if not ours and not theirs:
        raise InputError("no VirtualMachineNode and no Node", file=str(path), hint="`kubectl get vmnode,node -o yaml`")
    out = []
    for name in sorted(ours.keys() | theirs.keys()):
        node = theirs.get(name) or {}
        room = (node or ours[name]).get("status", {}).get("allocatable") or {}
        allocatable = {key: _cpus(value) if key == "cpu" else in_bytes(value) for key, value in room.items()}
        known = supply(ours[name]) if name in ours else None
        out.append(Node(name, known, allocatable, (node.get("metadata") or {}).get("labels") or {}))
    return out


def _cpus(value: object) -> int:
    """Return whole CPUs: a guest takes no part of one."""
    text = str(value)
    return int(text[:-1]) // 1000 if text.endswith("m") else int(float(text))


def _text(done: Fit) -> str:
    from executor.cli.tables import size, table

    rows = [
        (
            node.name, len(node.guests), f"{node.taken['cpu']} of {node.allocatable.get('cpu', 0)}",
            f"{size(node.taken['memory'])} of {size(node.allocatable.get('memory', 0))}",
        )
        for node in done.nodes
    ]  # fmt: skip
    lines = [table(("NODE", "GUESTS", "CPU", "MEMORY"), rows), ""]
    whole = len(done.placed) + len(done.left)
    lines.append(f"{len(done.placed)} of {whole} guests fit on {len(done.nodes)} nodes")
    alike = Counter(_why(why) for why in done.left.values())
    for why, count in alike.most_common():
        names = [name for name, said in done.left.items() if _why(said) == why]
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        lines += [f"{count} left over: {why}", f"  {', '.join(names[:_LISTED])}{more}"]
    return "\n".join(lines)


def _why(why: Counter[str]) -> str:
    return "; ".join(f"{count} nodes: {text}" for text, count in sorted(why.items(), key=lambda one: (-one[1], one[0])))


def _json(done: Fit) -> dict[str, Any]:
    return {
        "nodes": [
            {"name": node.name, "guests": node.guests, "taken": dict(node.taken), "allocatable": dict(node.allocatable)}
            for node in done.nodes
        ],
        "placed": done.placed,
        "leftOver": {name: dict(why) for name, why in done.left.items()},
    }
