"""What one domain says of itself, as far as an import has to know: whose it is, and what a person has to see to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analyser.importer import nova
from analyser.importer.findings import BLOCK_JOB, Device, Finding, device, of_kind, of_part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml import etree


class Facts(NamedTuple):
    """``name`` and ``uuid`` are as they stand, empty where there is none; ``owner`` is what Nova says.

    ``tags`` are those of all devices, ``devices`` at least those of which there is more to say.
    """

    name: str
    uuid: str
    owner: nova.Nova | None
    found: list[Finding]
    tags: tuple[str, ...]
    devices: list[Device]


def of_tree(domain: etree._Element) -> Facts:
    """Return what *domain* says."""
    devices = domain.find("devices")
    said = [] if devices is None else [device(each) for each in devices]
    parts = domain.iterchildren("os", "sysinfo")
    found = together(domain.get("type", ""), said, [each for part in parts for each in of_part(part)])
    if domain.find("devices/disk/mirror") is not None:
        found.insert(0, BLOCK_JOB)
    return Facts(
        domain.findtext("name") or "", domain.findtext("uuid") or "", nova.read(domain.find("metadata")), found,
        tuple(each.tag for each in said), said,
    )  # fmt: skip


def together(kind: str, devices: Iterable[Device], firmware: Iterable[Finding]) -> list[Finding]:
    """Return what a person has to see to of a domain of type *kind*, in the order that the report has it in."""
    found = of_kind(kind)
    for each in devices:
        found += each.found
    found += firmware
    return found
