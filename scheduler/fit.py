"""Would these guests fit on those nodes: one by one, as kube-scheduler would place them; and what is left over.

The filters and scorers are the extender's own; of kube-scheduler's, what a guest's CPUs, memory and huge pages leave of
a node, how even that is, its nodeName and its nodeSelector. Affinity, taints and spread are not looked at.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scheduler.filters import refusal
from scheduler.places import Places
from scheduler.scorers import BEST, score

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from scheduler.demand import Demand
    from scheduler.supply import Supply

BEST_OF_POD: Final = 100
"""kube-scheduler's highest score."""


@dataclass(frozen=True)
class Guest:
    """One guest that is to be placed: ``requests`` are CPUs and bytes by resource."""

    name: str
    demand: Demand
    requests: Mapping[str, int]
    node: str = ""
    selector: tuple[tuple[str, str], ...] = ()


@dataclass
class Node:
    """One node: what guests may have of it, and what they have. ``labels`` are the Kubernetes Node's.

    Without ``supply`` nobody knows what libvirt there has: such a node is judged by its room alone.
    """

    name: str
    supply: Supply | None
    allocatable: Mapping[str, int]
    labels: Mapping[str, str] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    guests: list[str] = field(default_factory=list)


@dataclass
class Fit:
    """What came of it: where each guest went, and of each that went nowhere how many nodes said what."""

    nodes: list[Node]
    placed: dict[str, str] = field(default_factory=dict)
    left: dict[str, Counter[str]] = field(default_factory=dict)


def fit(
    guests: Iterable[Guest], nodes: list[Node], places: Places | None = None, *, ignored: Container[str] = ()
) -> Fit:
    """Place *guests* in their order on *nodes*, whose ``taken`` may say what is there already.

    *ignored* names filters that are not asked.
    """
    places = places or Places()
    out = Fit(nodes)
    known: dict[tuple[Demand, str, tuple[tuple[str, str], ...]], tuple[list[tuple[Node, int]], Counter[str]]] = {}
    for guest in guests:
        key = (guest.demand, guest.node, guest.selector)
        if key not in known:
            known[key] = _possible(guest, nodes, places, ignored)
        possible, refused = known[key]
        best: tuple[float, Node] | None = None
        why: Counter[str] = Counter()
        for node, suits in possible:
            short = _short(guest.requests, node)
            if short:
                why[f"Insufficient {short}"] += 1
                continue
            rank = suits + _evenness(guest.requests, node)
            if best is None or rank > best[0]:
                best = rank, node
        if best is None:
            out.left[guest.name] = refused + why
            continue
        node = best[1]
        node.taken.update(guest.requests)
        node.guests.append(guest.name)
        out.placed[guest.name] = node.name
    return out


def _possible(
    guest: Guest, nodes: list[Node], places: Places, ignored: Container[str]
) -> tuple[list[tuple[Node, int]], Counter[str]]:
    """Return the nodes that can run such a guest at all, with the extender's score, and why the others cannot."""
    found: list[tuple[Node, int]] = []
    refused: Counter[str] = Counter()
    for node in nodes:
        if guest.node and node.name != guest.node:
            why = f"it is to be on {guest.node}"
        elif any(node.labels.get(key) != value for key, value in guest.selector):
            why = "its labels are not those of nodeSelector"
        else:
            why = refusal(guest.demand, node.supply, places, ignored) if node.supply is not None else ""
        if why:
            refused[why] += 1
        else:
            suits = score(guest.demand, node.supply, places) if node.supply is not None else 0
            found.append((node, suits * BEST_OF_POD // BEST))
    return found, refused


def _short(requests: Mapping[str, int], node: Node) -> str:
    """Return which resource the node has too little left of, empty if none."""
    for name, count in requests.items():
        if node.taken[name] + count > node.allocatable.get(name, 0):
            return name
    return ""


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
