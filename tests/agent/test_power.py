"""When a guest runs, by its runStrategy, how its last run ended, and what a person did by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from executor.engine import held, power, runs, store
from executor.engine.runs import FIRST, LONGEST, LOST, STABLE, Run, seen
from executor.hypervisor.domain import DomainState, State
from tests.agent.running import WEB
from tests.engine.objects import apply, vm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

RUNNING = DomainState(State.RUNNING, "booted")


def off(reason: str) -> DomainState:
    return DomainState(State.SHUTOFF, reason)


# By strategy: how the last run ended, and whether it is started again.
ENDS = {
    "Always": {"shutdown": True, "destroyed": True, "crashed": True, "failed": True, LOST: True, "": True},
    "RerunOnFailure": {"shutdown": False, "destroyed": False, "crashed": True, "failed": True, LOST: True, "": True},
    "Once": {"shutdown": False, "destroyed": False, "crashed": False, "failed": True, LOST: False, "": True},
    "Manual": {"shutdown": False, "destroyed": False, "crashed": False, "failed": False, LOST: False, "": False},
    "Halted": {"shutdown": False, "destroyed": False, "crashed": False, "failed": False, LOST: False, "": False},
}


@pytest.mark.parametrize(
    ("strategy", "ended", "starts"),
    [(strategy, ended, starts) for strategy, ends in ENDS.items() for ended, starts in ends.items()],
)
def test_whether_a_guest_is_started_again_follows_from_how_it_ended(strategy: str, ended: str, starts: bool) -> None:
    expected = "start" if starts else ""
    # libvirt forgets with its daemon how a guest ended; what is remembered then counts.
    assert power.step(strategy, off("unknown"), ended) == expected
    if ended not in ("", LOST):
        assert power.step(strategy, off(ended)) == expected


@pytest.mark.parametrize("strategy", list(ENDS))
def test_a_guest_whose_memory_was_saved_stays_saved(strategy: str) -> None:
    assert power.step(strategy, off("saved")) == ""


def test_a_run_that_ends_at_once_again_and_again_waits_twice_as_long_each_time() -> None:
    run, now, pauses = Run(), 1000.0, []
    for _ in range(8):
        run = seen(run, RUNNING, now)
        now += 1
        run = seen(run, off("crashed"), now)
        pauses.append(run.retry_at - now)
        now = run.retry_at
    assert pauses == [FIRST, 20, 40, 80, 160, LONGEST, LONGEST, LONGEST]


def test_a_good_run_starts_the_count_anew() -> None:
    run = seen(Run(started=1000.0, failures=5), RUNNING, 1000 + STABLE)
    assert run.failures == 0
    assert seen(run, off("crashed"), 2000 + STABLE).retry_at == 0


@pytest.mark.parametrize("reason", sorted(runs.UNCOUNTED - {LOST}))
def test_what_a_person_or_the_host_ended_is_no_failure(reason: str) -> None:
    run = seen(Run(started=1000.0), off(reason), 1001.0)
    assert (run.ended, run.failures, run.retry_at) == (reason, 0, 0.0)


@pytest.mark.parametrize(("how", "failures"), [("shutdown", 0), ("crashed", 1)])
def test_a_shutdown_that_was_asked_for_is_no_failure(how: str, failures: int) -> None:
    assert seen(Run(started=1000.0, asked=1000.5), off(how), 1001.0).failures == failures
    assert seen(Run(started=1000.0), off(how), 1001.0, wanted=True).failures == failures


def test_an_end_that_nobody_saw_is_remembered_as_lost() -> None:
    assert seen(Run(started=1000.0), off("unknown"), 1001.0).ended == LOST


@pytest.fixture
def web(node: Hypervisor, tmp_path: Path) -> Iterator[Domain]:
    path = tmp_path / "web.yaml"
    path.write_text(vm(spec="runStrategy: Manual"), encoding="utf-8")
    apply(node, str(path))
    return store.find(node, WEB).domain


def wanted(strategy: str, title: str = "") -> dict[str, object]:
    return {"spec": {"runStrategy": strategy, "domain": {"title": title}}}


def test_a_daemon_waits_before_it_starts_what_crashed_and_not_for_what_was_changed(
    node: Hypervisor, web: Domain
) -> None:
    assert power.keep(node, wanted("Always"), web, now=1000.0).note == "started"
    web.shutdown()
    now = runs.load(node, web.uuid).started + 1
    settled = power.keep(node, wanted("Always"), web, now=now)
    assert (settled.note, settled.wait) == ("", FIRST)
    assert power.keep(node, wanted("Always"), web, now=now + FIRST - 1).note == ""
    assert power.keep(node, wanted("Always", "better"), web, now=now + FIRST - 1).note == "started"


def test_a_guest_that_runs_once_does_not_run_twice_whatever_libvirt_forgot(node: Hypervisor, web: Domain) -> None:
    assert power.keep(node, wanted("Once"), web, now=1000.0).note == "started"
    runs.save(node, web.uuid, Run(started=1000.0, ended=LOST))
    web.destroy()
    assert power.keep(node, wanted("Once"), web, now=5000.0).note == ""


def test_a_halted_guest_is_asked_again_later_each_time(node: Hypervisor, web: Domain) -> None:
    web.start()
    settled = power.keep(node, wanted("Halted"), web, now=1000.0)
    # The test driver's guests obey at once.
    web.start()
    assert settled.note == "asked to shut down"
    assert settled.wait == power.ASK_AGAIN


def test_a_clock_that_was_set_back_lets_no_guest_wait_longer_than_any(node: Hypervisor, web: Domain) -> None:
    day = 86400.0
    before = Run(started=9 * day, ended="crashed", failures=1, retry_at=9 * day + FIRST)
    runs.save(node, web.uuid, replace(before, spec=power._digest(wanted("Always"))))  # noqa: SLF001
    assert power.keep(node, wanted("Always"), web, now=8 * day).wait == LONGEST
    assert power.keep(node, wanted("Always"), web, now=8 * day + LONGEST).note == "started"


@pytest.mark.parametrize("power_is", ["off", "on"])
def test_what_a_person_does_by_hand_holds_until_the_strategy_changes(
    node: Hypervisor, web: Domain, power_is: str
) -> None:
    strategy, other = ("Always", "RerunOnFailure") if power_is == "off" else ("Halted", "Manual")
    if power_is == "on":
        web.start()
    assert held.hold(web, strategy, power_is) == f"its runStrategy is {strategy}"
    settled = power.keep(node, wanted(strategy), web)
    assert (settled.note, settled.held) == ("", power_is)
    assert held.held(web, other) == ""


def test_stopping_and_starting_by_hand_leave_nothing_behind(web: Domain) -> None:
    before = web.xml(inactive=True)
    held.hold(web, "Always", "off")
    assert held.hold(web, "Always", "on") == ""
    assert web.xml(inactive=True) == before
