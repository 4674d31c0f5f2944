"""A slice of the campaign, and that what it looks through can be found wanting."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

import libvirt
import pytest

from tests.operation.campaign import stories, strikes
from tests.operation.campaign.record import Told
from tests.operation.campaign.runs import Tally, run
from tests.operation.campaign.stage import FOREIGN, NODES, Stage
from tests.operation.campaign.verdict import effects
from tests.operation.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 1
RUNS = (19,)
"""A quick one, in which an executor is killed twice."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Yield a cluster of three nodes, with all parts."""
    with Stage(SEED) as made:
        yield made


def test_whatever_is_killed_guests_and_operations_are_done_exactly_once(stage: Stage) -> None:
    tally = Tally()
    for number in RUNS:
        run(stage, SEED, number, tally)
    assert tally.struck.total()


def test_a_guest_on_two_nodes_a_start_too_many_and_a_touched_stranger_are_found(stage: Stage) -> None:
    document = FOREIGN.format(state="double", uuid=uuid.uuid4())
    found = [libvirt.open(stage.libvirtds[node].uri).createXML(document) for node in NODES[:2]]
    name = found[0].name()
    eventually(lambda: len(stage.record.problems) == 2, lambda: stage.record.problems)
    twice, many = stage.record.problems
    assert f"runs on two nodes, {NODES[1]} and {NODES[0]}" in twice
    assert "was started 2 times, 1 were asked for" in many
    stage.record.foreign.add(name)
    for domain in found:
        domain.destroy()
    eventually(lambda: len(stage.record.problems) > 2)
    assert "something of somebody else's was touched" in stage.record.problems[2]


def test_a_seed_always_gives_the_same_run() -> None:
    def drawn() -> str:
        chance = random.Random("1:7")  # noqa: S311  (as a run does it)
        return f"{stories.draw(chance, 7)} {strikes.draw(chance, 5.0)}"

    assert drawn() == drawn()


START = ("resumed unpaused", "started booted")
STILL = ("started booted", "suspended paused", "resumed unpaused")
LIVES: list[tuple[tuple[str, ...], dict[str, int]]] = [
    (START, {}),
    (STILL, {}),
    ((*START, "suspended paused", "resumed unpaused"), {"Pause": 1, "Resume": 1}),
    ((*STILL, "suspended paused", "suspended paused", "resumed unpaused"), {"Pause": 2, "Resume": 1}),
    ((*START, "suspended paused", "stopped saved", "started restored", "resumed from_snapshot"), {"Save": 1}),
    ((*START, "suspended paused", "shutdown host", "stopped destroyed", *STILL), {"Pause": 1}),
]


@pytest.mark.parametrize(("words", "counts"), LIVES)
def test_what_was_done_to_a_guest_is_counted_from_what_libvirt_tells(
    words: tuple[str, ...], counts: dict[str, int]
) -> None:
    told = [Told(0.0, "", "", "", *word.split()) for word in words]
    assert +effects(told) == counts
