"""Better where more memory is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def score(demand: Demand, supply: Supply, places: Places) -> float:
    """Return which part of its memory the node has left once the guest is there."""
    del places
    if not supply.memory:
        return 0.0
    return max(0.0, 1 - (supply.allocated + demand.memory) / supply.memory)
