"""The filters: each says in a few words why a node cannot run a guest, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.filters import cpu, devices, disks, firmware, huge_pages, machine, network, readiness, storage, topology

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply

    Filter = Callable[[Demand, Supply, Places], str]

FILTERS: Final[Mapping[str, Filter]] = {
    "readiness": readiness.refuses,
    "machine": machine.refuses,
    "cpu": cpu.refuses,
    "firmware": firmware.refuses,
    "storage": storage.refuses,
    "network": network.refuses,
    "devices": devices.refuses,
    "huge pages": huge_pages.refuses,
    "topology": topology.refuses,
    "disks": disks.refuses,
}
"""In the order in which they are asked: the first that refuses says why."""


OF_ONE: Final = ("readiness", "disks")
"""Filters that look at what a node has for itself, or a guest: the others say the same of all that are alike."""


def refusal(demand: Demand, supply: Supply, places: Places, ignored: Container[str] = ()) -> str:
    """Return why the node *supply* cannot run what asks for *demand*; empty if it can.

    Filters named in *ignored* are not asked.
    """
    for name, refuses in FILTERS.items():
        why = "" if name in ignored else refuses(demand, supply, places)
        if why:
            return why
    return ""
