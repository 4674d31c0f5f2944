"""Events arrive in their order, in a thread that may make calls; a flood of them becomes one call to look anew."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.errors import NotFound
from executor.hypervisor.events import Event, Topic
from executor.hypervisor.handle import Affect
from tests.hypervisor.guests import pretended

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor

pytestmark = pytest.mark.libvirt


def test_a_domains_life_is_told_step_by_step(pretence: Hypervisor) -> None:
    events: queue.Queue[Event] = queue.Queue()
    with pretence.events(events.put):
        domain = pretence.domains.define(pretended("web-1"))
        uuid = domain.uuid
        domain.start()
        domain.suspend()
        domain.resume()
        domain.set_metadata("<a/>", namespace="urn:x", prefix="k", affect=Affect.BOTH)
        domain.shutdown()
        domain.undefine()
        told = [events.get(timeout=60) for _ in range(8)]
    assert told[0] == Event(Topic.RESYNC)
    assert all((event.uuid, event.name) == (uuid, "web-1") for event in told[1:])
    assert [(event.topic.value, event.what, event.detail) for event in told[1:]] == [
        ("lifecycle", "defined", "added"),
        ("lifecycle", "started", "booted"),
        ("lifecycle", "suspended", "paused"),
        ("lifecycle", "resumed", "unpaused"),
        ("metadata", "urn:x", ""),
        ("lifecycle", "stopped", "shutdown"),
        ("lifecycle", "undefined", "removed"),
    ]


def test_networks_and_pools_have_events_too(pretence: Hypervisor) -> None:
    events: queue.Queue[Event] = queue.Queue()
    with pretence.events(events.put):
        pretence.networks.by_name("inner").destroy()
        pretence.pools.by_name("images").destroy()
        told = [events.get(timeout=60) for _ in range(3)]
    assert [(event.topic.value, event.name, event.what) for event in told[1:]] == [
        ("network", "inner", "stopped"),
        ("pool", "images", "stopped"),
    ]


def test_whoever_gets_an_event_may_call(pretence: Hypervisor) -> None:
    answers: queue.Queue[bool] = queue.Queue()

    def look(event: Event) -> None:
        if event.topic is Topic.LIFECYCLE:
            answers.put(pretence.domains.by_uuid(event.uuid).active)

    with pretence.events(look):
        pretence.domains.by_name("runs").destroy()
        assert answers.get(timeout=60) is False


def test_one_that_fails_gets_the_next_all_the_same(pretence: Hypervisor, caplog: pytest.LogCaptureFixture) -> None:
    events: queue.Queue[Event] = queue.Queue()

    def fail(event: Event) -> None:
        events.put(event)
        raise NotFound("what it was about")

    with pretence.events(fail):
        pretence.domains.by_name("runs").suspend()
        pretence.domains.by_name("runs").resume()
        assert [events.get(timeout=60).what for _ in range(3)] == ["", "suspended", "resumed"]
    assert "what it was about" in caplog.text


def test_a_flood_is_told_as_one_resync(pretence: Hypervisor) -> None:
    events: queue.Queue[Event] = queue.Queue()
    go = threading.Event()

    def slow(event: Event) -> None:
        go.wait(60)
        events.put(event)

    domain = pretence.domains.by_name("runs")
    seen = threading.Event()
    with pretence.events(slow, limit=5):
        # A second, quick listener says when all of them have been there.
        counted: list[Event] = []

        def count(event: Event) -> None:
            counted.append(event)
            if len(counted) == 41:
                seen.set()

        with pretence.events(count):
            for _ in range(20):
                domain.suspend()
                domain.resume()
            assert seen.wait(60)
        go.set()
        first, second = events.get(timeout=60), events.get(timeout=60)
        domain.suspend()
        third = events.get(timeout=60)
    assert [first.topic, second.topic, third.topic] == [Topic.RESYNC, Topic.RESYNC, Topic.LIFECYCLE]


def test_several_listen_and_none_hears_anything_after_its_block(pretence: Hypervisor) -> None:
    short: queue.Queue[Event] = queue.Queue()
    long: queue.Queue[Event] = queue.Queue()
    domain = pretence.domains.by_name("runs")
    with pretence.events(long.put):
        with pretence.events(short.put):
            domain.suspend()
            assert [short.get(timeout=60).what for _ in range(2)] == ["", "suspended"]
        domain.resume()
        assert [long.get(timeout=60).what for _ in range(3)] == ["", "suspended", "resumed"]
    domain.suspend()
    assert (short.empty(), long.empty()) == (True, True)
