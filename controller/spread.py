"""What the reconcilers of objects that live on several nodes have in common: whose turn it is, and how all stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from kube.apply import apply_status
from kube.conditions import condition, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.fleet import Fleet
    from kube.client import Client
    from kube.object import Object
    from kube.recorder import Recorder
    from kube.resource import Resource

FINALIZER: Final = "kubevmm.io/nodes"
"""Holds an object's deletion until no node has anything of it any more."""

READY: Final = "Ready"
SHOWN: Final = 5
"""How many nodes a message names."""


def executor(node: str) -> str:
    """Return the field manager of the executor on *node*, in objects that several executors write in."""
    return f"kubevmm-executor-{node}"[:128]


def claimed(entry: Mapping[str, Any]) -> bool:
    """Say whether an executor wrote in *entry*: then its node has something of the object, or is about to."""
    return "state" in entry


def named(problems: Sequence[str]) -> str:
    """Return *problems*, each of which begins with its node, in one line.

    >>> named(["a: no", "b: no"])
    'a: no; b: no'
    """
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return "; ".join([*problems[:SHOWN], *more])


async def forget(client: Client, resource: Resource, found: Object, node: str) -> None:
    """Take away what the executor of *node*, which is gone for good, wrote in the status of *found*."""
    await apply_status(client, resource, found, {}, manager=executor(node))


def ready(
    found: Object, before: Iterable[Mapping[str, Any]], failed: Sequence[str], pending: Sequence[str], nothing: str
) -> dict[str, Any]:
    """Return the condition Ready: *failed* and *pending* name nodes and why, *nothing* says why there are none."""
    if failed:
        ok, reason, message = False, "Failed", named([*failed, *pending])
    elif pending:
        ok, reason, message = False, "Pending", named(pending)
    elif nothing:
        ok, reason, message = False, "NoNodes", nothing
    else:
        ok, reason, message = True, "AllNodes", ""
    return condition(before, READY, ok, reason, message, generation=found.generation)


def leaving(found: Object, before: Iterable[Mapping[str, Any]], left: Sequence[str]) -> dict[str, Any]:
    """Return the condition Ready of *found*, which is deleted and of which the nodes in *left* have something."""
    return condition(before, READY, False, "Terminating", f"waits for {named(left)}", generation=found.generation)


def tell(
    recorder: Recorder,
    resource: Resource,
    found: Object,
    before: Iterable[Mapping[str, Any]],
    said: Mapping[str, Any],
) -> None:
    """Write an event where *said* is news."""
    old = find(before, said["type"]) or {}
    if (old.get("reason"), old.get("message")) == (said["reason"], said["message"]) or said["reason"] == "Pending":
        return
    if said["status"] == "True" and not old:
        return
    fine = said["status"] == "True" or said["reason"] == "Terminating"
    kind: Literal["Normal", "Warning"] = "Normal" if fine else "Warning"
    note = said["message"] or f"{said['type']} is {said['status']}"
    recorder.event(resource, found, said["reason"], note, action="Gather", type=kind)


def why(name: str, entry: Mapping[str, Any], fleet: Fleet) -> str:
    """Return what is to be said of the node *name*, which has something of an object that is deleted."""
    node = fleet.get(name)
    if node is None or not node.ready:
        return (
            f"{name}: its executor does not report; if it never comes back, delete the VirtualMachineNode {name}, "
            "and what it has stays there"
        )
    return f"{name}: {entry['message']}" if entry.get("message") else name
