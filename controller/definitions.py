"""VirtualMachineNetwork and VirtualMachineStoragePool: which nodes should have one, and how it stands there.

The controller says in ``status.nodes`` which nodes should have it, each executor how it is on its own; what a node has
is taken away where the controller says that in so many words, never for want of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from controller import spread
from controller.fleet import fits
from controller.resources import MANAGER, POOLS
from kube import finalizers
from kube.apply import apply_status
from schemas.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.fleet import Fleet
    from kube.client import Client
    from kube.controller import Result
    from kube.manager import Manager
    from kube.object import Key, Object
    from kube.recorder import Recorder
    from kube.resource import Resource

SHARED: Final = frozenset({"netfs", "iscsi", "iscsi-direct", "rbd", "gluster", "sheepdog", "vstorage"})
"""Types of pools whose data all nodes see."""


def is_shared(pool: Mapping[str, Any]) -> bool:
    """Say whether all nodes see the same data in the VirtualMachineStoragePool *pool*.

    >>> is_shared({"spec": {"pool": {"type": "rbd"}}}), is_shared({"spec": {"pool": {"type": "dir"}, "shared": True}})
    (True, True)
    """
    spec = pool.get("spec") or {}
    said = spec.get("shared")
    return bool(said) if said is not None else (spec.get("pool") or {}).get("type") in SHARED


@dataclass
class Gathered:
    """How an object stands on its nodes: what the controller writes of each, and what it makes of all."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    desired: int = 0
    ready: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


class DefinitionReconciler:
    """Reconciles the networks or pools, which *resource* says, in the cache of *manager*."""

    def __init__(self, manager: Manager, client: Client, resource: Resource, fleet: Fleet, recorder: Recorder) -> None:
        self._objects = manager.cache(resource)
        self._client = client
        self._resource = resource
        self._fleet = fleet
        self._recorder = recorder

    def every(self, _: Object) -> list[Key]:
        """Map whatever it is to all objects: any of them may be for that node."""
        return [found.key for found in self._objects]

    async def reconcile(self, key: Key) -> Result | None:
        """Say which nodes should have the object *key*, and gather how it stands there."""
        found = self._objects.get(key)
        if found is None:
            return None
        if found.deleting:
            await self._leave(found)
            return None
        # First this: what a node makes must not be forgotten.
        found = await finalizers.add(self._client, self._resource, found, spread.FINALIZER)
        whole = found.decode()
        status = whole.get("status") or {}
        before = status.get("conditions") or ()
        all_of = await self._gather(found, whole)
        nothing = "" if all_of.desired else "no node is as nodeNames and nodeSelector ask"
        said = spread.ready(found, before, all_of.failed, all_of.pending, nothing)
        out = {
            "observedGeneration": found.generation,
            "nodesDesired": all_of.desired,
            "nodesReady": len(all_of.ready),
            "conditions": [said],
            **({"nodes": all_of.entries} if all_of.entries else {}),
            **(room(whole, all_of) if self._resource == POOLS else {}),
        }
        spread.tell(self._recorder, self._resource, found, before, said)
        # A choice by an old cache would be another than the one that was made, or is made again, by a newer one.
        chooses = out.get("executorNode") != status.get("executorNode")
        await apply_status(self._client, self._resource, found, out, manager=MANAGER, exactly=chooses)
        return None

    async def _gather(self, found: Object, whole: Mapping[str, Any]) -> Gathered:
        spec = whole.get("spec") or {}
        there = {each["nodeName"]: each for each in (whole.get("status") or {}).get("nodes") or ()}
        names = spec.get("nodeNames") or []
        out = Gathered()
        for name in sorted({*there, *names, *(each.name for each in self._fleet.all())}):
            entry, node = there.get(name, {}), self._fleet.get(name)
            if node is None:
                if name in names:
                    out.desired += 1
                    out.failed.append(f"{name}: there is no such node")
                elif spread.claimed(entry) and self._fleet.gone(name):
                    await spread.forget(self._client, self._resource, found, name)
                elif "desired" in entry:
                    # It lives, and what it is will be known when it reports.
                    out.entries.append({"nodeName": name, "desired": entry["desired"]})
            elif (not names or name in names) and fits(node.labels, spec):
                out.desired += 1
                out.entries.append({"nodeName": name, "desired": True})
                judge(out, found.generation, spec, entry, name, reports=node.ready)
            elif spread.claimed(entry):
                out.entries.append({"nodeName": name, "desired": False})
        return out

    async def _leave(self, found: Object) -> None:
        """Let *found* go when no node has anything of it any more; until then, say which do."""
        if spread.FINALIZER not in found.finalizers:
            return
        status = found.decode().get("status") or {}
        left = []
        for entry in status.get("nodes") or ():
            name = entry["nodeName"]
            if not spread.claimed(entry):
                continue
            if self._fleet.gone(name):
                await spread.forget(self._client, self._resource, found, name)
                continue
            left.append(spread.why(name, entry, self._fleet))
        if not left:
            await finalizers.remove(self._client, self._resource, found, spread.FINALIZER)
            return
        before = status.get("conditions") or ()
        said = spread.leaving(found, before, left)
        spread.tell(self._recorder, self._resource, found, before, said)
        await apply_status(self._client, self._resource, found, {"conditions": [said]}, manager=MANAGER)


def judge(
    out: Gathered, generation: int, spec: Mapping[str, Any], entry: Mapping[str, Any], name: str, *, reports: bool
) -> None:
    """Put the node *name*, whose executor wrote *entry*, where it belongs in *out*."""
    state = entry.get("state")
    if not reports:
        out.failed.append(f"{name}: its executor does not report")
    elif state == "Failed":
        out.failed.append(f"{name}: {entry.get('message') or state}")
    elif state in (None, "Pending") or (entry.get("observedGeneration") or 0) < generation:
        out.pending.append(f"{name}: not done yet")
    elif state == "Active" or spec.get("active") is False:
        out.ready.append(name)
    else:
        out.failed.append(f"{name}: {entry.get('message') or state}")


def room(pool: Mapping[str, Any], all_of: Gathered) -> dict[str, Any]:
    """Return what is said of a pool alone: how large it is, and which node does what is done once."""
    status = pool.get("status") or {}
    shared = is_shared(pool)
    out: dict[str, Any] = {}
    if shared:
        now = status.get("executorNode")
        # It stays with one that has it: what that made, it knows.
        node = now if now in all_of.ready or not all_of.ready else all_of.ready[0]
        if node:
            out["executorNode"] = node
    there = {each["nodeName"]: each for each in status.get("nodes") or ()}
    sizes = [there[name] for name in all_of.ready if name in there]
    for key in ("capacity", "available"):
        known = [in_bytes(each[key]) for each in sizes if each.get(key)]
        if known:
            out[key] = quantity(max(known) if shared else sum(known))
    return out


def quantity(number: int) -> str:
    """Return bytes as the largest exact binary quantity.

    >>> quantity(3 << 30), quantity(1000), quantity(0)
    ('3Gi', '1000', '0')
    """
    for place, unit in enumerate(("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")):
        factor = 1 << 10 * (6 - place)
        if number and number % factor == 0:
            return f"{number // factor}{unit}"
    return str(number)
