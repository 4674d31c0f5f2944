"""What needs no plan: a guest whose object, documents and state are what they were when a plan found nothing to do.

Kept for the life of the process, and for those to come (`remembered`). Reading a guest's documents is all that such a
guest costs; everything that a plan depends on is compared: the object and all that it refers to, what libvirt has
defined and what runs (our mark is in both), and whether it runs. Of a guest that runs the definition is read all the
same: libvirt sends no event for most of what can be changed of it (a device attached to it, its memory), nor has it a
number that such a change would raise.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from executor.engine import power, remembered
from executor.engine.guests import Outcome, Result
from executor.engine.remembered import Remembered
from executor.hypervisor.domains import TRANSIENT
from executor.hypervisor.errors import LibvirtError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from executor.engine.guests import Case
    from executor.engine.objects import Ref
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.domain import Domain, DomainState
    from executor.hypervisor.domains import Summary
    from executor.hypervisor.hypervisor import Hypervisor


Quick: TypeAlias = tuple[int, int, int, int]
"""The hashes and lengths of what runs and of the definition: a third of a digest's cost, good for one process."""


@dataclass(frozen=True)
class Seen:
    """What tells a domain's documents from others: ``digest``, for all processes, where it was asked for."""

    quick: Quick
    digest: bytes = b""


class Bulk:
    """What a pass needs of all domains, read together where each guest by itself would have to wait for it.

    Their states come by two calls. The documents of guests that may be unchanged are read by several threads, some
    guests ahead of the pass: libvirt works on one while another is on its way. Of the documents only digests are kept.
    *objects* are those of the pass, in its order. A context manager, which ends what is still being read.
    """

    def __init__(
        self, hypervisor: Hypervisor, objects: Sequence[Declared] = (), every: Declarations | None = None
    ) -> None:
        self._hypervisor = hypervisor
        self._objects = objects
        self._every = every
        self._read: tuple[dict[str, Summary], frozenset[str]] | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._chunks: list[list[tuple[Domain, Remembered]]] = []
        self._places: dict[str, int] = {}
        self._ahead: list[Future[dict[str, Seen | None]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._readers is not None:
            self._readers.shutdown(cancel_futures=True)

    def seen(self, entry: Remembered) -> Seen | None:
        """Return what tells the documents of *entry*'s domain from others; None where it is gone, or in another state.

        Raises LibvirtError.
        """
        if self._read is None:
            domains = self._hypervisor.domains
            transient = frozenset(each.uuid for each in domains.all(TRANSIENT))
            self._read = {each.domain.uuid: each for each in domains.summaries()}, transient
            self._plan()
        found = self._same(entry)
        if found is None:
            return None
        place = self._places.get(found.uuid)
        return self._document(found, entry) if place is None else self._chunk(place).get(found.uuid)

    def _same(self, entry: Remembered) -> Domain | None:
        summaries, _ = self._read or ({}, frozenset())
        found = summaries.get(entry.uuid)
        return found.domain if found is not None and _is_in(found.state, entry) else None

    def _document(self, domain: Domain, entry: Remembered) -> Seen:
        summaries, transient = self._read or ({}, frozenset())
        whole = not remembered.of(self._hypervisor).quick(entry)
        return _look(domain, summaries[domain.uuid].state, persistent=domain.uuid not in transient, whole=whole)

    def _plan(self) -> None:
        """Note which documents are worth reading ahead: those of guests that nothing else says have changed."""
        entries = remembered.of(self._hypervisor).entries
        if len(entries) < 2 * CHUNK or self._every is None:
            return
        known = ((each, entries[each.ref]) for each in self._objects if each.ref in entries)
        found = ((self._same(entry), entry) for each, entry in known if _wanted(each, self._every) == entry.wanted)
        todo = [(domain, entry) for domain, entry in found if domain is not None]
        self._chunks = [todo[at : at + CHUNK] for at in range(0, len(todo), CHUNK)]
        self._places = {domain.uuid: place for place, chunk in enumerate(self._chunks) for domain, _ in chunk}
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="unchanged")

    def _chunk(self, place: int) -> dict[str, Seen | None]:
        if self._readers is None:
            raise AssertionError(place)
        # Not further ahead than keeps all readers busy: what is read should be what is there.
        while len(self._ahead) < min(place + READERS + 1, len(self._chunks)):
            self._ahead.append(self._readers.submit(self._digests, self._chunks[len(self._ahead)]))
        return self._ahead[place].result()

    def _digests(self, todo: list[tuple[Domain, Remembered]]) -> dict[str, Seen | None]:
        out: dict[str, Seen | None] = {}
        for domain, entry in todo:
            try:
                out[domain.uuid] = self._document(domain, entry)
            except LibvirtError:
                # The plan will say what it is.
                out[domain.uuid] = None
        return out


CHUNK: Final = 25
"""How many guests' documents a reader takes at a time."""

READERS: Final = 3
"""How many read: more gain nothing (measured), since each call also needs the interpreter."""


def _is_in(state: DomainState, entry: Remembered) -> bool:
    return (state.state.value, state.reason) == (entry.state, entry.reason)


def _look(domain: Domain, state: DomainState, *, persistent: bool, whole: bool) -> Seen:
    live = domain.xml(secure=True) if state.active else ""
    return _seen(live, domain.xml(secure=True, inactive=True) if persistent or not live else live, whole=whole)


def known(
    hypervisor: Hypervisor, each: Declared, every: Declarations, bulk: Bulk | None = None, *, daemon: bool = False
) -> Result | None:
    """Return what became of *each*, one of *every*, last time, if it still is so; None where it may not be.

    *bulk* is one for all objects of a pass. A *daemon* also counts runs, so that it trusts its own findings alone.
    """
    guests = remembered.of(hypervisor)
    entry = guests.entries.get(each.ref)
    if entry is None or (daemon and not entry.daemon) or _wanted(each, every) != entry.wanted:
        return None
    try:
        if bulk is not None:
            seen = bulk.seen(entry)
        else:
            domain = guests.domain(hypervisor, entry.uuid)
            state = domain.state()
            whole = not guests.quick(entry)
            seen = _look(domain, state, persistent=domain.persistent, whole=whole) if _is_in(state, entry) else None
    except LibvirtError:
        # The plan will say what it is.
        return None
    return _result(entry) if seen is not None and guests.same(entry, seen.quick, seen.digest) else None


def _result(entry: Remembered) -> Result:
    return Result(Outcome.UNCHANGED, entry.notes, None, entry.held, entry.drift)


def note(
    hypervisor: Hypervisor,
    each: Declared,
    every: Declarations,
    case: Case,
    result: Result,
    before: DomainState | None,
    *,
    daemon: bool = False,
) -> None:
    """Note what became of *each*, whose domain's state was *before* the plan was made."""
    guests = remembered.of(hypervisor)
    guests.forget(each.ref)
    wanted = _wanted(each, every)
    if result.outcome is not Outcome.UNCHANGED or result.wait is not None or wanted is None:
        return
    if case.domain is None or case.there is None or before is None:
        return
    try:
        state = case.domain.state()
    except LibvirtError:
        return
    # What its runStrategy asks for must follow from its state alone.
    if state != before or power.step(power.strategy(each.object), state):
        return
    seen = _seen(case.there.live_xml.decode(), case.there.inactive_xml.decode(), whole=True)
    guests.note(
        Remembered(
            each.ref.namespace,
            each.ref.name,
            wanted,
            case.domain.uuid,
            seen.digest,
            state.state.value,
            state.reason,
            result.notes,
            result.held,
            result.drift,
            daemon,
        ),
        case.domain,
        seen.quick,
    )


def _seen(live: str, inactive: str, *, whole: bool) -> Seen:
    # Python's own hash is keyed anew for each process, so that nobody can aim at it.
    quick = hash(live), len(live), hash(inactive), len(inactive)
    # No XML has a NUL in it.
    return Seen(quick, hashlib.sha256(f"{live}\0{inactive}".encode()).digest() if whole else b"")


def _wanted(each: Declared, every: Declarations) -> bytes | None:
    """Return a digest of *each* and of what it refers to; None where that is not all among *every*."""
    if not each.reach:
        # A seed lies on the host, where anybody may have changed it.
        return None if each.seeded else each.digest
    digest = hashlib.sha256(each.digest)
    if each.seeded or not _reached(each, every, digest, set()):
        return None
    return digest.digest()


def _reached(each: Declared, every: Declarations, digest: hashlib._Hash, met: set[Ref]) -> bool:
    """Take what *each* refers to into *digest*; say whether all of it is there."""
    met.add(each.ref)
    for key, namespace, name in each.reach:
        objects, secrets = every.named(namespace, name)
        if not objects and not secrets and key != "networkRef":
            return False
        for other in objects:
            digest.update(other.digest)
            if other.ref not in met and not _reached(other, every, digest, met):
                return False
        for secret in secrets:
            # The length keeps two values apart.
            digest.update(f"{secret[0]}\0{len(secret[1])}\0{secret[1]}".encode())
    return True
