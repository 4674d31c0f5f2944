"""The guests of a VirtualMachineReplicaSet: what one is made from, who goes first, and how the set stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from controller import selectors
from controller.resources import GUESTS, REPLICASETS
from kube.conditions import condition, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kube.object import Object

READY: Final = "Ready"
FAILURE: Final = "ReplicaFailure"
PAUSED: Final = "ReplicaPaused"
"""Conditions; the last two as KubeVirt and Kubernetes name them."""


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""


class _Status(msgspec.Struct, rename="camel"):
    node_name: str = ""
    printable_status: str = ""
    conditions: tuple[_Condition, ...] = ()


class _Metadata(msgspec.Struct, rename="camel"):
    creation_timestamp: str = ""


class Standing(msgspec.Struct):
    """How a guest stands, of all that its object says."""

    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def ready(self) -> bool:
        """Whether the guest is Ready."""
        return any(each.type == READY and each.status == "True" for each in self.status.conditions)


def status(found: Object, whole: Mapping[str, Any], count: int, ready: int, failed: str) -> dict[str, Any]:
    """Return the status of a set with *count* guests, of which *ready* are Ready; *failed* says what went wrong."""
    spec, before = whole["spec"], (whole.get("status") or {}).get("conditions") or ()
    wanted, generation = spec["replicas"], found.generation
    fine = count == wanted == ready and not failed
    said = "" if fine else f"{ready} of {wanted} guests are ready" if count <= wanted else f"{count - wanted} too many"
    reason = "AllReady" if fine else "NotReady" if count == wanted else "Scaling"
    conditions = [condition(before, READY, fine, reason, said, generation=generation)]
    if failed:
        conditions.append(condition(before, FAILURE, True, "Failed", failed, generation=generation))
    elif find(before, FAILURE) is not None:
        conditions.append(condition(before, FAILURE, False, "Succeeded", generation=generation))
    if spec.get("paused"):
        conditions.append(condition(before, PAUSED, True, "Paused", "spec.paused is set", generation=generation))
    return {
        "observedGeneration": generation,
        "replicas": count,
        "readyReplicas": ready,
        "labelSelector": selectors.text(spec["selector"]),
        "conditions": conditions,
    }


def guest_of(found: Object, whole: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the guest *name* of the set *found*."""
    template = whole["spec"]["template"]
    marked = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    return {
        "apiVersion": GUESTS.api_version,
        "kind": GUESTS.kind,
        "metadata": {
            **marked, "name": name, "namespace": found.key.namespace, "ownerReferences": [reference(found)],
        },
        "spec": template["spec"],
    }  # fmt: skip


def reference(found: Object) -> dict[str, Any]:
    """Return the owner reference to the set *found*."""
    return {
        "apiVersion": REPLICASETS.api_version, "kind": REPLICASETS.kind, "name": found.key.name, "uid": found.uid,
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def surplus(guests: Iterable[Object]) -> list[Object]:
    """Return *guests* by who is to go first: on no node, not running, not Ready, where many are, the youngest."""
    known = [(each, standing(each)) for each in guests]
    company: dict[str, int] = {}
    for _, each in known:
        company[each.status.node_name] = company.get(each.status.node_name, 0) + 1
    # Sorting keeps the order of equals: the youngest first, and then by what weighs more.
    known.sort(key=lambda pair: pair[1].metadata.creation_timestamp, reverse=True)
    known.sort(
        key=lambda pair: (
            bool(pair[1].status.node_name),
            pair[1].status.printable_status == "Running",
            pair[1].ready,
            -company[pair[1].status.node_name],
        )
    )
    return [each for each, _ in known]


def standing(guest: Object) -> Standing:
    """Return how *guest* stands."""
    return guest.decode(Standing)
