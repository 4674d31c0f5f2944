"""Whether a node has the processor that a guest is made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return which model or features are missing, empty if none is. Emulated processors have what they are given."""
    del places
    if demand.type and demand.type != "kvm":
        return ""
    if demand.cpu_model and demand.cpu_model != supply.cpu_model and demand.cpu_model not in supply.cpu_models:
        return f"its processor cannot be a {demand.cpu_model}"
    # A model has features that the host does not list beside its own model: only what the host says can be held to it.
    if demand.cpu_features and not demand.cpu_model:
        missing = sorted(demand.cpu_features - supply.cpu_features)
        if missing and supply.cpu_features:
            return f"its processor lacks {', '.join(missing)}"
    return ""
