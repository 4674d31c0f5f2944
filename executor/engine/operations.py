"""Imperative acts on a guest, each done exactly once: written down before it is begun, and decided from libvirt after.

An act goes on from any step, in this process or in the next one: what it did is read from libvirt (the state, which run
it is, what is saved), never remembered. What cannot be read there, such as a press of the reset button, is not tried
again when a process ended in the middle of it: it fails, and says that nobody knows. docs/operations.md goes through
each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from executor.engine import bases, journal, ownership, power, runs, snapshots, state, store
from executor.engine.journal import ASKED, BEGUN, DONE, FAILED, STARTED, Record, advanced
from executor.engine.objects import Ref
from executor.hypervisor.domain import State, Via
from executor.hypervisor.errors import LibvirtError, Unavailable, Unsupported, WrongState
from executor.hypervisor.handle import Affect
from executor.node import life
from executor.plan import mark as marks
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from executor.engine.held import Power
    from executor.engine.journal import Entry
    from executor.engine.store import Guest
    from executor.hypervisor.domain import Domain, DomainState
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.snapshots import Snapshot

UNKNOWN: Final = "UnknownOutcome"
"""Why an act failed that may have been done, or not."""

UNCHANGED: Final = "Unchanged"
"""Why an act succeeded that found nothing to do."""

LOOK_AGAIN: Final = 1.0
"""Seconds after which a guest is looked at that libvirt is busy with."""


@dataclass(frozen=True)
class Request:
    """An operation that somebody asks for. ``spec`` is the object's; ``deadline`` seconds since 1970, 0 for none."""

    uid: str
    namespace: str
    name: str
    spec: Mapping[str, Any]
    deadline: float = 0.0


@dataclass(frozen=True)
class Step:
    """What came of one look: it ended (DONE or FAILED), or waits ``wait`` seconds at most for something to happen."""

    step: str
    message: str = ""
    reason: str = ""
    wait: float = 0.0


@dataclass(frozen=True)
class Act:
    """One look at an operation. *fresh* says that this very process wrote it down, and has done nothing yet."""

    hypervisor: Hypervisor
    guest: Guest
    entry: Entry
    record: Record
    fresh: bool
    now: float

    @property
    def domain(self) -> Domain:
        """The guest's domain."""
        return self.guest.domain

    @property
    def ran(self) -> bool:
        """Whether the guest ran when this was begun."""
        return self.record.run >= 0

    def note(self, step: str) -> Act:
        """Write down that *step* is reached."""
        record = advanced(self.record, step)
        # What was started is another run than the one that was found.
        journal.write(self.hypervisor, self.domain, record, same_run=step != STARTED)
        return Act(self.hypervisor, self.guest, self.entry, record, self.fresh, self.now)


def begin(hypervisor: Hypervisor, guest: Guest, request: Request, now: float) -> Record:
    """Write down that *request* is begun on *guest*, and return it; nothing is done yet.

    One that cannot be done comes back ended, and nothing is written. Raises LibvirtError.
    """
    domain = guest.domain
    found = domain.state()
    kind = str(request.spec.get("type"))
    record = Record(
        request.uid,
        request.namespace,
        request.name,
        kind,
        parameters=_parameters(hypervisor, guest, request.spec),
        begun=now,
        deadline=request.deadline,
        was=_words(found),
        run=journal.run_of(hypervisor, domain) if found.active else -1,
    )
    refusal = _refusal(hypervisor, guest, record, found)
    if refusal is not None:
        return _ended(record, refusal)
    mark = guest.mark.xml() if "snapshot" in record.parameters and guest.mark is not None else ""
    journal.begin(hypervisor, domain, record, mark=mark)
    return record


def advance(
    hypervisor: Hypervisor, guest: Guest, entry: Entry, *, fresh: bool, now: float
) -> tuple[Record, float | None]:
    """Do what is next of what stands in the journal of *guest*; return it, and for how long it waits unless it ended.

    *fresh* as in `Act`. Raises a transient LibvirtError where it can go on later; then it is not fresh any more if that
    is Unavailable.
    """
    record = entry.record
    if record.ended:
        return record, None
    act = Act(hypervisor, guest, entry, record, fresh, now)
    try:
        step = _ACTS[record.type](act)
    except LibvirtError as error:
        if error.transient:
            raise
        step = Step(FAILED, _line(error), type(error).__name__)
    except KubevmmError as error:
        step = Step(FAILED, _line(error), "Refused")
    late = step.step not in journal.ENDED and record.deadline and now >= record.deadline
    if late:
        step = Step(FAILED, "it did not come to an end before its deadline", "DeadlineExceeded")
    if step.step not in journal.ENDED:
        return record, min(step.wait, record.deadline - now) if record.deadline else step.wait
    record = _ended(record, step)
    again = journal.read(hypervisor, guest.domain)
    journal.write(hypervisor, guest.domain, record, same_run=again is not None and again.same_run)
    return record, None


def abandon(hypervisor: Hypervisor, guest: Guest, entry: Entry, reason: str, message: str) -> Record:
    """Do nothing more of what stands in the journal of *guest*, and write down why."""
    if entry.record.ended:
        return entry.record
    record = advanced(entry.record, FAILED, reason, message)
    journal.write(hypervisor, guest.domain, record, same_run=entry.same_run)
    return record


def remark(hypervisor: Hypervisor) -> None:
    """Give guests their mark back that were put back to a snapshot when a process ended. Raises LibvirtError."""
    for uuid, xml in journal.marks(hypervisor):
        domain = store.by_uuid(hypervisor, uuid)
        if domain is not None:
            _remark(domain, xml)


def _refusal(hypervisor: Hypervisor, guest: Guest, record: Record, found: DomainState) -> Step | None:
    if record.type not in _ACTS:
        return Step(FAILED, f"{record.type} is not there yet", "NotSupported")
    if record.type in _RUNNING and not found.active:
        return Step(FAILED, f"the guest does not run ({found.reason})", "NotRunning")
    if record.type in ("Restart", "Save") and not guest.domain.persistent:
        return Step(FAILED, "the guest has no definition, and would be gone once it stops", "Transient")
    if record.type == "Restore" and "snapshot" not in record.parameters:
        if found.active:
            return Step(FAILED, "the guest runs already", "Running")
        if not record.parameters["saved"]:
            return Step(FAILED, "there is no saved memory to go on from: Start boots it", "NotSaved")
    if "snapshot" in record.parameters:
        try:
            _snapshot(hypervisor, guest, record)
        except KubevmmError as error:
            return Step(FAILED, _line(error), "NoSnapshot")
    return None


def _parameters(hypervisor: Hypervisor, guest: Guest, spec: Mapping[str, Any]) -> dict[str, Any]:
    kind = spec.get("type")
    out: dict[str, Any] = {}
    if kind in ("Stop", "PowerOff"):
        # What the act itself holds off is not told, later, from what was held off before.
        out["rested"] = power.rests(hypervisor, guest.domain)
    if kind in ("Stop", "Restart"):
        stop = spec.get("stop") or {}
        own = (guest.object.get("spec") or {}).get("terminationGracePeriodSeconds", ownership.GRACE)
        out |= {"grace": stop.get("gracePeriodSeconds", own), "mode": stop.get("mode", "")}
    if out:
        return out
    restore = spec.get("restore")
    if restore:
        return {"snapshot": restore["snapshotRef"]["name"], "state": restore.get("state", "")}
    if kind in ("Start", "Restore"):
        return {"saved": not guest.domain.active and guest.domain.has_managed_save()}
    return {}


def _start(act: Act) -> Step:
    if act.ran:
        return Step(DONE, f"{life.ALREADY}: it ran already")
    return _boot(act, "started")


def _stop(act: Act) -> Step:
    # Also of one that is off: else it would be started again after a crash.
    against = _hold(act, "off")
    if not act.ran:
        return _off(act)
    waits = _down(act)
    return waits or Step(DONE, f"stopped{against}")


def _power_off(act: Act) -> Step:
    against = _hold(act, "off")
    if not act.ran:
        return _off(act)
    if act.entry.same_run:
        life.stop(act.hypervisor, act.domain, force=True)
    return Step(DONE, f"powered off{against}")


def _off(act: Act) -> Step:
    """Tell how it went with a guest that was off: it may have been about to start, as after a crash."""
    rested = act.record.parameters.get("rested")
    return Step(DONE, f"{life.ALREADY}: it did not run" if rested else "it did not run, and is not started any more")


def _restart(act: Act) -> Step:
    if act.ran:
        waits = _down(act)
        if waits is not None:
            return waits
    return _boot(act, "restarted" if act.ran else "started")


def _reset(act: Act) -> Step:
    return _unseen(act, life.reset)


def _soft_reboot(act: Act) -> Step:
    return _unseen(act, life.soft_reboot)


def _pause(act: Act) -> Step:
    now = act.domain.state()
    if act.entry.same_run and now.state is State.PAUSED:
        return Step(DONE, "paused" if act.record.was != _words(now) else f"{life.ALREADY}: it was paused")
    if not act.entry.same_run:
        return _unknown("it was started anew meanwhile")
    if act.fresh or _words(now) == act.record.was:
        return Step(DONE, life.pause(act.domain))
    return Step(DONE, "paused, and resumed by somebody since")


def _resume(act: Act) -> Step:
    now = act.domain.state()
    if act.entry.same_run and now.state is State.RUNNING:
        return Step(DONE, "resumed" if act.record.was != _words(now) else f"{life.ALREADY}: it ran")
    if not act.entry.same_run:
        return _unknown("it was started anew meanwhile")
    if act.fresh or _words(now) == act.record.was:
        return Step(DONE, life.resume(act.domain))
    return Step(DONE, "resumed, and paused by somebody since")


def _save(act: Act) -> Step:
    now = act.domain.state()
    if not now.active:
        if act.domain.has_managed_save():
            return Step(DONE, "saved" if act.ran else f"{life.ALREADY}: it was saved")
        return Step(FAILED, f"the guest does not run ({now.reason}), so there is nothing to save", "NotRunning")
    if not act.entry.same_run:
        if now.reason == "restored":
            return Step(DONE, "saved, and restored by somebody since")
        return _unknown("it was started anew meanwhile")
    if now.state is State.PAUSED and now.reason == "save":
        # libvirt goes on with it though who asked for it has ended.
        return Step(BEGUN, wait=LOOK_AGAIN)
    return Step(DONE, life.save(act.domain))


def _restore(act: Act) -> Step:
    if "snapshot" in act.record.parameters:
        return _revert(act)
    if act.domain.active:
        return Step(DONE, "restored")
    if not act.domain.has_managed_save():
        return Step(DONE, "restored, and off again since")
    bases.check(act.hypervisor, act.domain)
    _hold(act, "on")
    return Step(DONE, life.restore(act.domain))


def _revert(act: Act) -> Step:
    name = act.record.parameters["snapshot"]
    if act.entry.defined:
        snapshots.check(_snapshot(act.hypervisor, act.guest, act.record))
        if not act.entry.mark:
            # Not written down in full, so not begun.
            mark = act.guest.mark.xml() if act.guest.mark is not None else ""
            journal.begin(act.hypervisor, act.domain, act.record, mark=mark)
        running = {"Running": True, "Paused": False}.get(act.record.parameters["state"])
        try:
            _snapshot(act.hypervisor, act.guest, act.record).revert(running=running)
        finally:
            _remark(act.domain, act.guest.mark.xml() if act.guest.mark is not None else "")
    else:
        _remark(act.domain, act.entry.mark)
    return Step(DONE, f"put back to the snapshot {name}")


def _down(act: Act) -> Step | None:
    """Bring the run that was found to its end; return what it waits for, None when it has ended."""
    domain, grace = act.domain, float(act.record.parameters["grace"])
    if not act.entry.same_run or not domain.active:
        return None
    # A clock that was set back must not make it wait for ever.
    left = min(act.record.begun + grace - act.now, grace)
    # One that is paused could only be cut off in the end.
    if left > 0 and domain.state().state is not State.PAUSED:
        if act.record.step == BEGUN:
            runs.ask(act.hypervisor, domain.uuid, act.now)
            _ask(domain, _VIA.get(act.record.parameters["mode"], Via.DEFAULT))
            act.note(ASKED)
        if domain.active:
            return Step(ASKED, wait=left)
        return None
    life.stop(act.hypervisor, domain, force=True)
    return None


def _ask(domain: Domain, via: Via) -> None:
    try:
        domain.shutdown(via)
    except WrongState:
        # It stopped by itself in the meantime.
        if domain.active:
            raise


def _boot(act: Act, word: str) -> Step:
    """Start the guest, which is off: standing still first, so that it is known to have been started before it runs."""
    domain = act.domain
    if not act.ran and act.record.step == BEGUN and not domain.active:
        bases.check(act.hypervisor, domain)
    against = _hold(act, "on") if act.record.step in (BEGUN, ASKED) else ""
    if act.record.step != STARTED:
        if not domain.active:
            if act.record.parameters.get("saved"):
                # Its memory is there for just one start.
                if not domain.has_managed_save():
                    return Step(DONE, f"{word}, and off again since")
                return Step(DONE, f"{life.start(domain)}{against}")
            if not _start_still(domain):
                return Step(DONE, f"{word}{against}")
        act = act.note(STARTED)
    now = domain.state()
    if not now.active:
        return Step(DONE, f"{word}, and off again since ({now.reason})")
    if now.state is State.PAUSED:
        life.resume(domain)
    return Step(DONE, f"{word}{against}")


def _start_still(domain: Domain) -> bool:
    """Start it paused; return whether its hypervisor can do that, else it runs."""
    try:
        domain.start(paused=True)
    except Unsupported:
        life.start(domain)
        return False
    except WrongState:
        # Somebody else was quicker.
        if not domain.active:
            raise
    return True


def _unseen(act: Act, do: Callable[[Domain], str]) -> Step:
    """Do what leaves no trace in libvirt: by who wrote it down, or by nobody."""
    if not act.fresh:
        return _unknown("the executor ended in the middle of it")
    try:
        return Step(DONE, do(act.domain))
    except Unavailable:
        raise
    except LibvirtError as error:
        # A time that ran out says nothing of what was asked for.
        if error.transient:
            return _unknown(str(error))
        raise


def _hold(act: Act, wanted: Power) -> str:
    against = power.by_hand(act.domain, wanted)
    return f", though {against}" if against else ""


def _remark(domain: Domain, xml: str) -> None:
    there = store.mark_of(domain)
    if not xml or (there is not None and there.xml() == xml):
        return
    affect = Affect.LIVE if domain.active else Affect.CURRENT
    affect |= Affect.CONFIG if domain.persistent else Affect.CURRENT
    domain.set_metadata(xml, namespace=marks.URI, prefix=marks.KEY, affect=affect)


def _snapshot(hypervisor: Hypervisor, guest: Guest, record: Record) -> Snapshot:
    ref = Ref(snapshots.KIND, record.namespace, record.parameters["snapshot"])
    kept = state.load(hypervisor, snapshots.KIND, snapshots.place(ref))
    found = snapshots.snapshot_of(hypervisor, kept) if kept is not None else None
    if found is None:
        raise KubevmmError(f"there is no snapshot {ref.name} on the guest's node")
    if found.domain.uuid != guest.domain.uuid:
        raise KubevmmError(f"the snapshot {ref.name} is of another guest")
    return found


def _unknown(why: str) -> Step:
    return Step(FAILED, f"unknown outcome: {why}, so that it was done once or not at all", UNKNOWN)


def _ended(record: Record, step: Step) -> Record:
    nothing = step.step == DONE and step.message.startswith(life.ALREADY)
    return advanced(record, step.step, step.reason or (UNCHANGED if nothing else "Succeeded"), step.message)


def _words(found: DomainState) -> str:
    return f"{found.state} ({found.reason})"


def _line(error: KubevmmError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)


_VIA: Final = {"ACPI": Via.ACPI, "Agent": Via.AGENT, "InitCtl": Via.INITCTL, "Signal": Via.SIGNAL}

_RUNNING: Final = frozenset({"Reset", "SoftReboot", "Pause", "Resume"})
"""What only a guest that runs can have done to it."""

_ACTS: Final[Mapping[str, Callable[[Act], Step]]] = {
    "Start": _start,
    "Stop": _stop,
    "PowerOff": _power_off,
    "Restart": _restart,
    "Reset": _reset,
    "SoftReboot": _soft_reboot,
    "Pause": _pause,
    "Resume": _resume,
    "Save": _save,
    "Restore": _restore,
}

TYPES: Final = frozenset(_ACTS)
"""The types of operations that can be done."""
