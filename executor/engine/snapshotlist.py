"""VirtualMachineSnapshots as objects with their status, for lists of what is on the node."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from analyser.names import GROUP, object_name
from executor.engine import snapshots, state, store
from executor.engine.nodename import node_name
from executor.hypervisor.errors import LibvirtError, NotFound, Unsupported
from executor.hypervisor.snapshots import Snapshots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.engine.state import Kept
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.snapshots import Snapshot

REVERTS_EXTERNAL: Final = 9_009_000
"""The libvirt, as it counts, from which on guests go back to snapshots in files of their own."""


def objects(hypervisor: Hypervisor, *, unmanaged: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the snapshots that were applied, with their status, and with *unmanaged* all others of our guests.

    The flag says whether it is managed. What is not managed is an object that an apply takes it over by.
    """
    mine: set[tuple[str, str]] = set()
    for _, kept in state.every(hypervisor, snapshots.KIND):
        mine.add((str(kept.facts.get("domain")), str(kept.facts.get("name"))))
        metadata = {"creationTimestamp": kept.facts.get("time"), **(kept.object.get("metadata") or {})}
        yield {**kept.object, "metadata": metadata, "status": _kept_status(hypervisor, kept)}, True
    for guest, _ in store.guests(hypervisor) if unmanaged else ():
        if guest.mark is None:
            continue
        try:
            found = Snapshots(guest.domain).all()
        except (NotFound, Unsupported):
            continue
        for each in found:
            if (guest.domain.uuid, each.name) not in mine:
                yield object_of(hypervisor, each, guest.ref.namespace, guest.ref.name), False


def object_of(hypervisor: Hypervisor, snapshot: Snapshot, namespace: str, guest: str) -> dict[str, Any]:
    """Return *snapshot* as the object that it would be of the guest called *guest*, with its status."""
    document = snapshots.document(snapshot)
    said = {key: document[key] for key in snapshots.SAID if key in document}
    status = status_of(hypervisor, snapshot, document)
    return {
        "apiVersion": GROUP,
        "kind": snapshots.KIND,
        # Two guests' snapshots often share a name.
        "metadata": {"name": object_name(f"{guest}-{snapshot.name}"), "namespace": namespace},
        "spec": {"virtualMachineRef": {"name": guest}, "deletionPolicy": "Retain", "domainSnapshot": said},
        "status": status,
    }


def status_of(hypervisor: Hypervisor, snapshot: Snapshot, document: dict[str, Any]) -> dict[str, Any]:
    """Return the status of the object that *snapshot* is, whose *document* this is."""
    entries = (document.get("disks") or {}).get("disks") or []
    external = any(entry.get("snapshot") == "external" for entry in entries) or (
        (document.get("memory") or {}).get("snapshot") == "external"
    )
    usable = not external or hypervisor.connection.library >= REVERTS_EXTERNAL
    message = "" if usable else "this libvirt deletes snapshots in files of their own, and does not go back to them"
    created = datetime.fromtimestamp(int(document.get("creationTime") or 0), UTC)
    since = created.isoformat().replace("+00:00", "Z")
    out: dict[str, Any] = {
        "phase": "Ready",
        "readyToUse": usable,
        "nodeName": node_name(hypervisor),
        "name": snapshot.name,
        "domainUuid": snapshot.domain.uuid,
        "creationTime": since,
        "state": document.get("state"),
        "current": snapshot.is_current(),
        "conditions": [
            _condition("True" if usable else "False", "Taken" if usable else "RevertUnsupported", message, since)
        ],
    }
    parent = (document.get("parent") or {}).get("name")
    if parent:
        out["parent"] = parent
    disks = [_disk(snapshot.domain, entry) for entry in entries if entry.get("snapshot") != "no"]
    if disks:
        out["disks"] = disks
    return out


def _kept_status(hypervisor: Hypervisor, kept: Kept) -> dict[str, Any]:
    found = snapshots.snapshot_of(hypervisor, kept)
    if found is not None:
        return status_of(hypervisor, found, snapshots.document(found))
    reason, message = ("Pending", "it is not taken yet") if kept.new else ("Gone", "the guest has it no more")
    return {
        "phase": "Pending" if kept.new else "Failed",
        "readyToUse": False,
        "nodeName": node_name(hypervisor),
        "name": kept.facts.get("name"),
        "domainUuid": kept.facts.get("domain"),
        "conditions": [_condition("False", reason, message, str(kept.facts.get("time")))],
    }


def _disk(domain: Domain, entry: dict[str, Any]) -> dict[str, Any]:
    out = {"target": str(entry.get("name")), "snapshot": entry.get("snapshot")}
    path = (entry.get("source") or {}).get("file")
    if path:
        out["path"] = path
        try:
            out["size"] = str(domain.block_info(path)[1])
        except LibvirtError:
            # The guest goes on in another file by now.
            return out
    return out


def _condition(status: str, reason: str, message: str, since: str) -> dict[str, str]:
    return {"type": "Ready", "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
