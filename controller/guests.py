"""VirtualMachine: on which node it is, which its owner names; how it runs there is its executor's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controller.resources import GUESTS, MANAGER
from kube.apply import apply_status
from kube.conditions import condition

if TYPE_CHECKING:
    from kube.client import Client
    from kube.controller import Result
    from kube.manager import Manager
    from kube.object import Key, Object

PLACED: Final = "Scheduled"
"""The condition that says whether the guest has a node."""


class GuestReconciler:
    """Reconciles guests in the cache of *manager*."""

    def __init__(self, manager: Manager, client: Client) -> None:
        self._guests = manager.cache(GUESTS)
        self._client = client

    async def reconcile(self, key: Key) -> Result | None:
        """Write the node of the guest *key* where that is not as its spec says."""
        found = self._guests.get(key)
        if found is None or found.deleting:
            return None
        await apply_status(self._client, GUESTS, found, status(found), manager=MANAGER)
        return None


def status(found: Object) -> dict[str, Any]:
    """Return what the controller says in the status of a guest.

    A guest that has a node keeps it while it is there, whatever its spec says by now: nothing moves a guest yet.
    """
    whole = found.decode()
    spec, now = whole.get("spec") or {}, whole.get("status") or {}
    wanted, there = spec.get("nodeName"), now.get("nodeName")
    before = now.get("conditions") or ()
    out: dict[str, Any] = {}
    if there and wanted != there and now.get("created"):
        said = condition(
            before, PLACED, True, "OnAnotherNode", f"it is on {there}, and stays there", generation=found.generation
        )
        out["nodeName"] = there
    elif wanted:
        said = condition(before, PLACED, True, "Named", "", generation=found.generation)
        out["nodeName"] = wanted
    else:
        said = condition(before, PLACED, False, "NoNode", "set spec.nodeName", generation=found.generation)
        out["printableStatus"] = "Scheduling"
    return {**out, "conditions": [said]}
