"""Why a guest does not run, or is not as its object says: what object and node tell, put into sentences. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OFF: Final = {
    "Halted": "its runStrategy is Halted: `kubectl virt start {name}` lets it run",
    "Manual": "its runStrategy is Manual, so nothing starts it: `kubectl virt start {name}` sets Always",
    "Once": "its runStrategy is Once, and it ran: `kubectl virt start {name}` sets Always",
    "RerunOnFailure": "it was shut down, its runStrategy being RerunOnFailure: `kubectl virt start {name}` sets Always",
}


def strategy(obj: Mapping[str, Any]) -> str:
    """Return the run strategy of a guest: Always, RerunOnFailure, Once, Manual or Halted."""
    spec = obj.get("spec") or {}
    if spec.get("running") is not None:
        return "Always" if spec["running"] else "Halted"
    return str(spec.get("runStrategy") or "Manual")


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the condition *kind* of an object, an empty map where it has none."""
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each.get("type") == kind), {})


def behind(obj: Mapping[str, Any]) -> str:
    """Return what of the object its node has not acted on yet, in words; empty where it has acted on all."""
    seen = (obj.get("status") or {}).get("observedGeneration") or 0
    wanted = (obj.get("metadata") or {}).get("generation") or 0
    return f"its node has not acted on generation {wanted} yet, but on {seen}" if seen < wanted else ""


def refused(obj: Mapping[str, Any]) -> str:
    """Return why the node does not bring about what the object says; empty where it does."""
    found = condition(obj, "Synchronized")
    if found.get("status") != "False":
        return ""
    return f"{found.get('reason') or 'Failed'}: {found.get('message') or 'it does not say why'}"


def reasons(guest: Mapping[str, Any], node: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield why *guest* is not running and as it should be; *node* is its VirtualMachineNode, None where none is there.

    >>> list(reasons({"metadata": {"name": "a"}, "spec": {}}, None))
    ['it has no node yet: set spec.nodeName']
    """
    metadata, status = guest["metadata"], guest.get("status") or {}
    if metadata.get("deletionTimestamp"):
        holding = ", ".join(metadata.get("finalizers") or ()) or "nothing"
        yield f"it is being deleted since {metadata['deletionTimestamp']}; its end waits for {holding}"
    name = status.get("nodeName")
    if not name:
        placed = condition(guest, "Scheduled")
        told = [placed.get("reason"), placed.get("message") or "set spec.nodeName"]
        yield f"it has no node yet: {': '.join(filter(None, told))}"
        return
    if node is None:
        yield f"no executor has told of the node {name}: is kubevmm-executor running there?"
    elif condition(node, "Ready").get("status") in ("False", "Unknown"):
        ready = condition(node, "Ready")
        yield f"the node {name} is not ready: {ready.get('message') or ready.get('reason') or 'it does not say why'}"
    if late := behind(guest):
        yield late
    if problem := refused(guest):
        yield problem
    yield from _power(guest, status)
    if status.get("restartRequired"):
        yield f"these wait for its next start: {', '.join(status.get('pendingChanges') or ()) or 'changes'}"
    if status.get("drift"):
        yield f"somebody changed it behind our back, and driftPolicy leaves that: {', '.join(status['drift'])}"


def _power(guest: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[str]:
    word = status.get("printableStatus")
    message = condition(guest, "Ready").get("message")
    wanted = strategy(guest)
    if word == "Stopped" and wanted in _OFF:
        yield _OFF[wanted].format(name=guest["metadata"]["name"])
    elif word == "Stopping":
        yield "it was asked to shut down, and has not yet; its system may ignore that"
    elif word not in (None, "Running") and message:
        yield f"{word}: {message}"
