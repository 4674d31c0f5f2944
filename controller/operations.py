"""VirtualMachineOperation: which node does it and when, what cannot be done, and its end some time after it is over.

Of the operations of one guest, one at a time has a node, the oldest first; the executor there does it. What ends one
that has a node is written with the version that was looked at, so that of a refusal and a beginning, one is too late.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any, Final

from controller import clones
from controller.operationstatus import OVER, Verdict, status
from controller.resources import DISKS, GUESTS, MANAGER, OPERATIONS
from kube.apply import apply, apply_status
from kube.builder import Builder
from kube.controller import Result
from kube.errors import NotFound
from kube.object import Key
from kube.predicates import any_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kube.client import Client
    from kube.manager import Manager
    from kube.object import Object

PATIENCE: Final = 10.0
"""Seconds that an operation waits for its guest, or for that to have a node: both may just have been applied."""

KEPT: Final = 24 * 60 * 60
"""Seconds that one which is over stays, where it does not say."""

NOT_THERE: Final = frozenset({"Migrate", "Dump", "InjectNMI"})
"""Types that no executor knows yet."""

WAITING: Final = "Waiting"
"""The reason of one whose turn it is not yet."""

_GUEST: Final = "guest"


def add(manager: Manager, client: Client) -> None:
    """Have *manager* reconcile operations."""
    operations = OperationReconciler(manager, client)
    (
        Builder(manager, "operations")
        .indexed(OPERATIONS, _GUEST, lambda found: [str(guest_of(found))])
        .for_(OPERATIONS, any_change)
        .watches(OPERATIONS, operations.siblings)
        .watches(GUESTS, operations.of_guest)
        .watches(GUESTS, operations.clones.of_object)
        .watches(DISKS, operations.clones.of_object)
        .complete(operations.reconcile)
    )


class OperationReconciler:
    """Reconciles operations in the caches of *manager*. *clock* is in seconds and never set back."""

    def __init__(self, manager: Manager, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._operations = manager.cache(OPERATIONS)
        self._guests = manager.cache(GUESTS)
        self.clones = clones.Clones(manager, client)
        self._client = client
        self._clock = clock
        self._since: dict[Key, tuple[str, float]] = {}
        """Since when operations, each with its uid, wait with patience."""

    def siblings(self, found: Object) -> Iterable[Key]:
        """Map an operation to those of the same guest that are not over."""
        return [each.key for each in self._open(guest_of(found))]

    def of_guest(self, found: Object) -> Iterable[Key]:
        """Map a guest to its operations that are not over."""
        return [each.key for each in self._open(found.key)]

    async def reconcile(self, key: Key) -> Result | None:
        """Give the operation *key* to its guest's node when it is its turn, or say why not; delete it in the end."""
        found = self._operations.get(key)
        if found is None or found.deleting:
            self._since.pop(key, None)
            return None
        operation = found.decode()
        status = operation.get("status") or {}
        if status.get("phase") in OVER:
            self._since.pop(key, None)
            return await self._collect(found, operation)
        said = self._judge(found, operation, self._guests.get(guest_of(found)))
        if said.reason in _GUEST_GONE:
            # That is for good, and two caches are never equally new: the server has the last word.
            said = self._judge(found, operation, await self._asked(guest_of(found)))
        if said.patience:
            left = self._patience(found)
            if left > 0:
                await self._write(found, operation, Verdict(said.reason, said.message))
                return Result(requeue_after=left)
        else:
            self._since.pop(key, None)
        if operation["spec"]["type"] == clones.TYPE:
            return await self._clone(found, operation, said)
        if status.get("phase") == "Running":
            # From here on it is its executor's, for as long as there is a guest.
            if said.refused and said.reason in _GUEST_GONE:
                await self._write(found, operation, _lost(said))
            return None
        if said.node:
            found = await self._own(found, operation)
        await self._write(found, operation, said)
        return _until(_deadline(operation), said)

    async def _clone(self, found: Object, operation: Mapping[str, Any], said: Verdict) -> Result | None:
        """Do what is next of an operation that the controller does itself."""
        if not said.refused and said.reason != WAITING:
            found = await self._own(found, operation)
            guest = self._guests.get(guest_of(found))
            if guest is None:
                return Result(requeue_after=1.0)
            said = await self.clones.advance(found.decode(), guest)
        elif said.refused and (operation.get("status") or {}).get("phase") == "Running":
            said = await self.clones.give_up(operation, said)
        await self._write(found, operation, said)
        return _until(_deadline(operation), said)

    def _patience(self, found: Object) -> float:
        """Return for how many seconds *found* may wait still."""
        uid, since = self._since.get(found.key, ("", 0.0))
        if uid != found.uid:
            since = self._clock()
            self._since[found.key] = found.uid, since
        return since + PATIENCE - self._clock()

    async def _asked(self, guest: Key) -> Object | None:
        """Return the guest as the server has it, None where it has none."""
        try:
            return await self._client.get(GUESTS, guest)
        except NotFound:
            return None

    def _judge(self, found: Object, operation: Mapping[str, Any], guest: Object | None) -> Verdict:
        spec = operation["spec"]
        name = spec["virtualMachineRef"]["name"]
        owner = next((each.uid for each in found.owners if each.kind == GUESTS.kind), None)
        meant = spec["virtualMachineRef"].get("uid") or owner
        deadline = _deadline(operation)
        if spec["type"] in NOT_THERE:
            return Verdict("NotSupported", f"{spec['type']} is not there yet", refused=True)
        if guest is None:
            # One that had a guest has lost it; else it may come in a moment.
            why = f"there is no VirtualMachine {name} in {found.key.namespace}"
            return Verdict("GuestNotFound", why, refused=True, patience=owner is None)
        if meant is not None and meant != guest.uid:
            why = f"{name} is another guest than the one that was meant: its uid is {guest.uid}"
            return Verdict("GuestReplaced", why, refused=True, patience=owner is None)
        if guest.deleting:
            return Verdict("GuestDeleted", f"{name} is being deleted", refused=True)
        if deadline and time.time() >= deadline:
            begun = (operation.get("status") or {}).get("phase") == "Running"
            why = "it did not come to an end before its deadline" if begun else "its deadline came before its turn"
            return Verdict("DeadlineExceeded", why, refused=True)
        first = self._first(found)
        if first.uid != found.uid:
            return Verdict(WAITING, f"waits for the operation {first.key.name} of the same guest")
        if spec["type"] == clones.TYPE:
            return Verdict("Next")
        node = (guest.decode().get("status") or {}).get("nodeName")
        if not node:
            why = f"{name} is on no node; give it a runStrategy that runs it, or a spec.nodeName"
            return Verdict("GuestNotOnNode", why, refused=True, patience=True)
        return Verdict("Assigned", f"waits for the executor of {node}", node=node)

    def _first(self, found: Object) -> Object:
        """Return the operation of the same guest whose turn it is: one that has a node, or else the oldest."""
        return min(self._open(guest_of(found)), key=_turn, default=found)

    def _open(self, guest: Key) -> list[Object]:
        return [each for each in self._operations.by(_GUEST, str(guest)) if not each.deleting and not _over(each)]

    async def _own(self, found: Object, operation: Mapping[str, Any]) -> Object:
        """Let the guest own it, so that it goes with it; that is also how the guest is known again."""
        guest = self._guests.get(guest_of(found))
        if guest is None or any(each.uid == guest.uid for each in found.owners):
            return found
        owner = {
            "apiVersion": GUESTS.api_version, "kind": GUESTS.kind, "name": guest.key.name, "uid": guest.uid,
        }  # fmt: skip
        metadata = {
            "name": found.key.name, "namespace": found.key.namespace, "ownerReferences": [owner],
            "resourceVersion": operation["metadata"]["resourceVersion"],
        }  # fmt: skip
        return (await apply(self._client, OPERATIONS, {"metadata": metadata}, manager=MANAGER)).object

    async def _write(self, found: Object, operation: Mapping[str, Any], said: Verdict) -> None:
        await apply_status(
            self._client, OPERATIONS, found, status(found, operation, said), manager=MANAGER, exactly=True
        )

    async def _collect(self, found: Object, operation: Mapping[str, Any]) -> Result | None:
        ended = _seconds((operation.get("status") or {}).get("completionTime"))
        kept = operation["spec"].get("ttlSecondsAfterFinished", KEPT)
        left = ended + kept - time.time()
        if left > 0:
            # A clock that was set forward and back again must not keep it for ever.
            return Result(requeue_after=min(left, kept) + 0.1)
        try:
            await self._client.delete(OPERATIONS, found.key, uid=found.uid)
        except NotFound:
            return None
        return None


def guest_of(found: Object) -> Key:
    """Return the guest that the operation *found* is of."""
    return Key(found.key.namespace, str(found.decode()["spec"]["virtualMachineRef"]["name"]))


_GUEST_GONE: Final = frozenset({"GuestNotFound", "GuestReplaced"})


def _lost(said: Verdict) -> Verdict:
    why = f"unknown outcome: it was begun, and then {said.message}"
    return Verdict("UnknownOutcome", why, refused=True)


def _turn(found: Object) -> tuple[bool, str, str]:
    whole = found.decode()
    status = whole.get("status") or {}
    begun = bool(status.get("nodeName")) or status.get("phase") == "Running"
    return not begun, str(whole["metadata"].get("creationTimestamp") or ""), found.key.name


def _over(found: Object) -> bool:
    return (found.decode().get("status") or {}).get("phase") in OVER


def _deadline(operation: Mapping[str, Any]) -> float:
    seconds = operation["spec"].get("activeDeadlineSeconds")
    return _seconds(operation["metadata"].get("creationTimestamp")) + seconds if seconds else 0.0


def _until(deadline: float, said: Verdict) -> Result | None:
    return Result(requeue_after=max(deadline - time.time(), 0.1)) if deadline and not said.over else None


def _seconds(when: str | None) -> float:
    return dt.datetime.fromisoformat(when).timestamp() if when else 0.0
