"""Whether a node reaches the pools that a guest names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return which pool it does not reach, empty if it reaches all."""
    del places
    missing = sorted(demand.pools - supply.pools)
    return f"has no storage pool {', '.join(missing)} that is up" if missing else ""
