"""Whether a node reaches a guest's disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return which disk it does not reach, empty if it reaches all."""
    for namespace, name in sorted(demand.disks):
        place = places.disks.get((namespace, name))
        if place is None:
            return f"the disk {name} is not there yet"
        if place.node and place.node != supply.name:
            return f"the disk {name} is on another node"
        if not place.node and place.pool is not None and place.pool not in supply.pool_refs:
            return f"does not have the storage pool {place.pool[1]} of the disk {name}"
    return ""
