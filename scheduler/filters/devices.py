"""Whether a node has the devices that a guest is given whole, and nobody else has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return which devices are missing or taken, empty if none is."""
    del places
    missing = sorted(demand.devices - supply.devices)
    return f"has no free device at {', '.join(missing)}" if missing else ""
