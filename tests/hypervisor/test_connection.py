"""A connection opens itself again after it was lost; until then everybody is told that it is."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.connection import Connection
from executor.hypervisor.domain import State
from executor.hypervisor.errors import Unavailable
from executor.hypervisor.events import Event, Topic
from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.libvirtd import Libvirtd
from tests.hypervisor.guests import eventually, pretended, real

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.libvirt


def test_what_was_closed_stays_closed_until_it_is_opened(node: str) -> None:
    connection = Connection(node)
    with connection:
        assert connection.alive
    assert not connection.alive
    with pytest.raises(Unavailable) as caught:
        connection.read("getHostname")
    assert not caught.value.transient
    with connection:
        assert connection.read("getHostname")


def test_without_events_a_connection_to_this_machine_needs_no_event_loop(node: str) -> None:
    program = (
        "import sys, threading\nfrom executor.hypervisor.hypervisor import Hypervisor\n"
        "with Hypervisor(sys.argv[1], events=False) as here:\n"
        "    assert here.domains.by_name('runs').active and here.connection.alive\n"
        "    assert threading.active_count() == 1\n"
        "assert not here.connection.alive\n"
    )
    subprocess.run([sys.executable, "-c", program, node], check=True, timeout=60)


@pytest.mark.parametrize(
    ("uri", "here"),
    [
        ("qemu:///system", True), ("qemu+unix:///system?socket=/run/a", True), ("test:///default", True), ("", False),
        ("qemu+ssh://node/system", False), ("qemu+tcp://[::1]/system", False), ("xen+tls://user@node:16514/", False),
    ],
)  # fmt: skip
def test_another_machine_is_always_watched(uri: str, here: bool) -> None:
    assert Connection(uri, events=False).watched is not here
    assert Connection(uri).watched


def test_it_opens_at_the_first_use(node: str) -> None:
    assert Hypervisor(node).domains.by_name("runs").name == "runs"


def test_an_empty_uri_is_libvirts_own_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "test:///default")
    with Connection() as connection:
        assert connection.uri == "test:///default"


def test_waiting_ends_when_the_time_is_over(tmp_path: Path) -> None:
    connection = Connection(f"qemu+unix:///system?socket={tmp_path}/none")
    with pytest.raises(Unavailable):
        connection.wait_until_open(0.2)


def test_waiting_ends_when_it_is_told_to(tmp_path: Path) -> None:
    connection = Connection(f"qemu+unix:///system?socket={tmp_path}/none")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Unavailable):
        connection.wait_until_open(stop=stop)


def test_many_threads_use_one_connection(pretence: Hypervisor) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                domain = pretence.domains.define(pretended(f"d-{number}-{turn}"))
                domain.start()
                assert domain.state().state is State.RUNNING
                domain.destroy()
                domain.undefine()
        except BaseException as error:  # noqa: BLE001  (told in the test's own thread)
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [each.name for each in pretence.domains.all()] == ["runs"]


def test_a_daemon_that_ends_and_comes_back_is_found_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("d")
    events: queue.Queue[Event] = queue.Queue()
    with Libvirtd(folder) as first:
        hypervisor = Hypervisor(first.uri)
        hypervisor.connection.open()
        domain = hypervisor.domains.define(real("stays"))
        listening = hypervisor.events(events.put)
        listening.__enter__()
        assert events.get(timeout=60).topic is Topic.RESYNC
        os.kill(first.pid, signal.SIGKILL)
        eventually(lambda: not hypervisor.connection.alive, what="the loss is seen")
        with pytest.raises(Unavailable):
            domain.state()
        with pytest.raises(Unavailable):
            hypervisor.domains.all()
    try:
        with Libvirtd(folder):
            topics: list[Topic] = []
            while not topics or topics[-1] is not Topic.RESYNC:
                topics.append(events.get(timeout=60).topic)
            assert topics == [Topic.LOST, Topic.RESYNC]
            found = hypervisor.domains.by_name("stays")
            # Events of the new daemon come as those of the old did.
            found.start(paused=True)
            eventually(
                lambda: events.get(timeout=60) == Event(Topic.LIFECYCLE, found.uuid, "stays", "started", "booted"),
                what="an event of the new daemon",
            )
            found.destroy()
            hypervisor.connection.close()
    finally:
        listening.close()


def test_a_lookup_right_after_a_restart_does_not_fail(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("d")
    with Libvirtd(folder) as first:
        hypervisor = Hypervisor(first.uri)
        hypervisor.domains.define(real("stays"))
    with Libvirtd(folder):
        assert [summary.domain.name for summary in hypervisor.domains.summaries()] == ["stays"]
        hypervisor.connection.close()
