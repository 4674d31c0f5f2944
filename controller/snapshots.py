"""VirtualMachineSnapshot: on which node it is taken, which is that of its guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controller.disks import BOUND, BY_NODE, TAKEN, node_of
from controller.resources import GUESTS, MANAGER, SNAPSHOTS
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

BY_GUEST: Final = "guest"


class SnapshotReconciler:
    """Reconciles snapshots in the cache of *manager*."""

    def __init__(self, manager: Manager, client: Client, fleet: Fleet) -> None:
        self._snapshots = manager.cache(SNAPSHOTS)
        self._guests = manager.cache(GUESTS)
        self._client = client
        self._fleet = fleet
        self._snapshots.add_index(BY_GUEST, _guest_of)
        self._snapshots.add_index(BY_NODE, node_of)

    def of_guest(self, guest: Object) -> Iterable[Key]:
        """Map a guest to its snapshots."""
        return [found.key for found in self._snapshots.by(BY_GUEST, str(guest.key))]

    def of_node(self, node: Object) -> Iterable[Key]:
        """Map a node to the snapshots on it."""
        return [found.key for found in self._snapshots.by(BY_NODE, node.key.name)]

    async def reconcile(self, key: Key) -> Result | None:
        """Write on which node the snapshot *key* is."""
        found = self._snapshots.get(key)
        if found is None:
            return None
        snapshot = found.decode()
        status = snapshot.get("status") or {}
        node = status.get("nodeName") or ""
        if found.deleting:
            if node and TAKEN in found.finalizers and self._fleet.gone(node):
                await finalizers.remove(self._client, SNAPSHOTS, found, TAKEN)
            return None
        name = ((snapshot.get("spec") or {}).get("virtualMachineRef") or {}).get("name")
        guest = self._guests.get(Key(key.namespace, name)) if name else None
        its = str((guest.decode().get("status") or {}).get("nodeName") or "") if guest is not None else ""
        out = said(found, status.get("conditions") or (), guest=guest is not None, node=its or node)
        await apply_status(self._client, SNAPSHOTS, found, out, manager=MANAGER)
        return None


def said(found: Object, before: Iterable[Mapping[str, Any]], *, guest: bool, node: str) -> dict[str, Any]:
    """Return what the controller says of the snapshot *found*, whose guest is there or not, and is on *node*."""
    if node:
        where = condition(before, BOUND, True, "FollowsGuest", "", generation=found.generation)
        return {"nodeName": node, "conditions": [where]}
    reason, message = ("NoNode", "its guest has no node yet") if guest else ("GuestNotFound", "its guest is not there")
    where = condition(before, BOUND, False, reason, message, generation=found.generation)
    return {"phase": "Pending", "conditions": [where]}


def _guest_of(snapshot: Object) -> Iterable[str]:
    name = ((snapshot.decode().get("spec") or {}).get("virtualMachineRef") or {}).get("name")
    return [f"{snapshot.key.namespace}/{name}"] if name else []
