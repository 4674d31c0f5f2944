"""Whether a node has the NUMA nodes that a guest's memory must come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return which NUMA nodes are missing, empty if none is."""
    del places
    missing = sorted(demand.numa_nodes - supply.numa_nodes)
    return f"has no NUMA node {', '.join(map(str, missing))}" if missing else ""
