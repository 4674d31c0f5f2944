"""Placing guests by ranks that are kept comes to the same as asking every node about every guest."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from scheduler import constraints as theirs
from scheduler.constraints import Machine, constraints
from scheduler.demand import demand
from scheduler.filters import refusal
from scheduler.fit import BEST_OF_POD, Guest, Node, _evenness, _is_short, fit
from scheduler.places import Place, Places
from scheduler.scorers import BEST, score
from scheduler.supply import supply
from tests.scheduler.test_filters import GUEST, NODE, changed

GIB = 1 << 30
PLACES = Places({("shop", "here"): Place("n3"), ("shop", "shared"): Place("", ("infra", "images"))})


def some(seed: int) -> tuple[list[Guest], list[Node]]:
    """Return guests and nodes by chance: of a few sizes, some of which ask for what not all nodes have."""
    chance = random.Random(seed)  # noqa: S311 -- cases, not secrets
    nodes = []
    for number in range(12):
        made = changed(changed(NODE, "metadata.name", f"n{number}"), "status.allocated.memory", f"{number % 5}Gi")
        if number % 3 == 0:
            made = changed(made, "status.networks", [])
        room = {"cpu": chance.choice((8000, 16_000)), "memory": chance.choice((16, 48)) * GIB, "pods": 9}
        nodes.append(Node(f"n{number}", supply(made), room, Machine(f"n{number}", {"zone": "ab"[number % 2]})))
    guests = []
    for number in range(120):
        wanted = demand(GUEST)
        if chance.random() < 0.3:
            wanted = replace(wanted, networks=frozenset({"default"}))
        if chance.random() < 0.2:
            wanted = replace(wanted, disks=frozenset({("shop", chance.choice(("here", "shared")))}))
        size = {"cpu": chance.choice((1000, 2000)), "memory": chance.choice((1, 4)) * GIB, "pods": 1}
        zone = {"nodeSelector": {"zone": "a"}} if chance.random() < 0.3 else {}
        guests.append(Guest(f"g{number}", wanted, size, constraints=constraints(zone)))
    return guests, nodes


def one_by_one(guests: list[Guest], nodes: list[Node]) -> dict[str, str]:
    """Place guests as anybody would write it first."""
    placed = {}
    for guest in guests:
        best: tuple[float, Node] | None = None
        for node in nodes:
            assert node.supply is not None
            if theirs.refusal(guest.constraints, node.machine) or refusal(guest.demand, node.supply, PLACES):
                continue
            if _is_short(guest.requests, node):
                continue
            rank = score(guest.demand, node.supply, PLACES) * BEST_OF_POD // BEST + _evenness(guest.requests, node)
            if best is None or rank > best[0]:
                best = rank, node
        if best is not None:
            best[1].taken.update(guest.requests)
            placed[guest.name] = best[1].name
    return placed


@pytest.mark.parametrize("seed", range(8))
def test_each_guest_goes_where_it_would_go_if_all_nodes_were_asked(seed: int) -> None:
    guests, nodes = some(seed)
    expected = one_by_one(guests, nodes)
    for node in nodes:
        node.taken = Counter()
    done = fit(guests, nodes, PLACES)
    assert done.placed == expected
    assert done.left.keys() == {guest.name for guest in guests} - expected.keys()
    # Some must go where only some can, and some nowhere: else nothing was tried.
    assert 20 < len(expected) < len(guests)
