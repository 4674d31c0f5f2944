"""VirtualMachineImage: which nodes bring it into which pools, and how far all of them are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from controller import spread
from controller.definitions import is_shared
from controller.disks import BY_IMAGE
from controller.fleet import fits
from controller.resources import DISKS, IMAGES, MANAGER, POOLS
from kube import finalizers
from kube.apply import apply_status
from kube.conditions import condition
from kube.object import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from controller.fleet import Fleet
    from kube.client import Client
    from kube.controller import Result
    from kube.manager import Manager
    from kube.object import Object
    from kube.recorder import Recorder

_FACTS = ("format", "size", "virtualSize", "checksum")


@dataclass
class Copies:
    """Where an image is to be, by name of the pool and node; and why it cannot be brought to others."""

    wanted: set[tuple[str, str]] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)


class ImageReconciler:
    """Reconciles images in the cache of *manager*."""

    def __init__(self, manager: Manager, client: Client, fleet: Fleet, recorder: Recorder) -> None:
        self._images = manager.cache(IMAGES)
        self._disks = manager.cache(DISKS)
        self._pools = manager.cache(POOLS)
        self._client = client
        self._fleet = fleet
        self._recorder = recorder

    def every(self, _: Object) -> list[Key]:
        """Map whatever it is to all images: there are few."""
        return [found.key for found in self._images]

    async def reconcile(self, key: Key) -> Result | None:
        """Say where the image *key* is to be, and gather how far it is."""
        found = self._images.get(key)
        if found is None:
            return None
        if found.deleting:
            await self._leave(found)
            return None
        # First this: what a node makes must not be forgotten.
        found = await finalizers.add(self._client, IMAGES, found, spread.FINALIZER)
        image = found.decode()
        status = image.get("status") or {}
        there = {(each["pool"], each["nodeName"]): each for each in status.get("copies") or ()}
        copies = self._copies(image, key)
        for name in {node for pool, node in there if (pool, node) not in copies.wanted and self._fleet.gone(node)}:
            await spread.forget(self._client, IMAGES, found, name)
        out = gather(found, image, copies, self._fleet)
        if copies.wanted:
            out["copies"] = [{"pool": pool, "nodeName": node, "desired": True} for pool, node in sorted(copies.wanted)]
        spread.tell(self._recorder, IMAGES, found, status.get("conditions") or (), out["conditions"][0])
        await apply_status(self._client, IMAGES, found, out, manager=MANAGER)
        return None

    def _copies(self, image: Mapping[str, Any], key: Key) -> Copies:
        spec = image.get("spec") or {}
        copies = (image.get("status") or {}).get("copies") or ()
        out = Copies()
        references = [(each, key.namespace, "") for each in spec.get("poolRefs") or ()]
        if not references:
            for disk in self._disks.by(BY_IMAGE, str(key)):
                whole = disk.decode()
                status = whole.get("status") or {}
                node = status.get("nodeName") or status.get("executorNode")
                if node and (whole.get("spec") or {}).get("poolRef"):
                    references.append((whole["spec"]["poolRef"], disk.key.namespace, node))
        for reference, namespace, node in references:
            where = Key(reference.get("namespace") or namespace, reference["name"])
            name = where.name if where.namespace == key.namespace else str(where)
            pool = self._pools.get(where)
            if pool is None:
                out.failed.append(f"{name}: there is no such pool")
            else:
                there = [each for each in copies if each["pool"] == name]
                nodes = self._nodes(pool, spec, there) if not node or is_shared(pool.decode()) else [node]
                out.wanted |= {(name, each) for each in nodes}
        return out

    def _nodes(self, pool: Object, spec: Mapping[str, Any], there: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the nodes that are to bring it into *pool*; *there* is how it stands in that."""
        whole = pool.decode()
        status = whole.get("status") or {}
        if is_shared(whole):
            name = bringer(there, status.get("executorNode") or "", self._reports)
            return [name] if name else []
        names = [each["nodeName"] for each in status.get("nodes") or () if each.get("desired")]
        return [name for name in names if (node := self._fleet.get(name)) is not None and fits(node.labels, spec)]

    def _reports(self, name: str) -> bool:
        node = self._fleet.get(name)
        return node is not None and node.ready

    async def _leave(self, found: Object) -> None:
        if spread.FINALIZER not in found.finalizers:
            return
        status = found.decode().get("status") or {}
        left: dict[str, str] = {}
        for each in status.get("copies") or ():
            name = each["nodeName"]
            if not spread.claimed(each):
                continue
            if self._fleet.gone(name):
                await spread.forget(self._client, IMAGES, found, name)
            else:
                left[name] = spread.why(name, each, self._fleet)
        if not left:
            await finalizers.remove(self._client, IMAGES, found, spread.FINALIZER)
            return
        before = status.get("conditions") or ()
        said = spread.leaving(found, before, list(left.values()))
        spread.tell(self._recorder, IMAGES, found, before, said)
        out = {"phase": "Terminating", "conditions": [said]}
        await apply_status(self._client, IMAGES, found, out, manager=MANAGER)


def bringer(there: Iterable[Mapping[str, Any]], executor: str, reports: Callable[[str], bool]) -> str:
    """Return the node that is to bring an image into a shared pool, where it is to be once; empty for none.

    *there* are the pool's copies, *executor* takes care of the pool. It stays with whom it was given to, as long as
    that *reports*; what is whole stays, whoever brought it; where a node is down that had only begun, another does it.
    """
    given = [each["nodeName"] for each in there if each.get("desired")]
    whole = [each["nodeName"] for each in there if each.get("state") == "Ready"]
    begun = [each["nodeName"] for each in there if spread.claimed(each)]
    order = [*filter(reports, given), *whole, *filter(reports, [*begun, executor]), *given, *begun, executor]
    return next(filter(None, order), "")


def gather(found: Object, image: Mapping[str, Any], copies: Copies, fleet: Fleet) -> dict[str, Any]:
    """Return what all copies of *image* come to."""
    status = image.get("status") or {}
    there = {(each["pool"], each["nodeName"]): each for each in status.get("copies") or ()}
    failed, pending, moving = list(copies.failed), [], False
    facts: list[Mapping[str, Any]] = []
    for pool, name in sorted(copies.wanted):
        copy, node = there.get((pool, name), {}), fleet.get(name)
        state = copy.get("state")
        if state == "Ready":
            facts.append(copy)
        elif node is None or not node.ready:
            failed.append(f"{name}: its executor does not report")
        elif state == "Failed":
            failed.append(f"{name}: {copy.get('message') or state}")
        else:
            moving = moving or state in ("Downloading", "Converting")
            percent = f" {copy['progressPercent']} %" if "progressPercent" in copy else ""
            pending.append(f"{name}: {copy.get('message') or (state or 'Pending') + percent}")
    before = status.get("conditions") or ()
    nothing = "" if copies.wanted else "no pool of a node needs it yet; spec.poolRefs says which are to have it"
    said = spread.ready(found, before, failed, pending, nothing)
    if said["status"] == "True" and len({each.get("checksum") for each in facts}) > 1:
        message = "what nodes got from its source is not the same: give spec.checksum"
        said = condition(before, spread.READY, False, "CopiesDiffer", message, generation=found.generation)
    phase = "Ready" if said["status"] == "True" else "Failed" if failed else "Downloading" if moving else "Pending"
    out: dict[str, Any] = {"observedGeneration": found.generation, "phase": phase, "conditions": [said]}
    return out | _facts(facts)


def _facts(copies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is known of the image, by its copies that are ready."""
    out: dict[str, Any] = {}
    for each in copies:
        out = {name: each[name] for name in _FACTS if each.get(name)} | out
        if each.get("completionTime"):
            out["completionTime"] = max(out.get("completionTime", ""), each["completionTime"])
    return out
