"""A domain's snapshots: made from their document, listed with their parents, gone back to, deleted."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, ClassVar

import libvirt

from executor.hypervisor.errors import NotFound
from executor.hypervisor.handle import Handle

if TYPE_CHECKING:
    from executor.hypervisor.domain import Domain


class Making(enum.IntFlag):
    """How a snapshot is made."""

    PLAIN = 0
    DISK_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    QUIESCE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
    """The guest's agent freezes its file systems for the moment."""
    ATOMIC = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
    LIVE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE
    HALT = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_HALT
    NO_METADATA = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    REUSE_FILES = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
    REDEFINE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
    """Nothing is made: libvirt is told of one that is there."""
    CURRENT = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT


class Snapshot(Handle):
    """One snapshot of a domain."""

    kind: ClassVar[str] = "snapshot"

    __slots__ = ("domain",)

    def __init__(self, domain: Domain, raw: Any) -> None:
        super().__init__(domain.connection, raw, raw.getName())
        self.domain = domain

    def xml(self, *, secure: bool = False) -> str:
        """Return its document; *secure* with the passwords of the domain in it."""
        return str(self.read("getXMLDesc", libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE if secure else 0))

    def parent(self) -> Snapshot | None:
        """Return the one that it was made after; None for a root."""
        try:
            return Snapshot(self.domain, self.read("getParent", 0))
        except NotFound:
            return None

    def is_current(self) -> bool:
        """Say whether the domain goes on from this one."""
        return bool(self.read("isCurrent", 0))

    def revert(self, *, running: bool | None = None, force: bool = False) -> None:
        """Put the domain back to it; *running* True or False starts or pauses it then, None as it was.

        Raises WrongState where that would lose what runs now; *force* does it all the same.
        """
        flags = {None: 0, True: libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING}.get(
            running, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
        )
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE if force else 0
        # The binding has it on the domain.
        self.domain.change("revertToSnapshot", self.raw, flags)

    def delete(self, *, children: bool = False, metadata_only: bool = False) -> None:
        """Delete it, and with *children* all after it; *metadata_only* keeps the data on disk."""
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN if children else 0
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY if metadata_only else 0
        self.change("delete", flags)


class Snapshots:
    """All snapshots of a domain."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def all(self) -> list[Snapshot]:
        """Return them, parents before children."""
        found = self._domain.read("listAllSnapshots", libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)
        return [Snapshot(self._domain, raw) for raw in found]

    def by_name(self, name: str) -> Snapshot:
        """Return the one of that name. Raises NotFound."""
        return Snapshot(self._domain, self._domain.read("snapshotLookupByName", name, 0))

    def current(self) -> Snapshot | None:
        """Return the one that the domain goes on from, if any."""
        if not self._domain.read("hasCurrentSnapshot", 0):
            return None
        return Snapshot(self._domain, self._domain.read("snapshotCurrent", 0))

    def create(self, xml: str, how: Making = Making.PLAIN) -> Snapshot:
        """Make one from its document (``<domainsnapshot>``)."""
        return Snapshot(self._domain, self._domain.change("snapshotCreateXML", xml, int(how)))
