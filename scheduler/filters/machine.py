"""Whether a node can run a guest of this kind: its type, its processor, its machine type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return why the node cannot run it, empty if it can."""
    del places
    offers = [each for each in supply.offers if not demand.arch or each.arch == demand.arch]
    if not offers:
        return f"cannot run guests for {demand.arch or 'any processor'}"
    offers = [each for each in offers if not demand.type or demand.type in each.types]
    if not offers:
        return f"cannot run guests of the type {demand.type}"
    if demand.machine and not any(demand.machine in each.machines for each in offers):
        return f"does not know the machine type {demand.machine}"
    return ""
