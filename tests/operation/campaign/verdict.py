"""What must hold of a guest once all is quiet: libvirt counts what was asked for, and the status says the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.operation.campaign.record import LIFECYCLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.operation.campaign.guests import Guest
    from tests.operation.campaign.record import Record, Stand, Told

RESET = "QEMU:RESET host-qmp-system-reset"
WORDS = {
    "running": "Running",
    "paused": "Paused",
    "saved": "Stopped",
    "held": "Stopped",
    "off": "Stopped",
    "shut": "Stopped",
}


PRESSES = {"Stop", "Restart", "halt", "evict", "drain", "shut"}
"""Acts that press the power button, perhaps twice: a guest that is asked once more goes off no more often."""


def of(operation: Mapping[str, Any], guest: Guest) -> bool:
    """Say whether *operation* is one of *guest*."""
    return bool(operation["spec"]["virtualMachineRef"]["name"] == guest.build.name)


def of_libvirt(guest: Guest, operations: list[dict[str, Any]], record: Record) -> Iterator[str]:
    """Yield what libvirt counted otherwise than it was asked for."""
    counts = record.counts(guest.domain)
    seen = effects(record.of(guest.domain))
    starts = sum(count for word, count in counts.items() if word.startswith("started"))
    if starts != guest.goal.starts:
        yield f"{guest.domain}: was started {starts} times, {guest.goal.starts} were asked for"
    there = guest.told if guest.told is not None else operations
    mine = {each["metadata"]["name"]: each for each in there if of(each, guest)}
    asked: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for name, kind in guest.operations.items():
        status = (mine.get(name) or {}).get("status") or {}
        reasons = {each["reason"] for each in status.get("conditions") or ()}
        asked[kind] += 1
        if kind in ("Reset", "SoftReboot") and reasons == {"UnknownOutcome"}:
            unknown[kind] += 1
        elif status.get("phase") != "Succeeded":
            yield f"{name}: is {status.get('phase')}: {reasons} {status.get('message')}"
    # A guest that is asked to reboot need not hear it.
    if not asked["Reset"] - unknown["Reset"] <= counts[RESET] <= asked["Reset"] + asked["SoftReboot"]:
        yield f"{guest.domain}: {counts[RESET]} resets of {dict(asked)}, outcome unknown: {dict(unknown)}"
    presses, soft = counts["QEMU:POWERDOWN"], asked["SoftReboot"]
    # One that is deleted is asked to shut down first.
    alone = PRESSES.isdisjoint(guest.acts) and guest.goal.state != "absent"
    if presses < soft - unknown["SoftReboot"] or (alone and presses > soft):
        yield f"{guest.domain}: its power button was pressed {presses} times for {dict(asked)}"
    for kind in ("Pause", "Resume", "Save"):
        if seen[kind] != asked[kind]:
            yield f"{guest.domain}: {kind}, done {seen[kind]} times, {asked[kind]} were asked for"


def effects(told: Iterable[Told]) -> Counter[str]:
    """Return how often a guest was paused, resumed and saved, by what libvirt *told* of it.

    libvirt also tells that it stands still when an operation has it started so, or its memory is saved.
    """
    seen: Counter[str] = Counter()
    words = [f"{each.what} {each.detail}" for each in told if each.what in LIFECYCLE.values()]
    runs = paused = False
    for word, after in zip(words, [*words[1:], ""], strict=True):
        # Of a guest that is started running, libvirt tells that it was resumed first, and then of the start.
        if word.startswith("resumed"):
            seen["Resume"] += paused
            runs, paused = True, False
        elif word.startswith("suspended"):
            paused = runs and after != "stopped saved"
            seen["Pause"] += paused
        elif word.startswith("stopped"):
            seen["Save"] += word == "stopped saved"
            runs = paused = False
    return seen


def of_status(guest: Guest, found: Mapping[str, Any], stands: list[Stand]) -> Iterator[str]:
    """Yield what the object *found*, or none, says otherwise than libvirt."""
    if guest.goal.state == "absent":
        if found:
            yield f"{guest.build.name}: is there still"
        return
    if not found:
        yield f"{guest.build.name}: is not there"
        return
    name, status = guest.build.name, found.get("status") or {}
    if guest.goal.state == "new":
        return
    node = stands[0].node if stands else ""
    if status.get("nodeName") != node:
        yield f"{name}: is on {node}, its status says {status.get('nodeName')}"
    if status.get("printableStatus") != WORDS[guest.goal.state]:
        yield f"{name}: is {guest.goal.state}, its status says {status.get('printableStatus')}"
    if status.get("observedGeneration") != found["metadata"]["generation"]:
        yield f"{name}: observedGeneration {status.get('observedGeneration')} of {found['metadata']['generation']}"
    for each in status.get("conditions") or ():
        if each["type"] == "Synchronized" and each["status"] != "True":
            yield f"{name}: {each}"
        # Other memory waits for the next start.
        waits = each["reason"] == "RestartRequired" and "memory" in guest.acts
        if each["type"] == "Ready" and not waits and (each["status"] == "True") != (guest.goal.state == "running"):
            yield f"{name}: is {guest.goal.state}: {each}"
