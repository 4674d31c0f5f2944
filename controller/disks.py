"""VirtualMachineDisk: which node has its volume, or, in a pool that all nodes share, whose executor makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from controller.definitions import is_shared
from controller.fleet import fits
from controller.resources import DISKS, GUESTS, MANAGER, POOLS, SNAPSHOTS
from kube import finalizers
from kube.apply import apply_status
from kube.conditions import condition
from kube.object import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.fleet import Fleet
    from kube.client import Client
    from kube.controller import Result
    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta

BOUND: Final = "Bound"
"""The condition that says whether it is known which node has the volume, or that none does."""

TAKEN: Final = "kubevmm.io/executor"
"""The finalizer of an executor that has made something of the disk, or is about to."""

BY_POOL: Final = "pool"
BY_IMAGE: Final = "image"
BY_DISK: Final = "disk"
BY_NODE: Final = "node"


@dataclass(frozen=True)
class Binding:
    """Where a disk is: on a ``node``, or in a pool that nodes share, looked after by an ``executor``; or why not."""

    reason: str
    message: str = ""
    node: str = ""
    executor: str = ""


@dataclass(frozen=True)
class Around:
    """What a disk's binding depends on: its pool, the nodes of the guests that have it, that of what it is made from.

    ``labels`` are those of the pool's nodes, ``origin`` is empty where it is made from nothing on a certain node.
    """

    pool: Mapping[str, Any] | None
    users: tuple[str, ...] = ()
    origin: str = ""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class DiskReconciler:
    """Reconciles disks in the cache of *manager*."""

    def __init__(self, manager: Manager, client: Client, fleet: Fleet) -> None:
        self._disks = manager.cache(DISKS)
        self._pools = manager.cache(POOLS)
        self._guests = manager.cache(GUESTS)
        self._snapshots = manager.cache(SNAPSHOTS)
        self._client = client
        self._fleet = fleet
        self._disks.add_index(BY_POOL, _pool_of)
        self._disks.add_index(BY_NODE, node_of)
        self._disks.add_index(BY_IMAGE, image_of)
        self._guests.add_index(BY_DISK, disks_of)

    def of_pool(self, pool: Object) -> Iterable[Key]:
        """Map a pool to the disks in it."""
        return [found.key for found in self._disks.by(BY_POOL, str(pool.key))]

    def of_guest(self, guest: Object) -> Iterable[Key]:
        """Map a guest to its disks."""
        return [_key(word) for word in disks_of(guest)]

    def of_node(self, node: Object) -> Iterable[Key]:
        """Map a node to the disks on it."""
        return [found.key for found in self._disks.by(BY_NODE, node.key.name)]

    async def reconcile(self, key: Key) -> Result | None:
        """Write where the disk *key* is."""
        found = self._disks.get(key)
        if found is None:
            return None
        disk = found.decode()
        status = disk.get("status") or {}
        if found.deleting:
            await self._leave(found, status)
            return None
        users = self._guests.by(BY_DISK, str(key))
        where = bind(disk, self._around(disk, key, users), taken=TAKEN in found.finalizers)
        bound = bool(where.node or where.executor)
        said = condition(
            status.get("conditions") or (), BOUND, bound, where.reason, where.message, generation=found.generation
        )
        out: dict[str, Any] = {"conditions": [said]}
        if bound:
            out["nodeName" if where.node else "executorNode"] = where.node or where.executor
        else:
            out["phase"] = "Pending"
        if users:
            out["usedBy"] = [{"kind": "VirtualMachine", "name": each.key.name} for each in users]
        moves = any(status.get(name) and status[name] != out.get(name) for name in ("nodeName", "executorNode"))
        # Of an executor that begins with it and a controller that moves it, one is too late.
        await apply_status(self._client, DISKS, found, out, manager=MANAGER, exactly=moves)
        return None

    async def _leave(self, found: Object, status: Mapping[str, Any]) -> None:
        """Say whom the deletion waits for; for a node that somebody took away for good it does not."""
        node = status.get("nodeName") or status.get("executorNode") or ""
        if TAKEN not in found.finalizers or not node:
            return
        await leave(self._client, self._fleet, found, node)

    def _around(self, disk: Mapping[str, Any], key: Key, users: Iterable[Object]) -> Around:
        word = next(iter(_pools(disk, key.namespace)), "")
        pool = self._pools.get(_key(word)) if word else None
        if pool is None:
            return Around(None)
        whole = pool.decode()
        there = {each["nodeName"] for each in (whole.get("status") or {}).get("nodes") or () if each.get("desired")}
        nodes = {name: node.labels for name in sorted(there) if (node := self._fleet.get(name)) is not None}
        using = tuple(dict.fromkeys(name for each in users for name in [_guests_node(each)] if name))
        return Around(whole, using, self._origin(disk, key), nodes)

    def _origin(self, disk: Mapping[str, Any], key: Key) -> str:
        source = (disk.get("spec") or {}).get("source") or {}
        for name, store in (("diskRef", self._disks), ("snapshotRef", self._snapshots)):
            if name in source:
                found = store.get(Key(key.namespace, source[name]["name"]))
                status = (found.decode().get("status") or {}) if found is not None else {}
                return str(status.get("nodeName") or "")
        return ""


def bind(disk: Mapping[str, Any], around: Around, *, taken: bool) -> Binding:
    """Return where *disk* is to be; one that an executor has *taken* stays where it is."""
    spec, status = disk.get("spec") or {}, disk.get("status") or {}
    now, wanted = status.get("nodeName") or "", spec.get("nodeName") or ""
    if taken and now:
        elsewhere = f"it is on {now}, and stays there" if wanted and wanted != now else ""
        return Binding("OnAnotherNode" if elsewhere else "Bound", elsewhere, node=now)
    if around.pool is None:
        name = (spec.get("poolRef") or {}).get("name")
        return Binding("PoolNotFound", f"there is no VirtualMachineStoragePool {name}" if name else "set spec.poolRef")
    if is_shared(around.pool):
        executor = (around.pool.get("status") or {}).get("executorNode") or ""
        if not executor:
            return Binding("PoolNotReady", "no node has its pool yet")
        return Binding("SharedPool", "all nodes of its pool can use it", executor=executor)
    fitting = [name for name, labels in around.labels.items() if fits(labels, spec)]
    return _choose(wanted, now, around, fitting)


def _choose(wanted: str, now: str, around: Around, fitting: list[str]) -> Binding:
    """Return the node of a disk in a pool whose data differs from node to node; *fitting* have the pool."""
    asked = [
        ("its spec", wanted),
        ("what it is made from", around.origin),
        *(("a guest that has it", each) for each in around.users[:1]),
    ]
    for who, node in asked:
        if node and node not in fitting:
            return Binding("PoolNotOnNode", f"{who} is for {node}, which does not have the pool for it")
        if node:
            return Binding(
                "Named" if node == wanted else "FollowsGuest" if who.endswith("has it") else "Bound", node=node
            )
    if now in fitting:
        return Binding("Bound", node=now)
    if len(fitting) == 1:
        return Binding("Bound", node=fitting[0])
    if not fitting:
        return Binding("NoNode", "no node that nodeSelector fits has its pool")
    return Binding("WaitsForGuest", "several nodes have its pool: a guest that uses it, or spec.nodeName, says which")


async def leave(client: Client, fleet: Fleet, found: Object, node: str) -> None:
    """Let *found*, a disk that is deleted, go where *node* is gone for good; say so where that only does not report."""
    if fleet.gone(node):
        await finalizers.remove(client, DISKS, found, TAKEN)
        return
    there = fleet.get(node)
    before = (found.decode().get("status") or {}).get("conditions") or ()
    if there is not None and there.ready:
        said = condition(before, BOUND, True, "Bound", "", generation=found.generation)
    else:
        message = (
            f"the executor of {node} does not report; if it never comes back, delete the VirtualMachineNode {node}, "
            "and the volume stays there"
        )
        said = condition(before, BOUND, True, "NodeNotReady", message, generation=found.generation)
    status = found.decode().get("status") or {}
    key = "nodeName" if status.get("nodeName") else "executorNode"
    await apply_status(client, DISKS, found, {key: node, "conditions": [said]}, manager=MANAGER)


def moves_guest(delta: Delta) -> bool:
    """Pass guests that come, go, have other disks, or are on another node."""
    old, new = delta.old, delta.new
    if old is None or new is None:
        return True
    return old.generation != new.generation or list(node_of(old)) != list(node_of(new))


def moves_disk(delta: Delta) -> bool:
    """Pass disks that come, go, are to be otherwise, or are on another node."""
    old, new = delta.old, delta.new
    if old is None or new is None:
        return True
    return old.generation != new.generation or list(node_of(old)) != list(node_of(new))


def disks_of(guest: Object) -> Iterable[str]:
    """Index guests by their disks, ``namespace/name`` each."""
    domain = (guest.decode().get("spec") or {}).get("domain") or {}
    for disk in (domain.get("devices") or {}).get("disks") or ():
        name = ((disk.get("source") or {}).get("diskRef") or {}).get("name")
        if name:
            yield f"{guest.key.namespace}/{name}"


def node_of(found: Object) -> Iterable[str]:
    """Index disks, snapshots and guests by their node."""
    status = found.decode().get("status") or {}
    return [name for name in (status.get("nodeName"), status.get("executorNode")) if name]


def image_of(disk: Object) -> Iterable[str]:
    """Index disks by the image that they are made from, ``namespace/name``."""
    image = ((disk.decode().get("spec") or {}).get("source") or {}).get("imageRef")
    return [f"{image.get('namespace') or disk.key.namespace}/{image['name']}"] if image else []


def _pool_of(disk: Object) -> Iterable[str]:
    return _pools(disk.decode(), disk.key.namespace)


def _pools(disk: Mapping[str, Any], namespace: str) -> Iterable[str]:
    reference = (disk.get("spec") or {}).get("poolRef")
    return [f"{reference.get('namespace') or namespace}/{reference['name']}"] if reference else []


def _guests_node(guest: Object) -> str:
    whole = guest.decode()
    return str((whole.get("status") or {}).get("nodeName") or (whole.get("spec") or {}).get("nodeName") or "")


def _key(word: str) -> Key:
    namespace, _, name = word.rpartition("/")
    return Key(namespace, name)
