"""What linked clones are based on, kept from guests that would write to it: one write there spoils every clone."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from lxml import etree

from analyser.xmlreader import FRAGMENTS
from executor.engine import state, volumes
from executor.hypervisor.errors import Conflict, LibvirtError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor


def check(hypervisor: Hypervisor, domain: Domain) -> None:
    """Raise Conflict where *domain*, which is to be started, would write to what a disk of ours is based on."""
    based = {
        posixpath.normpath(kept.facts["backing"]): kept.ref
        for _, kept in state.every(hypervisor, volumes.DISK)
        if kept.facts.get("backing")
    }
    if not based:
        return
    for target, path in _written(hypervisor, domain):
        if path in based:
            raise Conflict(
                f"domain {domain.name}: {based[path]} is based on its disk {target}, and would be spoilt if it ran",
                hint="delete the linked clone first, or make a full one",
            )


def _written(hypervisor: Hypervisor, domain: Domain) -> Iterator[tuple[str, str]]:
    if not domain.persistent:
        return
    for disk in etree.fromstring(domain.xml(inactive=True).encode(), FRAGMENTS).iterfind("devices/disk"):
        target, source = disk.find("target"), disk.find("source")
        if source is None or disk.find("readonly") is not None or disk.get("device", "disk") in {"cdrom", "floppy"}:
            continue
        path = _path(hypervisor, source)
        if path:
            yield str(target.get("dev", "")) if target is not None else "", posixpath.normpath(path)


def _path(hypervisor: Hypervisor, source: Any) -> str:
    if not source.get("pool"):
        return source.get("file") or source.get("dev") or ""
    try:
        return hypervisor.pools.by_name(source.get("pool")).volume(source.get("volume")).path()
    except LibvirtError:
        # A pool that is down: libvirt will say so itself.
        return ""
