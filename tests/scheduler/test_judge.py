"""What is remembered of guests and nodes that are alike is what asking each filter and scorer anew says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.demand import demand
from scheduler.filters import refusal
from scheduler.judge import KINDS, Judge
from scheduler.places import Place, Places
from scheduler.scorers import score
from scheduler.supply import supply
from tests.scheduler.test_filters import FITS, GUEST, NODE, PLACES, REFUSED, changed

NODES = [
    supply(each)
    for each in (
        NODE,
        changed(NODE, "metadata.name", "n2"),
        changed(changed(NODE, "metadata.name", "n3"), "status.domains.running", 40),
        changed(changed(NODE, "metadata.name", "n4"), "spec.maxGuests", 3),
        changed(changed(NODE, "metadata.name", "n5"), "status.networks", []),
        changed(changed(NODE, "metadata.name", "n6"), "status.allocated.memory", "60Gi"),
    )
]
BY_NAME = {node.name: node for node in NODES}
GUESTS = {
    "as it is": GUEST,
    **{name: changed(GUEST, where, value) for name, (where, value) in FITS.items()},
    **{name: changed(GUEST, where, value) for name, (where, value, *_) in REFUSED.items()},
}


def test_nodes_that_offer_the_same_are_alike_and_others_are_not() -> None:
    first, second, busy, _, other, _ = NODES
    assert first.alike is second.alike is busy.alike
    assert first.alike is not other.alike
    assert first.cpu_features is other.cpu_features


def test_whatever_was_asked_before_the_answers_are_those_of_the_filters_and_scorers() -> None:
    judge = Judge(PLACES)
    for _ in range(2):
        for each in GUESTS.values():
            wanted = demand(each)
            verdict = judge.of(wanted)
            said = [(bool(verdict.refusal(node)), verdict.score(node)) for node in NODES]
            assert said == [(bool(refusal(wanted, node, PLACES)), score(wanted, node, PLACES)) for node in NODES]
            # And of all at once.
            fails = verdict.refusals(BY_NAME, [*BY_NAME, "gone"], "is not there")
            each_one = {node.name: verdict.refusal(node) for node in NODES if verdict.refusal(node)}
            assert fails == {**each_one, "gone": "is not there"}
            assert verdict.scores(BY_NAME, [*BY_NAME, "gone"]) == [*(mark for _, mark in said), 0]


def test_a_node_that_changes_is_judged_as_it_is_now() -> None:
    judge, wanted = Judge(PLACES), demand(GUEST)
    assert judge.of(wanted).refusal(NODES[0]) == ""
    before = judge.of(wanted).score(NODES[0])
    full = supply(changed(changed(NODE, "status.allocated.memory", "64Gi"), "status.domains.running", 500))
    assert judge.of(wanted).score(full) == score(wanted, full, PLACES) < before
    down = supply(changed(NODE, "status.conditions", []))
    assert "does not answer" in judge.of(wanted).refusal(down)


def test_a_disk_that_moves_is_seen_where_it_is() -> None:
    disks = {("shop", "root"): Place("n1")}
    judge = Judge(Places(disks))
    wanted = replace(demand(GUEST), disks=frozenset(disks))
    assert judge.of(wanted).refusal(NODES[0]) == ""
    disks["shop", "root"] = Place("n2")
    assert judge.of(wanted).refusal(NODES[0]) == "the disk root is on another node"
    assert judge.of(wanted).score(NODES[1]) > judge.of(wanted).score(NODES[0])


@pytest.mark.parametrize("name", ["network", "readiness", "disks"])
def test_what_is_ignored_refuses_nobody(name: str) -> None:
    wanted = replace(demand(GUEST), networks=frozenset({"none"}), disks=frozenset({("shop", "none")}))
    down = supply(changed(NODE, "status.conditions", []))
    said = Judge(PLACES, frozenset({name, "network", "disks", "readiness"})).of(wanted).refusal(down)
    assert said == ""
    assert Judge(PLACES, frozenset({"network", "disks", "readiness"} - {name})).of(wanted).refusal(down) != ""


def test_no_more_kinds_of_guests_are_remembered_than_are_asked_about() -> None:
    judge = Judge(PLACES)
    for number in range(3 * KINDS):
        judge.of(replace(demand(GUEST), memory=number)).score(NODES[0])
    assert len(judge) == KINDS
