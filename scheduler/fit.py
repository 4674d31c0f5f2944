"""Would these guests fit on those nodes: one by one, as kube-scheduler would place them; and what is left over.

The filters and scorers are the extender's own; of kube-scheduler's, what Pods leave of a node, how even that is, and
what one guest and one node decide (`constraints`). Affinity between Pods and topology spread are not looked at.

A node changes with each guest that comes, so its rank among all is kept for each kind of guest, and found out anew
where a guest came since that kind was looked at: ten thousand guests on five hundred nodes are five million pairs, of
which all but some ten thousand are as they were.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scheduler import constraints
from scheduler.constraints import Constraints, Machine
from scheduler.judge import Judge
from scheduler.places import Places
from scheduler.scorers import BEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scheduler.demand import Demand
    from scheduler.judge import Verdict
    from scheduler.supply import Supply

BEST_OF_POD: Final = 100
"""kube-scheduler's highest score."""

PODS: Final = "pods"
"""The resource of which each guest takes one, where a node says how many it has."""


@dataclass(frozen=True)
class Guest:
    """One guest that is to be placed: ``requests`` are thousandths of a CPU, and bytes, by resource."""

    name: str
    demand: Demand
    requests: Mapping[str, int]
    node: str = ""
    constraints: Constraints = field(default_factory=Constraints)


@dataclass
class Node:
    """One node: what Pods may have of it, and what they have, as `Guest` has it. ``machine`` is the Kubernetes Node.

    Without ``supply`` nobody knows what libvirt there has: such a node is judged by its room alone.
    """

    name: str
    supply: Supply | None
    allocatable: Mapping[str, int]
    machine: Machine
    taken: Counter[str] = field(default_factory=Counter)
    guests: list[str] = field(default_factory=list)


@dataclass
class Fit:
    """What came of it: where each guest went, and of each that went nowhere how many nodes said what."""

    nodes: list[Node]
    placed: dict[str, str] = field(default_factory=dict)
    left: dict[str, Counter[str]] = field(default_factory=dict)


def fit(
    guests: Iterable[Guest],
    nodes: list[Node],
    places: Places | None = None,
    *,
    ignored: frozenset[str] = frozenset(),
) -> Fit:
    """Place *guests* in their order on *nodes*, whose ``taken`` may say what is there already.

    *ignored* names filters that are not asked. Why a guest is left over is what holds once all others have their place.
    """
    judge = Judge(places or Places(), ignored)
    out = Fit(nodes)
    came: list[int] = []
    rooms: dict[tuple[tuple[str, int], ...], _Room] = {}
    kinds: dict[object, _Kind] = {}
    over: list[tuple[str, _Kind]] = []
    for guest in guests:
        size = tuple(guest.requests.items())
        room = rooms.get(size)
        if room is None:
            room = rooms[size] = _Room(guest.requests, nodes)
        # A guest with disks is of a kind of its own, which is looked at once.
        key = (size, guest.demand, guest.node, guest.constraints)
        kind = kinds.get(key)
        if kind is None:
            kind = kinds[key] = _Kind(guest, nodes, room, judge.of(guest.demand), len(came))
        number = kind.best(came)
        if number is None:
            over.append((guest.name, kind))
            continue
        node = nodes[number]
        node.taken.update(guest.requests)
        node.guests.append(guest.name)
        out.placed[guest.name] = node.name
        came.append(number)
    for name, kind in over:
        out.left[name] = kind.why()
    return out


class _Room:
    """How guests of one size find each of *nodes*: how even it would be, as long as no other guest comes."""

    def __init__(self, requests: Mapping[str, int], nodes: Sequence[Node]) -> None:
        self.requests = requests
        self._nodes = nodes
        self._known: list[tuple[int, float | None]] = [(-1, None)] * len(nodes)

    def rank(self, number: int) -> float | None:
        """Return kube-scheduler's scores of the node *number* for such a guest, None where it has too little left."""
        node = self._nodes[number]
        known = self._known[number]
        if known[0] != len(node.guests):
            rank = None if _is_short(self.requests, node) else _evenness(self.requests, node)
            known = self._known[number] = len(node.guests), rank
        return known[1]


class _Kind:
    """Guests that differ in their names alone, and the nodes that can run them, the best one first."""

    def __init__(self, guest: Guest, nodes: Sequence[Node], room: _Room, verdict: Verdict, came: int) -> None:
        self._guest = guest
        self._nodes = nodes
        self._room = room
        self._verdict = verdict
        self._seen = came
        self._suits = {
            number: verdict.score(node.supply) * BEST_OF_POD // BEST if node.supply is not None else 0
            for number, node in enumerate(nodes)
            if not self._elsewhere(node) and not self._unable(node)
        }
        self._heap = list(self._ranked(self._suits))
        heapq.heapify(self._heap)
        self._why: Counter[str] | None = None

    def best(self, came: Sequence[int]) -> int | None:
        """Return the number of the best node, None if none has room. *came* are the nodes that guests came to."""
        changed = set(came[self._seen :]).intersection(self._suits)
        self._seen = len(came)
        for entry in self._ranked(changed):
            heapq.heappush(self._heap, entry)
        while self._heap:
            _, number, count = self._heap[0]
            if count == len(self._nodes[number].guests):
                return number
            # It is in there once more as it is now, if there is still room on it.
            heapq.heappop(self._heap)
        return None

    def why(self) -> Counter[str]:
        """Return why no node takes such a guest, in how many nodes' words."""
        if self._why is None:
            self._why = Counter(word for node in self._nodes for word in self._refusals(node))
        return self._why

    def _ranked(self, numbers: Iterable[int]) -> Iterator[tuple[float, int, int]]:
        for number in numbers:
            rank = self._room.rank(number)
            if rank is not None:
                yield -(rank + self._suits[number]), number, len(self._nodes[number].guests)

    def _refusals(self, node: Node) -> list[str]:
        """Return what is said of *node*: as kube-scheduler asks, who asks the extender last."""
        said = self._elsewhere(node)
        if said:
            return [said]
        short = list(_short(self._guest.requests, node))
        return short or [self._unable(node)]

    def _elsewhere(self, node: Node) -> str:
        if self._guest.node:
            # Then nobody asks kube-scheduler.
            return "" if node.name == self._guest.node else f"it is to be on {self._guest.node}"
        return constraints.refusal(self._guest.constraints, node.machine)

    def _unable(self, node: Node) -> str:
        return self._verdict.refusal(node.supply) if node.supply is not None else ""


def _short(requests: Mapping[str, int], node: Node) -> Iterator[str]:
    """Yield of which resources the node has too little left, in kube-scheduler's words."""
    for name, count in requests.items():
        if _lacks(node, name, count):
            yield "Too many pods" if name == PODS else f"Insufficient {name}"


def _is_short(requests: Mapping[str, int], node: Node) -> bool:
    return any(_lacks(node, name, count) for name, count in requests.items())


def _lacks(node: Node, name: str, count: int) -> bool:
    has = node.allocatable.get(name)
    return name != PODS if has is None else node.taken[name] + count > has


def _evenness(requests: Mapping[str, int], node: Node) -> float:
    """Return kube-scheduler's score: the more is left (LeastAllocated), and the more evenly (BalancedAllocation)."""
    shares = [
        min(1.0, (node.taken[name] + requests.get(name, 0)) / node.allocatable[name])
        for name in ("cpu", "memory")
        if node.allocatable.get(name)
    ]
    if not shares:
        return 0.0
    mean = sum(shares) / len(shares)
    deviation = math.sqrt(sum((share - mean) ** 2 for share in shares) / len(shares))
    return BEST_OF_POD * (1 - mean) + BEST_OF_POD * (1 - deviation)
