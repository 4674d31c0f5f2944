"""Whether a node has the huge pages that a guest's memory is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return why its memory does not fit, empty if it does."""
    del places
    for page, wanted in demand.huge_pages:
        has = supply.huge_pages.get(page, 0) if page else max(supply.huge_pages.values(), default=0)
        if has < wanted:
            return f"has not enough huge pages{f' of {page >> 10} KiB' if page else ''}"
    return ""
