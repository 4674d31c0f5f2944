"""What the controller says in a guest's status: on which node it is, or why it has none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controller import pods
from kube.conditions import condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.refusals import Refusal
    from kube.object import Object

SCHEDULED: Final = "Scheduled"
"""The condition that says whether the guest has a node."""

TAKEN: Final = "kubevmm.io/executor"
"""The finalizer of an executor that has made something for the guest, or is about to."""

WAITING: Final = "Waiting"
"""The reason of SCHEDULED where nobody has said anything yet."""

_RUNS: Final = {"Always", "RerunOnFailure", "Once"}


def status(
    found: Object, guest: Mapping[str, Any], pod: Mapping[str, Any] | None, refused: Refusal | None = None
) -> dict[str, Any]:
    """Return the status of a guest whose placement Pod is *pod*; without one, *refused* may say why it has none."""
    spec, now = guest.get("spec") or {}, guest.get("status") or {}
    wanted, there = spec.get("nodeName"), now.get("nodeName")
    bound = ((pod or {}).get("spec") or {}).get("nodeName")
    word, node, ok, reason, message = "", "", True, "", ""
    if there and TAKEN in found.finalizers:
        # In the same words as before it was taken: that is no news, and would be a write for each guest.
        node, reason = there, "Named" if wanted else "Placed"
        if wanted and wanted != there:
            reason, message = "OnAnotherNode", f"it is on {there}, and stays there"
        elif not wanted and bound != there:
            # Its executor does not start it without.
            ok, reason, message = False, *_without_room(guest, pod, refused)
    elif wanted:
        node, reason = wanted, "Named"
    elif bound:
        node, reason = bound, "Placed"
    elif pod is not None:
        ok, reason, message = False, *unscheduled(pod)
        word = "ErrorUnschedulable" if reason == "Unschedulable" else "Scheduling"
    elif refused is not None:
        ok, reason, message, word = False, refused.reason, refused.message, "ErrorUnschedulable"
    elif should_run(guest):
        ok, reason, word = False, WAITING, "Scheduling"
    else:
        ok, reason, message = False, "NotWanted", "it gets a node when it is to run, or set spec.nodeName"
        word = "Stopped"
    said = condition(now.get("conditions") or (), SCHEDULED, ok, reason, message, generation=found.generation)
    out: dict[str, Any] = {"conditions": [said]}
    if node:
        out["nodeName"] = node
    if word:
        out["printableStatus"] = word
    if pod is not None:
        out["placementPod"] = pods.name_of(found.key.name)
    return out


def _without_room(guest: Mapping[str, Any], pod: Mapping[str, Any] | None, refused: Refusal | None) -> tuple[str, str]:
    """Return why no Pod keeps room for a guest that a node has."""
    if pod is not None:
        return unscheduled(pod)
    if refused is not None:
        return refused.reason, refused.message
    if should_run(guest):
        return WAITING, "no Pod keeps its room"
    return "NotWanted", "it is not to run, so that no room is kept for it"


def unscheduled(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Return why kube-scheduler found no node for *pod* yet, in a word and in its own words."""
    for each in (pod.get("status") or {}).get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            return str(each.get("reason") or "Unschedulable"), str(each.get("message") or "")
    return WAITING, "no scheduler has looked at it yet: does kubevmm-scheduler run?"


def should_run(guest: Mapping[str, Any]) -> bool:
    """Return whether the guest is to run by its spec."""
    spec = guest.get("spec") or {}
    if "running" in spec:
        return bool(spec["running"])
    return spec.get("runStrategy") in _RUNS


def holds(guest: Mapping[str, Any]) -> bool:
    """Return whether the guest takes room on its node still."""
    return (guest.get("status") or {}).get("printableStatus") not in (None, "Stopped")
