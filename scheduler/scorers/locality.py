"""Better where a guest's disks are already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def score(demand: Demand, supply: Supply, places: Places) -> float:
    """Return which part of its disks is on the node itself."""
    found = [places.disks[each] for each in demand.disks if each in places.disks]
    return sum(each.node == supply.name for each in found) / len(found) if found else 0.0
