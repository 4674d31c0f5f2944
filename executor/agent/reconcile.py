"""One object made so, or taken away: from what the source says now and what libvirt has, to what the sink is told.

Level-triggered: it does not matter why it is looked at, how often, or what was missed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from executor.agent import removal
from executor.engine import apply as engine
from executor.engine import claims, power, runs
from executor.engine.guests import Outcome
from executor.engine.listing import Query, listing, node_name
from executor.engine.noted import CONDITION
from executor.engine.status import Progress, since, status
from executor.hypervisor.domains import Summary
from executor.hypervisor.errors import LibvirtError, NotFound, Unavailable
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from executor.agent.index import Index
    from executor.agent.source import Source, Wanted
    from executor.engine.guests import Result
    from executor.engine.objects import Ref
    from executor.engine.source import Declarations, Declared
    from executor.engine.status import Sink
    from executor.hypervisor.hypervisor import Hypervisor

_ORDER: Final = (
    "VirtualMachineStoragePool",
    "VirtualMachineNetwork",
    "VirtualMachineImage",
    "VirtualMachineDisk",
    "VirtualMachine",
)

_HELD: Final = {
    "off": "it was stopped by hand, which goes before its runStrategy; `virtctl start` lets it run",
    "on": "it was started by hand, which goes before its runStrategy; `virtctl stop` ends that",
}

BEFORE_GUESTS: Final = 2.0
"""Seconds after which a network or pool that is to go looks again whether the guests before it have gone."""


BOOTING: Final = 300.0
"""Seconds after its start in which a guest may get its first address."""

ADDRESSES: Final = 10.0
"""Seconds between looks for it."""


def rank(ref: Ref) -> int:
    """Return the place of *ref*: what others stand on comes first."""
    return _ORDER.index(ref.kind) if ref.kind in _ORDER else len(_ORDER)


class Refused(KubevmmError):  # noqa: N818  (named for what happened)
    """Nothing may be done about the object until what is said of it changes."""


class Waiting(Refused):
    """Nothing is done about the object until something else is there, or gone; the source tells when."""


class Reconciler:
    """Looks at objects, one at a time for each; for any number of threads.

    With *addresses* the status of a guest has those of its interfaces, which cost further calls.
    """

    def __init__(
        self, hypervisor: Hypervisor, source: Source, sink: Sink, index: Index, *, addresses: bool = False
    ) -> None:
        self._addresses = addresses
        self._hypervisor = hypervisor
        self._source = source
        self._sink = sink
        self._index = index
        self._lock = threading.Lock()
        self._last: dict[Ref, Mapping[str, Any]] = {}
        self._pass: tuple[Declarations, claims.Node, dict[Ref, KubevmmError]] | None = None

    def forget_node(self) -> None:
        """Read anew what domains claim: one that is none of ours has changed."""
        with self._lock:
            self._pass = None

    def words(self) -> dict[str, int]:
        """Return how many guests there are by their printable status."""
        with self._lock:
            found = [each.get("printableStatus") for ref, each in self._last.items() if ref.kind == "VirtualMachine"]
        return {word: found.count(word) for word in set(found) if word is not None}

    def reconcile(self, ref: Ref) -> tuple[str, float | None]:
        """Look at *ref*; return what became of it in a word, and in how many seconds it must be looked at again.

        Raises KubevmmError where it went wrong, after the sink was told; StartFailed says when it may go right, and
        Refused that it cannot.
        """
        wanted = self._source.get(ref)
        if wanted is None:
            self._drop(ref)
            return "unknown", None
        try:
            remove = wanted.deleting and not wanted.waits
            return self._remove(ref, wanted) if remove else self._apply(ref, wanted)
        except Unavailable:
            # A connection that is lost says nothing of the object.
            raise
        except KubevmmError as error:
            progress = Progress(ok=False, reason=_word(error), message=_line(error))
            with contextlib.suppress(LibvirtError):
                self._tell(ref, wanted, progress, word="Terminating" if wanted.deleting else "")
            raise

    def _apply(self, ref: Ref, wanted: Wanted) -> tuple[str, float | None]:
        if wanted.waits:
            raise Waiting(wanted.waits)
        if wanted.refused:
            raise Refused(wanted.refused)
        if wanted.declared is None:
            return self._keep(ref, wanted)
        declared, every = wanted.declared, self._source.every()
        if engine.elsewhere(self._hypervisor, declared):
            return str(Outcome.SKIPPED), None
        node, conflicts = self._of_all(every)
        if ref in conflicts:
            raise Refused(str(conflicts[ref]))
        if not self._source.claim(declared):
            return "unknown", None
        result = engine.one(
            self._hypervisor,
            declared,
            every,
            self._index,
            node,
            daemon=True,
            progress=partial(self._sink.progress, ref),
        )
        self._say(declared, result)
        progress = Progress()
        if wanted.stale:
            progress = Progress(ok=False, reason="ManifestUnreadable", message=wanted.stale)
        elif result.held:
            progress = Progress(reason="HeldByHand", message=_HELD[result.held])
        self._tell(ref, wanted, progress, drift=result.drift)
        return str(result.outcome), self._again(ref, result.wait)

    def _again(self, ref: Ref, wait: float | None) -> float | None:
        """Return in how many seconds to look at *ref* again, *wait* at the latest: no event tells of an address."""
        with self._lock:
            found = self._last.get(ref) or {}
        if not self._addresses or ref.kind != "VirtualMachine" or found.get("printableStatus") != "Running":
            return wait
        guest = self._index.lookup(ref) if not found.get("interfaces") else None
        if guest is None or time.time() - runs.load(self._hypervisor, guest.domain.uuid).started > BOOTING:
            return wait
        return min(wait or ADDRESSES, ADDRESSES)

    def _keep(self, ref: Ref, wanted: Wanted) -> tuple[str, float | None]:
        """Keep the power of a guest whose object cannot be read, by what was applied last."""
        guest = self._index.lookup(ref) if ref.kind == "VirtualMachine" else None
        if guest is None:
            return "unreadable", None
        settled = power.keep(self._hypervisor, guest.object, guest.domain)
        if settled.note:
            self._sink.event(ref, "Kept", settled.note)
        if wanted.stale:
            self._tell(ref, wanted, Progress(ok=False, reason="ManifestUnreadable", message=wanted.stale))
        return "unreadable", settled.wait

    def _remove(self, ref: Ref, wanted: Wanted) -> tuple[str, float | None]:
        if wanted.moves and removal.rests(self._hypervisor, self._index, ref):
            self._tell(ref, wanted, Progress(reason="Stays", message="it is off, and is to stay so: it does not leave"))
            return "stays", None
        if ref.kind == "VirtualMachine":
            done, wait = removal.guest(self._hypervisor, self._index, ref, orphan=wanted.orphan)
        elif self._guests_go():
            done, wait = "", BEFORE_GUESTS
        else:
            done, wait = removal.other(self._hypervisor, ref, orphan=wanted.orphan, deliberate=wanted.deliberate), 0.0
        if not done:
            self._tell(ref, None, Progress(reason="Terminating"), word="Terminating")
            return "terminating", wait
        self._source.release(ref)
        self._drop(ref)
        self._sink.event(ref, done.capitalize(), f"{ref} {done}")
        return done, None

    def _guests_go(self) -> bool:
        for ref in self._source.refs():
            if ref.kind == "VirtualMachine":
                wanted = self._source.get(ref)
                if wanted is not None and wanted.deleting:
                    return True
        return False

    def _of_all(self, every: Declarations) -> tuple[claims.Node, dict[Ref, KubevmmError]]:
        """Return what is found out once for all objects, until one of them changes."""
        with self._lock:
            if self._pass is None or self._pass[0] is not every:
                conflicts: dict[Ref, KubevmmError] = {}
                for each in claims.conflicts(every):
                    conflicts[each.one.ref] = conflicts[each.two.ref] = each.error()
                self._pass = every, claims.Node(self._hypervisor, every), conflicts
            return self._pass[1], self._pass[2]

    def _say(self, declared: Declared, result: Result) -> None:
        if result.outcome in (Outcome.UNCHANGED, Outcome.SKIPPED):
            return
        said = "; ".join((str(result.outcome), *result.notes))
        self._sink.event(declared.ref, str(result.outcome).capitalize(), f"{declared.ref} {said}")

    def _tell(
        self, ref: Ref, wanted: Wanted | None, progress: Progress, *, word: str = "", drift: tuple[str, ...] = ()
    ) -> None:
        found = self._status(ref, word)
        if drift:
            found["drift"] = list(drift)
        found["conditions"] = [*found.get("conditions", ()), progress.condition()]
        declared = wanted.declared if wanted is not None else None
        generation = (declared.object.get("metadata") or {}).get("generation") if declared is not None else None
        if generation is not None:
            found["observedGeneration"] = generation
        with self._lock:
            last = self._last.get(ref)
        if last is None:
            last = self._sink.last(ref)
        found = since(found, last)
        if found != last or self._sink.stale(ref):
            for reason, message, warning in _news(last or {}, found):
                self._sink.event(ref, reason, message, warning=warning)
            self._sink.put(ref, found)
        with self._lock:
            self._last[ref] = found

    def _status(self, ref: Ref, word: str) -> dict[str, Any]:
        """Return how the object stands in libvirt."""
        node = node_name(self._hypervisor)
        if ref.kind != "VirtualMachine":
            found = listing(self._hypervisor, Query(ref.kind, ref.namespace, (ref.name,))).objects
            return dict(found[0]["status"]) if found else {"conditions": []}
        guest = self._index.lookup(ref)
        if guest is not None:
            try:
                run = runs.load(self._hypervisor, guest.domain.uuid)
                summary = Summary(guest.domain, guest.domain.state())
                out = status(guest, summary, node=node, detail=self._addresses, run=run)
            except NotFound:
                pass
            else:
                return {**out, "printableStatus": word} if word else out
        absent = {"type": "Ready", "status": "False", "reason": "Provisioning", "message": ""}
        return {
            "nodeName": node,
            "printableStatus": "Provisioning",
            "created": False,
            "ready": False,
            "conditions": [absent],
        }

    def _drop(self, ref: Ref) -> None:
        with self._lock:
            self._last.pop(ref, None)
        self._sink.drop(ref)


def _news(last: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield what somebody may want to read later: reason, message, and whether it is a warning."""
    before, after = ({each["type"]: each for each in status.get("conditions") or ()} for status in (last, found))
    old, new = before.get(CONDITION) or {}, after[CONDITION]
    if new["status"] == "False" and (old.get("status"), old.get("message")) != ("False", new["message"]):
        yield new["reason"], new["message"], True
    word, was = found.get("printableStatus"), last.get("printableStatus")
    if word != was and was is not None:
        why = (after.get("Ready") or {}).get("message") or (found.get("domain") or {}).get("reason") or ""
        yield str(word), f"{was}, now {word}{f': {why}' if why else ''}", word == "CrashLoopBackOff"


def _word(error: KubevmmError) -> str:
    if isinstance(error, power.StartFailed):
        return "StartFailed"
    return "Invalid" if isinstance(error, InputError) else type(error).__name__.replace("KubevmmError", "Refused")


def _line(error: KubevmmError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)
