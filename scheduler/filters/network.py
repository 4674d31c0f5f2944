"""Whether a node has the networks and bridges that a guest is attached to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return what is missing, empty if nothing is."""
    del places
    missing = sorted(demand.networks - supply.networks) or sorted(
        name for _, name in demand.network_refs - supply.network_refs
    )
    if missing:
        return f"has no network {', '.join(missing)} that is up"
    missing = sorted(demand.bridges - supply.bridges)
    return f"has no bridge {', '.join(missing)}" if missing else ""
