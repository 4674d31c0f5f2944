"""Whether a node has the firmware and the TPM that a guest starts with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.demand import Demand
    from scheduler.places import Places
    from scheduler.supply import Supply


def refuses(demand: Demand, supply: Supply, places: Places) -> str:
    """Return what is missing, empty if nothing is. Nodes that do not say what they have are not refused."""
    del places
    offers = [each for each in supply.offers if each.firmware and (not demand.arch or each.arch == demand.arch)]
    if not offers:
        return ""
    if demand.firmware and not any(demand.firmware in each.firmware for each in offers):
        return "has no UEFI firmware"
    if demand.secure_boot and not any(each.secure_boot for each in offers):
        return "has no firmware with secure boot"
    if demand.tpm and not any(each.tpm for each in offers):
        return "cannot emulate a TPM"
    return ""
