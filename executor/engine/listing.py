"""What is on the node, as objects: those applied to it, with their status; and what is not managed, if asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analyser.names import GROUP
from executor.engine import noted, runs, state, store
from executor.engine.nodename import node_name
from executor.engine.objects import labels_of, selected
from executor.engine.status import status
from executor.hypervisor.errors import LibvirtError, NotFound, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.networks import Network
    from executor.hypervisor.pools import Pool


@dataclass(frozen=True)
class Query:
    """Which objects are asked for; ``namespace`` None for all of them, ``names`` empty for all."""

    kind: str
    namespace: str | None = None
    names: tuple[str, ...] = ()
    selector: str = ""
    unmanaged: bool = False
    detail: bool = False
    brief: bool = False
    """Whether of specs only what tables show is asked for."""


@dataclass
class Found:
    """The objects, and how many of the kind are not managed and were left out."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    unmanaged: int = 0


def listing(hypervisor: Hypervisor, query: Query) -> Found:
    """Return what *query* asks for, in the order of namespaces and names."""
    source = {"VirtualMachine": _guests, "VirtualMachineNode": _nodes}.get(query.kind, _others)
    out = Found()
    for obj, managed in source(hypervisor, query):
        metadata = obj["metadata"]
        if not managed and not query.unmanaged:
            out.unmanaged += 1
        elif (
            (not query.names or metadata["name"] in query.names)
            and (not managed or query.namespace in (None, metadata.get("namespace")) or query.kind.endswith("Node"))
            and selected(labels_of(obj), query.selector)
        ):
            out.objects.append(obj)
    out.objects.sort(key=lambda obj: (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))
    return out


def _guests(hypervisor: Hypervisor, query: Query) -> Iterator[tuple[dict[str, Any], bool]]:
    node = node_name(hypervisor)
    said, remembered = noted.every(hypervisor), runs.known(hypervisor)
    for guest, summary in store.guests(hypervisor, statistics=query.detail, brief=query.brief):
        managed = guest.mark is not None
        if managed:
            obj = {**(guest.object if query.brief else _as_written(guest.object)), "status": {}}
            obj.setdefault("apiVersion", GROUP)
            obj.setdefault("kind", query.kind)
            metadata = {**(obj.get("metadata") or {}), "name": guest.ref.name, "namespace": guest.ref.namespace}
            obj["metadata"] = {**metadata, "uid": guest.domain.uuid}
        else:
            metadata = {"name": guest.domain.name, "uid": guest.domain.uuid}
            obj = {"apiVersion": GROUP, "kind": query.kind, "metadata": metadata, "spec": {}}
        wanted = not query.names or metadata["name"] in query.names
        if wanted and (managed or query.unmanaged):
            try:
                run = runs.load(hypervisor, guest.domain.uuid) if guest.domain.uuid in remembered else None
                obj["status"] = status(guest, summary, node=node, detail=query.detail, run=run)
            except NotFound:
                continue
            obj["status"]["conditions"] += (said.pop(guest.ref, None) or {}).get("conditions", [])
        yield obj, managed
    for ref, left in said.items():
        if ref.kind == query.kind and left.get("created") is False:
            # An agent tries to make it, and has not come so far.
            metadata = {"name": ref.name, "namespace": ref.namespace}
            yield {"apiVersion": GROUP, "kind": ref.kind, "metadata": metadata, "spec": {}, "status": left}, True


def _as_written(obj: dict[str, Any]) -> dict[str, Any]:
    # Printing an object costs less than a walk through it.
    text = json.dumps(obj)
    if not any(key in text for key in ('"networkRef"', '"diskRef"', '"cloudInit"')):
        return obj
    from executor.engine.resolve import as_written  # noqa: PLC0415  (what lists guests needs none of it)

    return as_written(obj)


def _others(hypervisor: Hypervisor, query: Query) -> Iterator[tuple[dict[str, Any], bool]]:
    from executor.engine import definitions, snapshotlist, stored  # noqa: PLC0415  (guests' lists need none of it)

    if query.kind in definitions.KINDS:
        yield from _definitions(hypervisor, query)
    elif query.kind in stored.KINDS:
        yield from stored.objects(hypervisor, query.kind, detail=query.detail, unmanaged=query.unmanaged)
    elif query.kind == "VirtualMachineSnapshot":
        yield from snapshotlist.objects(hypervisor, unmanaged=query.unmanaged)


def _definitions(hypervisor: Hypervisor, query: Query) -> Iterator[tuple[dict[str, Any], bool]]:
    from executor.engine import definitions  # noqa: PLC0415  (what lists guests needs none of it)

    try:
        found: list[Network] | list[Pool] = definitions.all_of(hypervisor, query.kind).all()
    except Unsupported:
        return
    for each in found:
        kept = state.load(hypervisor, query.kind, each.uuid)
        obj: dict[str, Any] = (
            dict(kept.object) if kept is not None else {"apiVersion": GROUP, "kind": query.kind, "spec": {}}
        )
        obj["metadata"] = {**(obj.get("metadata") or {"name": each.name}), "uid": each.uuid}
        active = each.active
        obj["status"] = {
            "state": "Active" if active else "Inactive",
            "autostart": each.autostart,
            "nodes": [{"nodeName": node_name(hypervisor), "state": "Active" if active else "Inactive"}],
            "conditions": [{"type": "Ready", "status": "True" if active else "False"}],
            **_more(each, active),
        }
        yield obj, kept is not None


def _more(each: Network | Pool, active: bool) -> dict[str, Any]:
    if not active:
        return {}
    try:
        if hasattr(each, "bridge"):
            return {"bridge": each.bridge()}
        info = each.info()
    except LibvirtError:
        return {}
    return {"capacity": _gib(info.capacity), "available": _gib(info.available)}


def _gib(number: int) -> str:
    return f"{number >> 30}Gi" if number >> 30 else f"{number >> 20}Mi"


def _nodes(hypervisor: Hypervisor, query: Query) -> Iterator[tuple[dict[str, Any], bool]]:
    from executor.engine.nodes import node  # noqa: PLC0415  (what lists guests needs none of it)

    yield node(hypervisor, detail=query.detail), True


__all__ = ["Found", "Query", "listing", "node_name"]
