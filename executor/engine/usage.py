"""Who uses a volume: guests, as they run or are defined, and volumes that are based on it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from analyser.xmlreader import FRAGMENTS
from executor.engine import kept as keeping
from executor.engine import state
from executor.engine.volumes import content
from executor.hypervisor.errors import Conflict, LibvirtError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from executor.engine.objects import Ref
    from executor.engine.state import Kept
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume


@dataclass(frozen=True)
class Use:
    """A guest that has a volume as the disk ``target``, or below it."""

    domain: Domain
    target: str
    running: bool
    writes: bool


def guests_of(hypervisor: Hypervisor, pool: Pool, volume: Volume) -> list[Use]:
    """Return the guests that have *volume*, as they run or in their definitions."""
    return [use for use, places in _uses(hypervisor) if places & _names(pool, volume)]


class Users:
    """Who has which volume, read once from all guests and pools. Good for one pass."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._uses = list(_uses(hypervisor))
        self._based: list[tuple[str, Pool, Volume]] = []
        for pool in hypervisor.pools.all():
            try:
                self._based += [(content(each).backing, pool, each) for each in pool.volumes()]
            except LibvirtError:
                # A pool that is down has nothing that anybody uses now; nor can what is in it be told.
                continue

    def guests(self, pool: Pool, volume: Volume) -> list[Use]:
        """Return the guests that have *volume*."""
        return [use for use, places in self._uses if places & _names(pool, volume)]

    def volumes(self, volume: Volume) -> list[tuple[Pool, Volume]]:
        """Return the volumes that are based on *volume*."""
        path = posixpath.normpath(volume.path())
        return [(pool, each) for backing, pool, each in self._based if backing and posixpath.normpath(backing) == path]


def remove(hypervisor: Hypervisor, ref: Ref, found: Iterable[tuple[str, Kept]], *, retain: bool) -> None:
    """Delete the volumes that *found* (their places in the state folder, and what is kept there) is about.

    With *retain* they are only forgotten. Raises Conflict, before anything is deleted, where one of them is used.
    """
    there = [(place, keeping.volume_of(hypervisor, kept)) for place, kept in found]
    if not retain and any(each is not None for _, each in there):
        users = Users(hypervisor)
        for _, each in there:
            if each is not None:
                _check_unused(users, ref, *each)
    for place, each in there:
        if each is not None and not retain:
            each[1].delete()
        state.forget(hypervisor, ref.kind, place)


def _check_unused(users: Users, ref: Ref, pool: Pool, volume: Volume) -> None:
    guests = sorted({use.domain.name for use in users.guests(pool, volume)})
    if guests:
        raise Conflict(
            f"{ref}: the guest {guests[0]} has its volume {pool.name}/{volume.name}",
            hint="delete the guest first, or take the disk out of it",
        )
    based = sorted(f"{each.name}/{other.name}" for each, other in users.volumes(volume))
    if based:
        raise Conflict(
            f"{ref}: the volume {based[0]} is based on its volume {pool.name}/{volume.name}",
            hint="delete the linked clone first",
        )


def _names(pool: Pool, volume: Volume) -> set[str]:
    return {f"{pool.name}\n{volume.name}", posixpath.normpath(volume.path())}


def _uses(hypervisor: Hypervisor) -> Iterator[tuple[Use, set[str]]]:
    for domain in hypervisor.domains.all():
        try:
            documents = [(True, domain.xml())] if domain.active else []
            if domain.persistent:
                documents.append((False, domain.xml(inactive=True)))
        except NotFound:
            continue
        for running, text in documents:
            for disk in _parsed(text).iterfind("devices/disk"):
                target = disk.find("target")
                named = target.get("dev", "") if target is not None else ""
                top = _places(disk.find("source"))
                writes = disk.find("readonly") is None and disk.get("device", "disk") not in ("cdrom", "floppy")
                yield Use(domain, named, running, writes), top
                below = set().union(*(_places(each) for each in disk.iterfind(".//backingStore/source")))
                if below - top:
                    yield Use(domain, named, running, writes=False), below - top


def _places(source: Any) -> set[str]:
    if source is None:
        return set()
    found = {posixpath.normpath(source.get(name)) for name in ("file", "dev") if source.get(name)}
    return found | ({f"{source.get('pool')}\n{source.get('volume')}"} if source.get("pool") else set())


def _parsed(text: str) -> Any:
    return etree.fromstring(text.encode(), FRAGMENTS)
