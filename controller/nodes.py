"""VirtualMachineNode: whether its executor lives, by its Lease; and the labels of the Kubernetes Node of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from controller.liveness import node_of
from controller.resources import MACHINES, MANAGER, NODES
from kube.apply import apply, apply_status
from kube.conditions import condition, find
from kube.controller import Result
from kube.object import Key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.liveness import Liveness
    from kube.client import Client
    from kube.manager import Manager
    from kube.object import Object
    from kube.recorder import Recorder
    from kube.store import Delta

READY: Final = "Ready"
SLACK: Final = 0.2
"""Seconds after a Lease has run out, so that it has when it is looked at."""


class NodeReconciler:
    """Reconciles nodes in the cache of *manager*; *recorder* writes events."""

    def __init__(self, manager: Manager, client: Client, liveness: Liveness, recorder: Recorder) -> None:
        self._nodes = manager.cache(NODES)
        self._machines = manager.cache(MACHINES)
        self._client = client
        self._liveness = liveness
        self._recorder = recorder
        self._alive: set[str] = set()

    async def reconcile(self, key: Key) -> Result | None:
        """Write whether the node *key* is ready, and look again when its Lease runs out."""
        found = self._nodes.get(key)
        if found is None or found.deleting:
            self._alive.discard(key.name)
            return None
        before = (found.decode().get("status") or {}).get("conditions") or ()
        left = self._liveness.left(key.name)
        said = self._ready(found, before, left)
        old = find(before, READY)
        if old is not None and old.get("status") != said["status"]:
            kind: Literal["Normal", "Warning"] = "Normal" if said["status"] == "True" else "Warning"
            note = said["message"] or f"{key.name} reports again"
            self._recorder.event(NODES, found, said["reason"], note, action="Watch", type=kind)
        machine = self._machines.get(key)
        if machine is not None and machine.labels:
            # They stay when the Node goes: that says nothing of what the machine is.
            wanted = {"metadata": {"name": key.name, "labels": machine.labels}}
            found = (await apply(self._client, NODES, wanted, manager=MANAGER, current=found)).object
        await apply_status(self._client, NODES, found, {"conditions": [said]}, manager=MANAGER)
        if left is None or left <= 0:
            self._alive.discard(key.name)
            return None
        self._alive.add(key.name)
        return Result(requeue_after=left + SLACK)

    def renewed(self, lease: Object) -> Iterable[Key]:
        """Map a Lease to its node where that does not count as alive: the others are looked at in time anyhow."""
        name = node_of(lease)
        return [Key("", name)] if name is not None and name not in self._alive else []

    def _ready(self, found: Object, before: Iterable[Any], left: float | None) -> dict[str, Any]:
        name = found.key.name
        if left is not None and left > 0:
            return condition(before, READY, True, "Reporting", "", generation=found.generation)
        if left is None:
            reason, message = "NoLease", "its executor has no Lease: it was not started yet, or is not allowed to"
        else:
            since = self._liveness.renewed(name)
            reason = "LeaseExpired"
            message = f"its executor does not report since {since}; its guests are left as they are"
        return condition(before, READY, None, reason, message, generation=found.generation)


def is_ready(node: Object) -> bool:
    """Say whether the VirtualMachineNode *node* was found alive."""
    found = find((node.decode().get("status") or {}).get("conditions") or (), READY)
    return found is not None and found.get("status") == "True"


def changes_readiness(delta: Delta) -> bool:
    """Pass nodes that come, go, are labelled otherwise, or begin or cease to be ready."""
    old, new = delta.old, delta.new
    return old is None or new is None or old.labels != new.labels or is_ready(old) != is_ready(new)


def changes_labels(delta: Delta) -> bool:
    """Pass what comes, goes, or is labelled otherwise."""
    old, new = delta.old, delta.new
    return old is None or new is None or old.labels != new.labels
