"""Whether a guest should run, by its runStrategy, and what is done about it.

What libvirt says of the last run counts first; what it forgot stands in the state folder (`runs`); what a person did by
hand against the runStrategy goes before both (`held`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from executor.engine import held as holds
from executor.engine import runs, store
from executor.hypervisor.errors import LibvirtError, Unsupported, WrongState
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from executor.engine.runs import Run
    from executor.hypervisor.domain import Domain, DomainState
    from executor.hypervisor.hypervisor import Hypervisor

logger = logging.getLogger(__name__)

_ENDED: Final = {"shutdown", "destroyed", "crashed", "migrated", runs.LOST}
"""Reasons for a guest to be off that tell of a run before."""

_WANTED: Final = {"shutdown", "destroyed", "migrated"}
"""Those of them by which somebody wanted it off."""

ASK_AGAIN: Final = 60.0
"""Seconds after which a guest that did not shut down is asked once more; each time twice as many, at most 16 times."""


def strategy(obj: Mapping[str, Any]) -> str:
    """Return the object's run strategy: Always, RerunOnFailure, Once, Manual or Halted."""
    spec = obj.get("spec") or {}
    if "running" in spec:
        return "Always" if spec["running"] else "Halted"
    return str(spec.get("runStrategy") or "Manual")


def step(wanted: str, state: DomainState, ended: str = "", held: str = "") -> str:
    """Return what has to be done so that a guest in *state* runs as *wanted* says: ``start``, ``stop`` or nothing.

    *ended* is how the last run ended, where that is remembered and libvirt has forgotten it; *held* what a person wants
    instead (``on``, ``off``).

    >>> from executor.hypervisor.domain import DomainState, State
    >>> step("RerunOnFailure", DomainState(State.SHUTOFF, "crashed"))
    'start'
    >>> step("Once", DomainState(State.SHUTOFF, "shutdown"))
    ''
    >>> step("Always", DomainState(State.SHUTOFF, "shutdown"), held="off")
    ''
    """
    if state.active:
        return "stop" if wanted == "Halted" and held != "on" and state.state.value != "shutdown" else ""
    reason = ended if state.reason == "unknown" and ended else state.reason
    # Whoever saved its memory wants it to stay saved; after a start of libvirt's it is like any other.
    if held == "off" or state.reason == "saved":
        return ""
    if wanted == "Always":
        return "start"
    if wanted == "RerunOnFailure":
        return "" if reason in _WANTED else "start"
    if wanted == "Once":
        return "" if reason in _ENDED else "start"
    return ""


@dataclass(frozen=True)
class Settled:
    """What was done about a guest's power; ``wait`` is in how many seconds there is more to do, None for not by time.

    ``held`` says that a person wants it otherwise than its runStrategy.
    """

    note: str = ""
    wait: float | None = None
    held: str = ""


class StartFailed(KubevmmError):  # noqa: N818  (named for what happened)
    """The guest did not start; ``wait`` is in how many seconds the next try is due."""

    def __init__(self, error: LibvirtError, wait: float) -> None:
        super().__init__(str(error), hint=error.hint)
        self.wait = wait


def would_change(obj: Mapping[str, Any], domain: Domain) -> bool:
    """Say whether `settle` would start or stop *domain*."""
    return bool(step(strategy(obj), domain.state()))


def rests(hypervisor: Hypervisor, domain: Domain) -> bool:
    """Say whether *domain* is off, and nothing would start it: neither its runStrategy nor a start that is due."""
    try:
        mark = store.mark_of(domain)
        state = domain.state()
        if state.active or mark is None:
            return not state.active
        wanted = strategy(mark.applied)
        return not step(wanted, state, runs.load(hypervisor, domain.uuid).ended, holds.held(domain, wanted))
    except Unsupported:
        return False


def by_hand(domain: Domain, wanted: holds.Power) -> str:
    """Note that a person wants *domain* on or off now; return what that goes against in words, empty for nothing.

    What the object itself says, or no object at all, needs no note, and ends one that there is.
    """
    try:
        mark = store.mark_of(domain)
    except Unsupported:
        mark = None
    return holds.hold(domain, strategy(mark.applied), wanted) if mark is not None else ""


@contextlib.contextmanager
def started_by_hand(domain: Domain, *, stops_first: bool = False) -> Iterator[str]:
    """Let a person start *domain* in the block, with no daemon in between; yield what that goes against in words."""
    if stops_first:
        by_hand(domain, "off")
    against = ""
    try:
        # A guest that should always run is nobody's to stop, so that ends only when it runs.
        if not holds.stays_off(domain):
            against = by_hand(domain, "on")
        yield against
    finally:
        by_hand(domain, "on")


def settle(hypervisor: Hypervisor, obj: Mapping[str, Any], domain: Domain, *, new: bool = False) -> str:
    """Start *domain*, or ask it to shut down, as *obj* says; return what was done, in words, empty for nothing.

    For a person who applies it: nothing waits, and what was done by hand before counts no more. A *new* domain has
    never run, whatever libvirt's test driver says. Raises Conflict where what it would write to is a clone's base.
    """
    wanted = strategy(obj)
    run = runs.Run() if new else runs.load(hypervisor, domain.uuid)
    todo = _todo(wanted, domain.state(), run, new=new)
    if todo == "start" and not new:
        _check(hypervisor, domain)
    if todo and not new:
        holds.release(domain)
    return _act(domain, todo)


def keep(
    hypervisor: Hypervisor, obj: Mapping[str, Any], domain: Domain, *, new: bool = False, now: float | None = None
) -> Settled:
    """Do the same for a daemon that looks again and again: crashes are counted, and waited for longer each time.

    Raises StartFailed where a guest does not start, LibvirtError where it cannot be asked to stop, Conflict where it is
    kept off by what is based on its disks.
    """
    now = time.time() if now is None else now
    wanted, state = strategy(obj), domain.state()
    before = runs.Run() if new else runs.load(hypervisor, domain.uuid)
    held = "" if new else holds.held(domain, wanted)
    run = runs.seen(before, state, now, wanted=held == "off")
    if held == "off":
        # Nothing waits for its next start.
        run = replace(run, failures=0, retry_at=0.0)
    digest = _digest(obj)
    if run.spec != digest:
        # What was changed may well run now.
        run = replace(run, spec=digest, failures=0, retry_at=0.0, asked=0.0, asks=0)
    todo = _todo(wanted, state, run, new=new, held=held)
    if not todo:
        return _kept(hypervisor, domain, before, run, Settled(held=held, wait=_until_stable(run, state, now)))
    if todo == "start" and not new:
        # That is no failed start, which would be counted, but said each time for as long as it is so.
        _check(hypervisor, domain)
    due = run.retry_at if todo == "start" else _ask_at(run)
    if due > now:
        return _kept(hypervisor, domain, before, run, Settled(wait=due - now, held=held))
    try:
        note = _act(domain, todo)
    except LibvirtError as error:
        if todo == "stop" or error.transient:
            _kept(hypervisor, domain, before, run, Settled())
            raise
        run = runs.failed(run, now)
        _kept(hypervisor, domain, before, run, Settled())
        raise StartFailed(error, run.retry_at - now) from error
    if todo == "start":
        run = replace(run, started=time.time(), ended="", retry_at=0.0, asked=0.0, asks=0)
        wait = runs.STABLE if run.failures else None
    else:
        run = replace(run, asked=now, asks=run.asks + 1)
        wait = _ask_at(run) - now
    return _kept(hypervisor, domain, before, run, Settled(note, wait, held))


def _kept(hypervisor: Hypervisor, domain: Domain, before: Run, run: Run, settled: Settled) -> Settled:
    if run != before:
        runs.save(hypervisor, domain.uuid, run)
    return settled


def _todo(wanted: str, state: DomainState, run: Run, *, new: bool, held: str = "") -> str:
    if new and not state.active:
        return "start" if wanted in {"Always", "Once", "RerunOnFailure"} else ""
    return step(wanted, state, run.ended, held)


def _act(domain: Domain, todo: str) -> str:
    if todo == "start":
        try:
            domain.start()
        except WrongState:
            # Somebody else was quicker.
            if not domain.active:
                raise
            return ""
        return "started"
    if todo == "stop":
        try:
            domain.shutdown()
        except WrongState:
            if domain.active:
                raise
            return ""
        return "asked to shut down"
    return ""


def _check(hypervisor: Hypervisor, domain: Domain) -> None:
    from executor.engine import bases  # noqa: PLC0415  (what lists guests needs none of it)

    bases.check(hypervisor, domain)


def _ask_at(run: Run) -> float:
    return run.asked + ASK_AGAIN * 2 ** min(run.asks - 1, 4) if run.asks else 0.0


def _until_stable(run: Run, state: DomainState, now: float) -> float | None:
    return max(run.started + runs.STABLE - now, 1.0) if state.active and run.failures else None


def _digest(obj: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(obj.get("spec"), sort_keys=True, default=str).encode()).hexdigest()[:16]
