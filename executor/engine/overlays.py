"""Disks that go on in files of their own since a snapshot: still the disks that the spec names.

libvirt then has the new file in the guest's definition. To put the old one back would lose all that was written since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from analyser import xmlreader
from analyser.codec.decode import decode
from executor.hypervisor.errors import Unsupported
from executor.hypervisor.snapshots import Snapshots
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from executor.hypervisor.domain import Domain
    from executor.plan.actual import Actual

Place: TypeAlias = tuple[str, ...]
"""What a disk's data lies in: ``("file", path)``, ``("dev", path)`` or ``("volume", pool, name)``."""

_NAMED: Final = ("file", "dev", "pool", "volume", "diskRef")


@dataclass(frozen=True)
class Follow:
    """By target: the places that a disk was in before, and the disk as the guest has it now."""

    disks: dict[str, tuple[frozenset[Place], dict[str, Any]]]

    def __call__(self, domain: dict[str, Any]) -> dict[str, Any]:
        """Return the document *domain* with what its disks go on in."""
        devices = domain.get("devices")
        if not self.disks or not isinstance(devices, dict) or not devices.get("disks"):
            return domain
        return {**domain, "devices": {**devices, "disks": [self._disk(disk) for disk in devices["disks"]]}}

    def _disk(self, disk: dict[str, Any]) -> dict[str, Any]:
        before, now = self.disks.get(_target(disk), (frozenset(), {}))
        if place(disk) not in before:
            return disk
        source = disk.get("source") or {}
        rest = {key: value for key, value in source.items() if key not in _NAMED}
        found = {key: value for key, value in (now.get("source") or {}).items() if key in _NAMED}
        driver = dict(disk.get("driver") or {})
        form = (now.get("driver") or {}).get("type")
        if form is not None and ("type" in driver or not driver):
            driver["type"] = form
        out = {**disk, "source": {**rest, **found}}
        if "type" in now:
            out["type"] = now["type"]
        return {**out, "driver": driver} if driver else out


NOTHING: Final = Follow({})


def follow(domain: Domain, there: Actual, wanted: Mapping[str, Any]) -> Follow:
    """Return how the disks of *wanted* go on in those that the guest *domain* has, as its snapshots say.

    libvirt is asked only where a disk is not in the place that *wanted* names.
    """
    named = {_target(disk): place(disk) for disk in _disks(wanted)}
    moved = {
        _target(disk): disk
        for disk in _disks(there.inactive)
        if named.get(_target(disk)) is not None and place(disk) not in (None, named[_target(disk)])
    }
    if not moved:
        return NOTHING
    before = _before(domain)
    out: dict[str, tuple[frozenset[Place], dict[str, Any]]] = {}
    for target, disk in moved.items():
        seen: set[Place] = set()
        at = place(disk)
        while at is not None and at not in seen:
            seen.add(at)
            at = before.get((target, at))
        if named[target] in seen:
            out[target] = frozenset(seen), disk
    return Follow(out)


def place(disk: Mapping[str, Any]) -> Place | None:
    """Return what *disk* lies in; None for an empty drive, or what no snapshot leaves."""
    source = disk.get("source")
    if not isinstance(source, dict):
        return None
    if source.get("pool") and source.get("volume"):
        return "volume", str(source["pool"]), str(source["volume"])
    return next(((key, str(source[key])) for key in ("file", "dev") if source.get(key)), None)


def _before(domain: Domain) -> dict[tuple[str, Place], Place]:
    """Return, by a disk's target and the place that a snapshot had it go on in, where it was until then."""
    out: dict[tuple[str, Place], Place] = {}
    try:
        found = Snapshots(domain).all()
    except Unsupported:
        return out
    kind = table().roots["domainsnapshot"].type
    for each in found:
        (root,) = xmlreader.parse(each.xml().encode())
        node = decode(root, kind)
        was = {_target(disk): place(disk) for disk in _disks(node.get("domain") or {})}
        for entry in (node.get("disks") or {}).get("disks") or ():
            made, old = place(entry), was.get(str(entry.get("name")))
            if entry.get("snapshot") == "external" and made is not None and old is not None:
                out[str(entry.get("name")), made] = old
    return out


def _disks(domain: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for disk in (domain.get("devices") or {}).get("disks") or ():
        if isinstance(disk, dict):
            yield disk


def _target(disk: Mapping[str, Any]) -> str:
    return str((disk.get("target") or {}).get("dev"))
