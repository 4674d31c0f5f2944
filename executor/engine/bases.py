"""What linked clones are based on, and what is being copied, kept from guests that would write to it.

One write there spoils every clone, or the copy.
"""

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
    """Raise Conflict where *domain*, to be started, would write to what a disk of ours is based on, or copied from."""
    based, copied = {}, {}
    for _, kept in state.every(hypervisor, volumes.DISK):
        if kept.facts.get("backing"):
            based[posixpath.normpath(kept.facts["backing"])] = kept.ref
        if kept.new and kept.facts.get("origin"):
            copied[posixpath.normpath(kept.facts["origin"])] = kept.ref
    if not based and not copied:
        return
    for target, path in _written(hypervisor, domain):
        if path in copied:
            raise Conflict(
                f"domain {domain.name}: {copied[path]} is being made from its disk {target}",
                hint="it can start when that is done",
            )
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
