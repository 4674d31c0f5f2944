"""The scorers: each says how well a node suits a guest, from 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.scorers import density, locality, room

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply

    Scorer = Callable[[Demand, Supply, Places], float]

SCORERS: Final[Mapping[str, tuple[Scorer, float]]] = {
    "locality": (locality.score, 3.0),
    "room": (room.score, 1.0),
    "density": (density.score, 1.0),
}
"""With how much each counts."""

OF_DISKS: Final = "locality"
"""The scorer that looks at a guest's disks: of one without any it says nothing."""

_ALL: Final = sum(weight for _, weight in SCORERS.values())

BEST: Final = 10
"""kube-scheduler's highest score of an extender."""


def score(demand: Demand, supply: Supply, places: Places) -> int:
    """Return how well the node *supply* suits what asks for *demand*, from 0 to BEST."""
    return rounded(general(demand, supply, places) + local(demand, supply, places))


def general(demand: Demand, supply: Supply, places: Places) -> float:
    """Return the part of it that is the same for all guests of a kind, whatever their disks."""
    return sum(each(demand, supply, places) * weight for name, (each, weight) in SCORERS.items() if name != OF_DISKS)


def local(demand: Demand, supply: Supply, places: Places) -> float:
    """Return the part of it that its disks make."""
    each, weight = SCORERS[OF_DISKS]
    return each(demand, supply, places) * weight if demand.disks else 0.0


def rounded(parts: float) -> int:
    """Return the whole score that its *parts* make."""
    return round(BEST * parts / _ALL)
