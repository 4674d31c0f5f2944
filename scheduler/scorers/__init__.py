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

BEST: Final = 10
"""kube-scheduler's highest score of an extender."""


def score(demand: Demand, supply: Supply, places: Places) -> int:
    """Return how well the node *supply* suits what asks for *demand*, from 0 to BEST."""
    total = sum(weight for _, weight in SCORERS.values())
    return round(BEST * sum(each(demand, supply, places) * weight for each, weight in SCORERS.values()) / total)
