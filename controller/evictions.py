"""Eviction of a placement Pod, as by ``kubectl drain``: what becomes of its guest, and how long the Pod keeps its room.

A finalizer holds the Pod until its guest is off. A guest that may run elsewhere is taken off its node by the executor
there (``status.evacuationNodeName`` asks for that) and placed anew; one that may not is stopped by an operation, and
started by another one when its node takes Pods again: unless the first one found it off already, by somebody's hand,
though its status did not say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from controller import pods
from controller.operationstatus import COMPLETE, OVER
from controller.resources import DISKS, GUESTS, MACHINES, OPERATIONS, SNAPSHOTS
from kube.conditions import condition, find
from kube.errors import AlreadyExists, NotFound
from kube.object import Key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kube.client import Client
    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta

EVICTED: Final = "Evicted"
"""The condition of a guest whose Pod is, or was, evicted."""

REFUSED: Final = "Refused"
LEAVING: Final = "Leaving"
STOPPING: Final = "ShuttingDown"
STOPPED: Final = "ShutDown"
RESTING: Final = "OffBefore"
"""Its reasons: the Pod waits; the guest goes to another node; it goes off; it is off, and waits for its node; somebody
had it off before, and it stays so."""

SYNCHRONIZED: Final = "Synchronized"
UNCHANGED: Final = "Unchanged"
BY_HAND: Final = "HeldByHand"
STAYS: Final = "Stays"
SAVED: Final = "saved"
"""In what words an executor says that an operation found nothing to do, and that a guest is off since somebody stopped
it, that it does not leave therefore, or that somebody saved its memory."""

_OFF: Final = "somebody had it off before, so that it stays off, and here: only its Pod goes"
_GUEST: Final = "guest"


@dataclass(frozen=True)
class Verdict:
    """What becomes of a guest whose Pod is evicted, and why."""

    reason: str
    message: str


class Evictions:
    """Of guests whose disks and snapshots are in the caches of *manager*."""

    def __init__(self, manager: Manager, client: Client) -> None:
        self._disks = manager.cache(DISKS)
        self._snapshots = manager.cache(SNAPSHOTS)
        self._machines = manager.cache(MACHINES)
        self._snapshots.add_index(_GUEST, _guest_of)
        self._client = client

    async def judge(self, guest: Mapping[str, Any], pod: Mapping[str, Any] | None, *, wanted: bool) -> Verdict | None:
        """Say what becomes of *guest*, which a node has, if its *pod* is evicted or was; None where neither is so.

        *wanted* says whether it is to run.
        """
        status = guest.get("status") or {}
        node, before = str(status.get("nodeName")), find(status.get("conditions") or (), EVICTED) or {}
        if status.get("evacuationNodeName"):
            # What was begun is brought to its end, unless its executor finds that there is nothing to go on elsewhere.
            if _synchronized(status) == STAYS:
                return Verdict(RESTING, _OFF)
            return Verdict(LEAVING, before["message"]) if before.get("reason") == LEAVING else _leaves(node)
        # What was said of it before, of one that is off.
        reason = before.get("reason", "") if status.get("printableStatus") == "Stopped" else ""
        if pod is not None and _goes(pod):
            return await self._going(guest, pod, Verdict(reason, before.get("message", "")))
        return _waits(before["message"], node) if wanted and reason in (STOPPING, STOPPED) else None

    def given_up(self, guest: Mapping[str, Any]) -> bool:
        """Say whether *guest* refused to go, and whoever drained its node has opened that again."""
        status = guest.get("status") or {}
        said = find(status.get("conditions") or (), EVICTED) or {}
        node = self._machines.get(Key("", str(status.get("nodeName"))))
        return said.get("reason") == REFUSED and node is not None and not _closed(node)

    async def act(self, guest: Mapping[str, Any], pod: Mapping[str, Any] | None, verdict: Verdict | None) -> None:
        """Have a guest stopped that cannot go elsewhere, and started again when its new *pod* has its place."""
        if verdict is None or pod is None:
            return
        if verdict.reason == STOPPING:
            await self._operate(guest, pod, "Stop")
        elif verdict.reason == STOPPED and (pod.get("spec") or {}).get("nodeName") and not _goes(pod):
            await self._operate(guest, pod, "Start")

    def _evicted(self, guest: Mapping[str, Any], node: str, pushed: str) -> Verdict:
        """Return what becomes of *guest*; *pushed* says why nobody asks what its evictionStrategy is."""
        strategy = "" if pushed else (guest.get("spec") or {}).get("evictionStrategy") or "LiveMigrate"
        if strategy == "None":
            return Verdict(REFUSED, "its evictionStrategy is None: the drain waits until it is stopped")
        if strategy == "LiveMigrate":
            why = "its evictionStrategy is LiveMigrate, which is not there yet: the drain waits until it is stopped"
            return Verdict(REFUSED, f"{why}; with evictionStrategy Shutdown, it shuts down")
        before = f"{pushed}, and " if pushed else ""
        bound = next(self._bound(guest, node), "")
        if bound:
            return Verdict(STOPPING, f"{before}{bound}, so that it stays there: it shuts down")
        return _leaves(node, before)

    async def _going(self, guest: Mapping[str, Any], pod: Mapping[str, Any], before: Verdict) -> Verdict | None:
        """Return what becomes of *guest*, whose *pod* goes; *before* was said of it, if it is off."""
        if before.reason == RESTING:
            return before
        if before.reason in (STOPPING, STOPPED):
            return await self._stopped(guest, pod, before)
        verdict = self._evicted(guest, str(guest["status"].get("nodeName")), _pushed(pod))
        if not _rests(guest):
            return verdict
        if await self._operation(guest, pod, "Stop") is None:
            return None
        # It rests since it was stopped here, and a controller that had not seen that took the word back.
        return await self._stopped(guest, pod, Verdict(STOPPING, verdict.message))

    async def _stopped(self, guest: Mapping[str, Any], pod: Mapping[str, Any], before: Verdict) -> Verdict:
        """Return what becomes of *guest*, which is off; *before* says that it was stopped here, or is being so."""
        waits = _waits(before.message, str(guest["status"].get("nodeName")))
        start = await self._operation(guest, pod, "Start")
        if before.reason == STOPPED and start is None:
            return waits
        if start is not None and _phase(start) == "Failed":
            return waits
        stop = await self._operation(guest, pod, "Stop")
        if stop is None or _phase(stop) not in OVER:
            # It is off, and was by its own operation or by somebody else's: that one will say.
            return Verdict(STOPPING, before.message)
        done = find(stop["status"].get("conditions") or (), COMPLETE) or {}
        return Verdict(RESTING, _OFF) if done.get("reason") == UNCHANGED else waits

    def _bound(self, guest: Mapping[str, Any], node: str) -> Iterator[str]:
        """Yield what keeps *guest* on *node*."""
        spec, namespace = guest.get("spec") or {}, guest["metadata"]["namespace"]
        domain = spec.get("domain") or {}
        devices = domain.get("devices") or {}
        if spec.get("deletionPolicy") == "Retain":
            yield f"its deletionPolicy keeps its domain on {node}"
        for disk in devices.get("disks") or ():
            source = disk.get("source") or {}
            if not self._reachable(namespace, source):
                yield f"its disk {(disk.get('target') or {}).get('dev', '')} is on {node} alone"
        firmware = domain.get("os") or {}
        if any(firmware.get(key) for key in ("nvram", "loader")) or "efi" in str(firmware.get("firmware")):
            yield f"the variables of its firmware are on {node} alone"
        if any(firmware.get(key) for key in ("kernel", "initrd", "dtb")):
            yield f"its kernel is on {node} alone"
        for kind, word in (("tpms", "TPM"), ("hostdevs", "device"), ("filesystems", "file system")):
            if devices.get(kind):
                yield f"its {word} is on {node} alone"
        if self._snapshots.by(_GUEST, f"{namespace}/{guest['metadata']['name']}"):
            yield f"its snapshots are on {node} alone"

    def _reachable(self, namespace: str, source: Mapping[str, Any]) -> bool:
        """Say whether other nodes see what *source* means."""
        reference = source.get("diskRef")
        if reference is not None:
            disk = self._disks.get(Key(reference.get("namespace") or namespace, reference["name"]))
            return disk is not None and bool((disk.decode().get("status") or {}).get("executorNode"))
        return not source or "protocol" in source

    async def _operate(self, guest: Mapping[str, Any], pod: Mapping[str, Any], kind: str) -> None:
        metadata, key = guest["metadata"], _name(guest, pod, kind)
        owner = {
            "apiVersion": GUESTS.api_version, "kind": GUESTS.kind, "name": metadata["name"], "uid": metadata["uid"],
        }  # fmt: skip
        made = {"name": key.name, "namespace": metadata["namespace"], "ownerReferences": [owner]}
        spec = {"type": kind, "virtualMachineRef": {"name": metadata["name"], "uid": metadata["uid"]}}
        body = {"apiVersion": OPERATIONS.api_version, "kind": OPERATIONS.kind, "metadata": made, "spec": spec}
        try:
            await self._client.create(OPERATIONS, body)
        except AlreadyExists:
            return

    async def _operation(self, guest: Mapping[str, Any], pod: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
        """Return the operation that `_operate` made; None where it made none."""
        try:
            # Not as a cache has it: whether there is one may be a moment old.
            return (await self._client.get(OPERATIONS, _name(guest, pod, kind))).decode()
        except NotFound:
            return None


def over(guest: Mapping[str, Any], verdict: Verdict | None, *, taken: bool) -> bool:
    """Say whether the evicted Pod of *guest* may go, of which *verdict* is; *taken* says that a node has the guest."""
    status = guest.get("status") or {}
    if not taken:
        # Not before nobody may take it on there any more.
        return not status.get("nodeName")
    if verdict is not None and verdict.reason in (LEAVING, STOPPING):
        # What is said of it may be old: it is off when it has left, or when its operation is over.
        return False
    before = find(status.get("conditions") or (), EVICTED) or {}
    if verdict is not None and verdict.reason == RESTING and before.get("reason") != RESTING:
        # Whoever finds no Pod and the word of before takes it for stopped by us: the new word goes first.
        return False
    return bool(status.get("printableStatus") == "Stopped")


def _rests(guest: Mapping[str, Any]) -> bool:
    """Say whether *guest* is off and is to stay so, so that nothing of it has to go on elsewhere."""
    spec, status = guest.get("spec") or {}, guest.get("status") or {}
    if status.get("printableStatus") != "Stopped":
        return False
    always = spec.get("running") if "running" in spec else spec.get("runStrategy") == "Always"
    by_hand = _synchronized(status) in (BY_HAND, STAYS)
    return not always or by_hand or (status.get("domain") or {}).get("reason") == SAVED


def _synchronized(status: Mapping[str, Any]) -> str:
    """Return the reason of the condition by which its executor says how far it is with a guest."""
    return str((find(status.get("conditions") or (), SYNCHRONIZED) or {}).get("reason"))


def said(found: Object, before: Mapping[str, Any], verdict: Verdict | None) -> dict[str, Any]:
    """Return what *verdict* makes of the status of the guest *found*, which is *before*."""
    if verdict is None:
        return {}
    off = verdict.reason in (STOPPED, RESTING)
    conditions = before.get("conditions") or ()
    out: dict[str, Any] = {
        "conditions": [
            condition(conditions, EVICTED, off, verdict.reason, verdict.message, generation=found.generation)
        ]
    }
    if verdict.reason == LEAVING:
        out["evacuationNodeName"] = before["nodeName"]
    return out


def opens(delta: Delta) -> bool:
    """Pass Kubernetes Nodes that take Pods again."""
    return delta.old is not None and delta.new is not None and _closed(delta.old) and not _closed(delta.new)


def ends(delta: Delta) -> bool:
    """Pass operations that are over now, and those that are gone."""
    was = delta.old is not None and _phase(delta.old.decode()) in OVER
    return delta.new is None or (_phase(delta.new.decode()) in OVER and not was)


def _closed(node: Object) -> bool:
    return bool((node.decode().get("spec") or {}).get("unschedulable"))


def _goes(pod: Mapping[str, Any]) -> bool:
    """Say whether *pod* is evicted, or its node has no room for it.

    One that has lost its finalizer was let go by us: it may be seen as deleted for a moment before it is gone.
    """
    metadata = pod["metadata"]
    evicted = metadata.get("deletionTimestamp") and pods.FINALIZER in (metadata.get("finalizers") or ())
    return bool(evicted) or rejected(pod)


def rejected(pod: Mapping[str, Any]) -> bool:
    """Say whether a kubelet found, after all, that its node has not the room that *pod* asks for.

    Two schedulers that place Pods on one node may each give away the same room.
    """
    status = pod.get("status") or {}
    return status.get("phase") == "Failed" and str(status.get("reason") or "").startswith("OutOf")


def _pushed(pod: Mapping[str, Any]) -> str:
    """Return by whom the guest of *pod* is pushed aside, whatever its evictionStrategy; empty where by nobody."""
    if rejected(pod):
        return "its node has no room for it"
    for each in (pod.get("status") or {}).get("conditions") or ():
        if each.get("type") == "DisruptionTarget" and each.get("status") == "True":
            return _PUSHED.get(str(each.get("reason")), "")
    return ""


_PUSHED: Final = {
    "PreemptionByScheduler": "what has a higher priority takes its room",
    "DeletionByTaintManager": "it does not bear a taint of its node",
}


def _leaves(node: str, why: str = "") -> Verdict:
    return Verdict(LEAVING, f"{why}it shuts down on {node}, and is placed anew")


def _waits(before: str, node: str) -> Verdict:
    return Verdict(STOPPED, f"{before.partition(':')[0]}: it starts when {node} takes guests again")


def _name(guest: Mapping[str, Any], pod: Mapping[str, Any], kind: str) -> Key:
    """Return what the operation of the type *kind* is called: one for each Pod, so that none is asked for twice."""
    metadata = guest["metadata"]
    name = f"{metadata['name'][:200].rstrip('-.')}-{kind.lower()}-{pod['metadata']['uid'][:8]}"
    return Key(metadata["namespace"], name)


def _phase(operation: Mapping[str, Any]) -> str:
    return str((operation.get("status") or {}).get("phase"))


def _guest_of(snapshot: Object) -> list[str]:
    name = ((snapshot.decode().get("spec") or {}).get("virtualMachineRef") or {}).get("name")
    return [f"{snapshot.key.namespace}/{name}"] if name else []
