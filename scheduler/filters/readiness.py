"""Whether a node takes guests at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return why no guest can come, empty if one can."""
    del demand, places
    return supply.ready
