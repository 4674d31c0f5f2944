"""VirtualMachine: whether its node reports. A guest whose node does not is told of that, and not touched otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controller.resources import GUESTS
from kube.apply import apply_status
from kube.conditions import condition, find

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.fleet import Fleet
    from kube.client import Client
    from kube.controller import Result
    from kube.manager import Manager
    from kube.object import Key, Object
    from kube.store import Delta

NODE_READY: Final = "NodeReady"
"""The condition of a guest whose node does not report; the others have none, so that a fleet is not written to."""

MANAGER: Final = "kubevmm-controller-nodes"
"""The field manager of this condition."""

BY_NODE: Final = "node"


class StrandedReconciler:
    """Reconciles guests in the cache of *manager*."""

    def __init__(self, manager: Manager, client: Client, fleet: Fleet) -> None:
        self._guests = manager.cache(GUESTS)
        self._client = client
        self._fleet = fleet
        self._guests.add_index(BY_NODE, _node_of)

    def of_node(self, node: Object) -> Iterable[Key]:
        """Map a node to its guests."""
        return [found.key for found in self._guests.by(BY_NODE, node.key.name)]

    async def reconcile(self, key: Key) -> Result | None:
        """Say of the guest *key* that its node does not report, or take that back."""
        found = self._guests.get(key)
        if found is None:
            return None
        before = (found.decode().get("status") or {}).get("conditions") or ()
        name = next(iter(_node_of(found)), "")
        node = self._fleet.get(name) if name else None
        if node is not None and not node.ready:
            message = f"the executor of {name} does not report: what is said of the guest is how it was last"
            said = condition(before, NODE_READY, None, "NodeNotReady", message, generation=found.generation)
            await apply_status(self._client, GUESTS, found, {"conditions": [said]}, manager=MANAGER)
        elif find(before, NODE_READY) is not None:
            await apply_status(self._client, GUESTS, found, {}, manager=MANAGER)
        return None


def changes_node(delta: Delta) -> bool:
    """Pass guests that come, or are on another node."""
    return delta.new is not None and (delta.old is None or list(_node_of(delta.old)) != list(_node_of(delta.new)))


def _node_of(guest: Object) -> Iterable[str]:
    name = (guest.decode().get("status") or {}).get("nodeName")
    return [name] if name else []
