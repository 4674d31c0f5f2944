"""What needs no plan: a guest whose object, documents and state are what they were when a plan found nothing to do.

Kept for the life of the process. Reading a guest's documents is all that such a guest costs; everything that a plan
depends on is compared: the object and all that it refers to, what libvirt has defined and what runs (our mark is in
both), and whether it runs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from executor.engine import power
from executor.engine.guests import Outcome, Result
from executor.hypervisor.domains import PERSISTENT
from executor.hypervisor.errors import LibvirtError

if TYPE_CHECKING:
    from executor.engine.guests import Case
    from executor.engine.objects import Ref
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.domain import Domain, DomainState
    from executor.hypervisor.domains import Summary
    from executor.hypervisor.hypervisor import Hypervisor


@dataclass(frozen=True)
class _Entry:
    wanted: bytes
    """A digest of the object and of what it refers to."""
    domain: Domain
    seen: bytes
    """A digest of the domain's documents."""
    state: DomainState
    result: Result
    daemon: bool


_KNOWN: Final[WeakKeyDictionary[Hypervisor, dict[Ref, _Entry]]] = WeakKeyDictionary()


class Bulk:
    """The states of all domains, read by two calls where each guest of a pass would cost two of its own."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self._read: tuple[dict[str, Summary], frozenset[str]] | None = None

    def of(self, domain: Domain) -> tuple[Domain, DomainState, bool] | None:
        """Return *domain*, its state, and whether it is persistent; None where it is gone. Raises LibvirtError."""
        if self._read is None:
            domains = self._hypervisor.domains
            persistent = frozenset(each.uuid for each in domains.all(PERSISTENT))
            self._read = {each.domain.uuid: each for each in domains.summaries()}, persistent
        summaries, persistent = self._read
        found = summaries.get(domain.uuid)
        return (found.domain, found.state, domain.uuid in persistent) if found is not None else None


def known(
    hypervisor: Hypervisor, each: Declared, every: Declarations, bulk: Bulk | None = None, *, daemon: bool = False
) -> Result | None:
    """Return what became of *each*, one of *every*, last time, if it still is so; None where it may not be.

    *bulk* is one for all objects of a pass. A *daemon* also counts runs, so that it trusts its own findings alone.
    """
    entry = _KNOWN.get(hypervisor, {}).get(each.ref)
    if entry is None or (daemon and not entry.daemon) or _wanted(each, every) != entry.wanted:
        return None
    try:
        if bulk is not None:
            found = bulk.of(entry.domain)
        else:
            found = (entry.domain, entry.domain.state(), entry.domain.persistent)
        if found is None or found[1] != entry.state:
            return None
        domain, state, persistent = found
        live = domain.xml(secure=True).encode() if state.active else b""
        inactive = domain.xml(secure=True, inactive=True).encode() if persistent or not live else live
    except LibvirtError:
        # The plan will say what it is.
        return None
    return entry.result if _seen(live, inactive) == entry.seen else None


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
    """Remember what became of *each*, whose domain's state was *before* the plan was made."""
    entries = _KNOWN.setdefault(hypervisor, {})
    entries.pop(each.ref, None)
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
    seen = _seen(case.there.live_xml, case.there.inactive_xml)
    entries[each.ref] = _Entry(wanted, case.domain, seen, state, result, daemon)


def _seen(live: bytes, inactive: bytes) -> bytes:
    digest = hashlib.sha256(live)
    digest.update(b"\0")
    digest.update(inactive)
    return digest.digest()


def _wanted(each: Declared, every: Declarations) -> bytes | None:
    """Return a digest of *each* and of what it refers to; None where that is not all among *every*."""
    if not each.reach:
        # A seed lies on the host, where anybody may have changed it.
        return None if "cloudInit" in (each.object.get("spec") or {}) else each.digest
    digest = hashlib.sha256(each.digest)
    if "cloudInit" in (each.object.get("spec") or {}) or not _reached(each, every, digest, set()):
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
