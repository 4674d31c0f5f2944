"""Better where fewer guests run: the end of one node then ends fewer of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def score(demand: Demand, supply: Supply, places: Places) -> float:
    """Return 1 for a node without guests, and less with each."""
    del demand, places
    return 1 / (1 + supply.running / 10)
