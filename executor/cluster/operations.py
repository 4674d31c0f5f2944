"""VirtualMachineOperations of this node's guests: taken up one by one, done by the engine, and told about.

The API server says what to do, the guest's journal what was begun: an operation is Running there before it is begun
here, and ends here before it does there. So whatever dies in between, either the journal knows, or nothing was done.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from executor.cluster.resources import RESOURCES
from executor.engine import journal, operations
from executor.engine.objects import Ref
from executor.engine.operations import Request
from executor.hypervisor.errors import Unavailable
from kube.apply import apply_status
from kube.conditions import condition, timestamp
from kube.errors import ApiError, NotFound
from kube.object import Key
from kube.pages import Selection
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from executor.agent.source import Source
    from executor.cluster.link import Link
    from executor.engine import store
    from executor.engine.journal import Record
    from executor.engine.status import Sink
    from executor.engine.store import Guest
    from executor.hypervisor.hypervisor import Hypervisor
    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta

logger = logging.getLogger(__name__)

KIND: Final = "VirtualMachineOperation"
GUEST: Final = "VirtualMachine"
MANAGER: Final = "kubevmm-executor"
"""The field manager."""

COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
"""Conditions, as a Job has them: one of them becomes True in the end."""

OVER: Final = frozenset({"Succeeded", "Failed"})
"""Phases that nothing follows."""

FIRST: Final = 0.5
LONGEST: Final = 15.0
"""Seconds before something that went wrong is tried again: the first time, and at most."""


class Operations:
    """Operations of the guests of *node* on *hypervisor*. `prepare` it with a link's manager, then `attach`."""

    def __init__(self, node: str, hypervisor: Hypervisor) -> None:
        self._node = node
        self._hypervisor = hypervisor
        self._lock = threading.Lock()
        self._fresh: set[str] = set()
        """Written down by this process, with nothing done yet, by their uids."""
        self._clean: set[Ref] = set()
        """Guests whose journal is known to be empty."""
        self._failures: dict[Ref, int] = {}
        self._known: dict[Ref, dict[Key, Object]] = {}
        self._wake: Callable[[Ref], None] = lambda _: None
        self._link: Link
        self._source: Source
        self._sink: Sink

    def prepare(self, manager: Manager) -> None:
        """Add the cache to *manager*."""
        manager.cache(RESOURCES[KIND], Selection(fields=f"status.nodeName={self._node}")).subscribe(self._happened)

    def attach(self, link: Link, source: Source, sink: Sink, wake: Callable[[Ref], None]) -> None:
        """Use *link*, whose manager was prepared, and call *wake* with guests that are to be looked at."""
        self._link, self._source, self._sink, self._wake = link, source, sink, wake
        operations.remark(self._hypervisor)

    def look(self, ref: Ref, index: store.Index) -> float | None:
        """Do what is next of the operations of the guest *ref*; return in how many seconds there is more to do.

        To be called before the guest itself is looked at, and by one worker at a time for each. Raises Unavailable
        where libvirt is gone; whatever else goes wrong is tried again.
        """
        if ref.kind != GUEST:
            return None
        try:
            wait = self._look(ref, index)
        except Unavailable:
            raise
        except (KubevmmError, ApiError) as error:
            failures = self._failures[ref] = self._failures.get(ref, 0) + 1
            pause: float = min(FIRST * 2 ** min(failures - 1, 10), LONGEST) * random.uniform(0.75, 1.25)  # noqa: S311  (spreads load)
            logger.warning("%s: operation: %s", ref, error)
            return pause
        self._failures.pop(ref, None)
        return wait

    def _look(self, ref: Ref, index: store.Index) -> float | None:
        waiting = self._waiting(ref)
        if ref in self._clean and not waiting:
            return None
        wanted = self._source.get(ref)
        guest = index.lookup(ref) if wanted is not None else None
        if wanted is None or guest is None:
            return None
        entry = journal.read(self._hypervisor, guest.domain)
        if entry is None:
            self._clean.add(ref)
            if wanted.deleting or not self._begin(ref, guest, waiting):
                return None
            entry = journal.read(self._hypervisor, guest.domain)
            if entry is None:
                return None
        if wanted.deleting:
            record = operations.abandon(self._hypervisor, guest, entry, "GuestDeleted", "the guest is being deleted")
        else:
            record, wait = self._advance(guest, entry)
            if wait is not None:
                return wait
        self._report(ref, record)
        journal.forget(self._hypervisor, guest.domain)
        return 0.0 if self._waiting(ref) else None

    def _advance(self, guest: Guest, entry: journal.Entry) -> tuple[Record, float | None]:
        uid = entry.record.uid
        try:
            done = operations.advance(self._hypervisor, guest, entry, fresh=uid in self._fresh, now=time.time())
        except Unavailable:
            # It may have been done all the same.
            self._fresh.discard(uid)
            raise
        self._fresh.discard(uid)
        return done

    def _begin(self, ref: Ref, guest: Guest, waiting: Iterable[Object]) -> bool:
        """Begin the first of *waiting* that may be; return whether there is one."""
        for each in waiting:
            found = self._newest(each.key, each.uid)
            if found is None or not self._is_of(found, ref):
                continue
            whole = found.decode()
            now = time.time()
            spec, status = whole["spec"], whole.get("status") or {}
            if status.get("phase") != "Running":
                # With the version that was read: of this and a refusal, one is too late.
                found = self._write(found, running(whole, now), exactly=True)
            request = Request(found.uid, found.key.namespace, found.key.name, spec, deadline(whole))
            self._clean.discard(ref)
            record = operations.begin(self._hypervisor, guest, request, now)
            if record.ended:
                self._report(ref, record)
                continue
            self._fresh.add(found.uid)
            logger.info("%s", f"begun: {record.type}", extra={"object": f"vmop/{found.key}", "reason": "Begun"})
            return True
        return False

    def _report(self, ref: Ref, record: Record) -> None:
        """Tell the API server how *record* ended; nothing, where nobody waits for it any more."""
        found = self._newest(Key(record.namespace, record.name), record.uid)
        if found is None:
            return
        whole = found.decode()
        self._write(found, ended(whole, record, time.time()), exactly=True)
        worked = record.step == journal.DONE
        self._sink.event(
            ref,
            "OperationSucceeded" if worked else "OperationFailed",
            f"{record.type} ({record.name}): {record.message}",
            warning=not worked,
        )

    def _newest(self, key: Key, uid: str) -> Object | None:
        """Return the operation as it is now, not as a cache has it; None where it is over, gone, or another node's."""
        try:
            found = self._link.call(self._link.client.get(RESOURCES[KIND], key))
        except NotFound:
            return None
        status = found.decode().get("status") or {}
        over = found.uid != uid or status.get("phase") in OVER or status.get("nodeName") != self._node
        return None if over else found

    def _write(self, found: Object, status: Mapping[str, Any], *, exactly: bool) -> Object:
        work = apply_status(self._link.client, RESOURCES[KIND], found, status, manager=MANAGER, exactly=exactly)
        return self._link.call(work).object

    def _waiting(self, ref: Ref) -> list[Object]:
        """Return what is to be done to *ref* and is not over, as far as the cache knows, the oldest first."""
        with self._lock:
            found = [(each, each.decode()) for each in self._known.get(ref, {}).values()]
        open_ = [
            (whole["metadata"].get("creationTimestamp") or "", each.key.name, each)
            for each, whole in found
            if not each.deleting and (whole.get("status") or {}).get("phase") not in OVER
        ]
        return [each for _, _, each in sorted(open_, key=lambda entry: entry[:2])]

    def _is_of(self, found: Object, ref: Ref) -> bool:
        """Say whether the guest that the controller meant is the one that is here."""
        wanted = self._source.get(ref)
        metadata = wanted.declared.object["metadata"] if wanted is not None and wanted.declared is not None else {}
        return any(owner.kind == GUEST and owner.uid == metadata.get("uid") for owner in found.owners)

    def _happened(self, delta: Delta) -> None:
        ref = _guest(delta.object)
        with self._lock:
            if delta.new is not None:
                self._known.setdefault(ref, {})[delta.new.key] = delta.new
            else:
                self._known.get(ref, {}).pop(delta.object.key, None)
                if not self._known.get(ref):
                    self._known.pop(ref, None)
        if delta.new is not None:
            self._wake(ref)


def running(operation: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return the status of *operation* as it is begun."""
    return _status(operation, "Running", now, None, "Running", "it was taken up by the executor of its guest's node")


def ended(operation: Mapping[str, Any], record: Record, now: float) -> dict[str, Any]:
    """Return the status of *operation* after *record* of it has ended."""
    worked = record.step == journal.DONE
    phase = "Succeeded" if worked else "Failed"
    out = _status(operation, phase, record.begun, worked, record.reason, record.message)
    return {**out, "completionTime": _time(now)}


def deadline(operation: Mapping[str, Any]) -> float:
    """Return when *operation* is given up, in seconds since 1970; 0 for never."""
    seconds = (operation.get("spec") or {}).get("activeDeadlineSeconds")
    created = (operation.get("metadata") or {}).get("creationTimestamp")
    return dt.datetime.fromisoformat(created).timestamp() + seconds if seconds and created else 0.0


def _status(
    operation: Mapping[str, Any], phase: str, begun: float, worked: bool | None, reason: str, message: str
) -> dict[str, Any]:
    before = operation.get("status") or {}
    generation = int(operation["metadata"].get("generation") or 0)
    conditions = before.get("conditions") or ()
    said = [condition(conditions, COMPLETE, bool(worked), reason, message, generation=generation)]
    if worked is False:
        said.append(condition(conditions, FAILED, True, reason, message, generation=generation))
    return {
        "observedGeneration": generation,
        "phase": phase,
        "startTime": before.get("startTime") or _time(begun),
        "message": message,
        "conditions": said,
    }


def _time(seconds: float) -> str:
    return timestamp(dt.datetime.fromtimestamp(seconds, tz=dt.UTC))


def _guest(found: Object) -> Ref:
    return Ref(GUEST, found.key.namespace, str(found.decode()["spec"]["virtualMachineRef"]["name"]))
