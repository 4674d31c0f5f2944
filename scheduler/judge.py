"""The filters and scorers, asked as seldom as can be: once for guests that ask for the same and nodes that are alike.

A cluster of thousands of nodes has a few kinds of them, and kube-scheduler asks about hundreds for each guest.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scheduler.filters import OF_ONE, disks, refusal
from scheduler.scorers import general, local, rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply

KINDS: Final = 64
"""Kinds of guests that are remembered: those that were asked about last."""

_MOST: Final = 20_000
"""Answers that are remembered for one kind of guest."""

_NO_DISKS: Final[frozenset[tuple[str, str]]] = frozenset()


class Judge:
    """Answers for guests whose disks are at *places*; filters named in *ignored* are not asked. For one thread."""

    def __init__(self, places: Places, ignored: frozenset[str] = frozenset()) -> None:
        self._places = places
        self._ignored = ignored
        self._known: OrderedDict[Demand, _Kind] = OrderedDict()

    def __len__(self) -> int:
        """Return how many kinds of guests are remembered."""
        return len(self._known)

    def of(self, demand: Demand) -> Verdict:
        """Return what is to be said of a guest that asks for *demand*, as long as no disk moves."""
        kind = replace(demand, disks=_NO_DISKS) if demand.disks else demand
        known = self._known.get(kind)
        if known is None:
            known = self._known[kind] = _Kind()
            if len(self._known) > KINDS:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(kind)
        return Verdict(demand, known, self._places, self._ignored)


class _Kind:
    """What was found out for one kind of guest: why nodes cannot run it, by what they are, and how well they suit."""

    def __init__(self) -> None:
        self.refusals: dict[object, str] = {}
        self.scores: dict[str, tuple[Supply, float, int]] = {}


class Verdict:
    """What is said of one guest; see `Judge`."""

    def __init__(self, demand: Demand, known: _Kind, places: Places, ignored: frozenset[str]) -> None:
        self._demand = demand
        self._known = known
        self._places = places
        self._ignored = ignored
        self._ready = "readiness" not in ignored
        self._disks = bool(demand.disks) and "disks" not in ignored

    def refusal(self, supply: Supply) -> str:
        """Return why the node *supply* cannot run the guest; empty if it can."""
        if self._ready and supply.ready:
            return supply.ready
        why = self._known.refusals.get(supply.alike)
        if why is None:
            why = self._refusal(supply)
        return why or (disks.refuses(self._demand, supply, self._places) if self._disks else "")

    def refusals(self, nodes: Mapping[str, Supply], names: Iterable[str], absent: str) -> dict[str, str]:
        """Return why those of *names* that cannot run the guest cannot: what is not among *nodes* is *absent*."""
        known, quick, out = self._known.refusals, self._ready and not self._disks, {}
        for name in names:
            node = nodes.get(name)
            if node is None:
                out[name] = absent
            # What `refusal` does, without a call for each of hundreds of nodes.
            elif (why := node.ready or known.get(node.alike) if quick else None) is None:
                why = self.refusal(node)
                if why:
                    out[name] = why
            elif why:
                out[name] = why
        return out

    def score(self, supply: Supply) -> int:
        """Return how well the node *supply* suits the guest, from 0 to BEST."""
        known = self._known.scores.get(supply.name)
        if known is None or known[0] is not supply:
            known = self._score(supply)
        if not self._demand.disks:
            return known[2]
        return rounded(known[1] + local(self._demand, supply, self._places))

    def scores(self, nodes: Mapping[str, Supply], names: Iterable[str]) -> list[int]:
        """Return that for each of *names*; 0 for what is not among *nodes*."""
        known, quick, out = self._known.scores, not self._demand.disks, []
        for name in names:
            node, entry = nodes.get(name), known.get(name) if quick else None
            if entry is not None and entry[0] is node:
                out.append(entry[2])
            else:
                out.append(self.score(node) if node is not None else 0)
        return out

    def _refusal(self, supply: Supply) -> str:
        known = self._known.refusals
        if len(known) >= _MOST:
            known.clear()
        why = refusal(self._demand, supply, self._places, self._ignored.union(OF_ONE))
        known[supply.alike] = why
        return why

    def _score(self, supply: Supply) -> tuple[Supply, float, int]:
        if len(self._known.scores) >= _MOST:
            self._known.scores.clear()
        parts = general(self._demand, supply, self._places)
        # As long as the node is as it was: whatever changes of it makes a new one.
        found = self._known.scores[supply.name] = supply, parts, rounded(parts)
        return found
