"""Each operation on a guest, ended at each of its calls to libvirt and gone on with by another process: done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import journal, operations, ownership, power, runs, store
from executor.engine.objects import Ref
from executor.engine.operations import Request
from executor.hypervisor.calls import Recorder, hooked
from executor.hypervisor.domain import State
from executor.hypervisor.handle import Affect
from executor.plan import mark as marks
from tests.hypervisor.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.engine.journal import Record
    from executor.engine.store import Guest
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor


class Killed(BaseException):
    """The process has ended."""


def kill() -> None:
    raise Killed


def found(node: Hypervisor) -> Guest:
    return store.find(node, Ref("VirtualMachine", "default", "runs"))


def look(node: Hypervisor, kind: str, now: float) -> Record | None:
    """Do what a process does that finds a guest: go on with what its journal has, else begin; None while it waits."""
    guest, fresh = found(node), False
    entry = journal.read(node, guest.domain)
    if entry is None:
        begun = operations.begin(node, guest, request(kind), now)
        if begun.ended:
            return begun
        entry, fresh = journal.read(node, guest.domain), True
        assert entry is not None
    record, wait = operations.advance(node, guest, entry, fresh=fresh, now=now)
    assert (wait is None) == record.ended
    return record if record.ended else None


def request(kind: str) -> Request:
    return Request("uid-1", "default", "op-1", {"type": kind, "stop": {"gracePeriodSeconds": 5}})


def running(domain: Domain) -> bool:
    return domain.state().state is State.RUNNING


def paused(domain: Domain) -> bool:
    return domain.state().state is State.PAUSED


def off(domain: Domain) -> bool:
    return not domain.active


def saved(domain: Domain) -> bool:
    return off(domain) and domain.has_managed_save()


# What is done before, the calls that it may be only once, and how the guest is afterwards.
ACTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Domain], bool]]] = {
    "Start": (("destroy",), ("createWithFlags",), running),
    "Stop": ((), ("shutdown",), off),
    "PowerOff": ((), ("destroy",), off),
    "Restart": ((), ("createWithFlags",), running),
    "Pause": ((), ("suspend",), paused),
    "Resume": (("suspend",), ("resume",), running),
    "Save": ((), ("managedSave",), saved),
    "Restore": (("managed_save",), ("createWithFlags",), running),
    "Reset": ((), ("reset",), running),
    "SoftReboot": ((), ("reboot",), running),
}
UNSEEN = {"Reset", "SoftReboot"}


@pytest.fixture
def qemu_guest(qemu: Hypervisor) -> Hypervisor:
    """Return a node of QEMU's, with a guest that does nothing."""
    made = qemu.domains.define(
        "<domain type='qemu'><name>runs</name><memory unit='MiB'>32</memory>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    )
    made.start()
    ownership.adopt(qemu, "runs", "default")
    return qemu


def once(node: Hypervisor, kind: str, number: int) -> bool:
    """Do *kind*, ended after the call *number*, on a guest that runs; return whether there was such a call."""
    before, calls, ends = ACTS[kind]
    domain = found(node).domain
    for act in before:
        getattr(domain, act)()
    run = journal.run_of(node, domain)
    dying, recorder = Fault("after", number, kill), Recorder()
    with hooked(recorder):
        record, ended = None, False
        try:
            with hooked(dying):
                record = until_over(node, kind)
        except Killed:
            ended = True
            record = until_over(node, kind)
    what = (kind, number, record, [str(call) for call in recorder.changes])
    if kind in UNSEEN and ended and record.step == journal.FAILED:
        assert record.reason == operations.UNKNOWN, what
    else:
        assert record.step == journal.DONE, what
    assert ends(domain), what
    made = [call.method for call in recorder.changes]
    for call in calls:
        assert made.count(call) <= (2 if call == "shutdown" else 1), what
    if kind == "Restart":
        assert journal.run_of(node, domain) == run + 1, what
    journal.forget(node, domain)
    assert journal.URI not in domain.xml(inactive=True)
    return ended


def until_over(node: Hypervisor, kind: str) -> Record:
    """Look again and again, a second later each time by the clock that operations are given."""
    for second in range(20):
        record = look(node, kind, 1000.0 + second)
        if record is not None:
            return record
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ACTS)
def test_it_is_done_once_wherever_a_process_ends(qemu_guest: Hypervisor, kind: str) -> None:
    domain = found(qemu_guest).domain
    struck = 0
    # Before the next call is the same as after this one.
    while once(qemu_guest, kind, struck + 1):
        struck += 1
        if paused(domain):
            domain.resume()
        if off(domain):
            domain.start()
        assert running(domain)
    # That many calls there are at the least: the journal, the act, and its end.
    assert struck >= 3, struck


def test_a_guest_that_is_restarted_by_somebody_else_in_between_is_not_restarted_again(qemu_guest: Hypervisor) -> None:
    domain = found(qemu_guest).domain
    assert look(qemu_guest, "Restart", 1000.0) is None
    domain.destroy()
    domain.start()
    run = journal.run_of(qemu_guest, domain)
    record = look(qemu_guest, "Restart", 1001.0)
    assert record is not None
    assert (record.step, journal.run_of(qemu_guest, domain)) == (journal.DONE, run)
    assert marks.URI in domain.xml()


@pytest.mark.parametrize("kind", ["Stop", "PowerOff"])
def test_a_guest_that_is_off_after_a_crash_is_kept_so(qemu_guest: Hypervisor, kind: str) -> None:
    guest = found(qemu_guest)
    obj = {**guest.object, "spec": {**guest.object["spec"], "runStrategy": "Always"}}
    mark = marks.make("default", "runs", guest.domain.uuid, obj)
    guest.domain.destroy()
    guest.domain.set_metadata(mark.xml(), namespace=marks.URI, prefix=marks.KEY, affect=Affect.CONFIG)
    runs.save(qemu_guest, guest.domain.uuid, runs.Run(started=900.0, ended="crashed", failures=3, retry_at=1040.0))
    record = until_over(qemu_guest, kind)
    # It would have been started again, and is not: that is a change, whoever looks at it after a process ended.
    assert (record.step, record.reason) == (journal.DONE, "Succeeded")
    journal.forget(qemu_guest, guest.domain)
    again = until_over(qemu_guest, kind)
    assert (again.step, again.reason) == (journal.DONE, operations.UNCHANGED)
    settled = power.keep(qemu_guest, obj, guest.domain, now=2000.0)
    assert (settled.held, settled.note, off(guest.domain)) == ("off", "", True)
    assert runs.load(qemu_guest, guest.domain.uuid).retry_at == 0.0


def test_a_clock_that_is_set_back_does_not_make_a_guest_wait_for_ever(qemu_guest: Hypervisor) -> None:
    assert look(qemu_guest, "Stop", 1_000_000.0) is None
    entry = journal.read(qemu_guest, found(qemu_guest).domain)
    assert entry is not None
    _, wait = operations.advance(qemu_guest, found(qemu_guest), entry, fresh=False, now=0.0)
    assert wait == 5.0
