"""Every call goes through one function: hooks see it, count it, and make it fail where a test wants it to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import executor.hypervisor
from executor.hypervisor.calls import Call, Recorder, hooked
from executor.hypervisor.errors import NotFound, Unavailable
from tests.hypervisor.faults import Fault
from tests.hypervisor.guests import pretended

if TYPE_CHECKING:
    from executor.hypervisor.errors import LibvirtError
    from executor.hypervisor.hypervisor import Hypervisor

pytestmark = pytest.mark.libvirt


def test_a_recorder_keeps_what_changes_something_in_order(pretence: Hypervisor) -> None:
    with hooked(Recorder()) as recorder:
        domain = pretence.domains.define(pretended("web-1"))
        domain.start()
        domain.state()
        domain.destroy()
    assert [str(call) for call in recorder.changes] == [
        f"connection.defineXMLFlags({pretence.connection.uri})",
        "domain.createWithFlags(web-1)",
        "domain.destroy(web-1)",
    ]


def test_looking_changes_nothing(pretence: Hypervisor) -> None:
    with hooked(Recorder()) as recorder:
        for summary in pretence.domains.summaries(statistics=True):
            summary.domain.xml(inactive=True, secure=True)
            summary.domain.metadata("urn:x")
        for pool in pretence.pools.all():
            pool.info()
        for network in pretence.networks.all():
            network.xml()
        pretence.host.machine()
    assert recorder.changes == []
    assert recorder.reads > 0


def test_a_hook_is_told_of_the_error_and_no_more_after_its_block(pretence: Hypervisor) -> None:
    told: list[tuple[Call, LibvirtError | None]] = []

    class Listener:
        def before(self, call: Call) -> None:
            pass

        def after(self, call: Call, error: LibvirtError | None) -> None:
            told.append((call, error))

    with hooked(Listener()), pytest.raises(NotFound):
        pretence.domains.by_name("nobody")
    pretence.host.hostname()
    [(call, error)] = told
    assert call.method == "lookupByName"
    assert isinstance(error, NotFound)


def test_a_fault_before_a_call_keeps_it_from_being_made(pretence: Hypervisor) -> None:
    domain = pretence.domains.by_name("runs")

    def cut() -> None:
        raise Unavailable("cut")

    with hooked(Fault("before", 1, cut, matching="destroy")), pytest.raises(Unavailable):
        domain.destroy()
    assert domain.active


def test_a_fault_after_a_call_comes_when_it_was_made(pretence: Hypervisor) -> None:
    domain = pretence.domains.by_name("runs")

    def cut() -> None:
        raise Unavailable("cut")

    with hooked(Fault("after", 1, cut, matching="destroy")), pytest.raises(Unavailable):
        domain.destroy()
    assert not domain.active


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_ends_the_process_at_the_call(when: str) -> None:
    script = f"""
from executor.hypervisor.calls import hooked
from executor.hypervisor.hypervisor import Hypervisor
from tests.hypervisor.faults import Fault
with Hypervisor("test:///default") as hypervisor, hooked(Fault({when!r}, 2)):
    [summary] = hypervisor.domains.summaries()
    summary.domain.suspend()
    print("first", flush=True)
    summary.domain.resume()
    print("second", flush=True)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (-9, "first\n")


def test_no_file_calls_libvirt_past_the_one_function() -> None:
    # What waits in a callback, or belongs to a stream that such a call has opened, is named here, each with its reason.
    allowed = {
        "calls.py",  # the function itself
        "connection.py",  # isAlive, keepalive: what keeps the handle, not what is done with it
        "events.py",  # registrations
        "streams.py",  # the bytes of a transfer that was begun by a call
        "console.py",  # the same, from the event loop
        "eventloop.py",
    }
    folder = Path(executor.hypervisor.__file__).parent
    strange = [
        path.name
        for path in folder.rglob("*.py")
        if path.name not in allowed
        for line in path.read_text(encoding="utf-8").splitlines()
        # These ask the handle itself, in this process.
        if ".raw." in line and not any(each in line for each in ("raw.name()", "raw.UUIDString()"))
    ]
    assert strange == []
