"""libvirt's storage pools."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import libvirt

from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.handle import Identified
from executor.hypervisor.volumes import Volume
from executor.hypervisor.words import word, words

if TYPE_CHECKING:
    from executor.hypervisor.connection import Connection

_STATES: Final = words("VIR_STORAGE_POOL_", without=("BUILD_", "CREATE_", "DEFINE_", "DELETE_", "EVENT_"))


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """A pool's state (inactive, building, running, degraded, inaccessible) and its sizes in bytes."""

    state: str
    capacity: int
    allocation: int
    available: int


class Pool(Identified):
    """One storage pool."""

    kind: ClassVar[str] = "pool"

    __slots__ = ()

    def xml(self, *, inactive: bool = False) -> str:
        """Return its document: as it runs, or *inactive* as it would start."""
        flags = libvirt.VIR_STORAGE_XML_INACTIVE if inactive else 0
        return str(self.read("XMLDesc", flags & self.connection.driver.pool_xml_flags))

    def info(self) -> PoolInfo:
        """Return its state and sizes, as of its last refresh."""
        state, capacity, allocation, available = self.read("info")
        return PoolInfo(word(_STATES, state), int(capacity), int(allocation), int(available))

    def build(self, *, overwrite: bool = False) -> None:
        """Make what it needs on the host (a folder, a file system, a volume group); never over data unless told to."""
        self.change("build", libvirt.VIR_STORAGE_POOL_BUILD_OVERWRITE if overwrite else 0)

    def start(self) -> None:
        """Start it. Raises WrongState if it runs."""
        self.change("create", 0)

    def refresh(self) -> None:
        """Have libvirt look again which volumes there are."""
        # It changes what libvirt knows, and nothing on disk.
        self.read("refresh", 0)

    def settle(self, patience: float = 30.0) -> None:
        """As `refresh`, which libvirt refuses while it does so by itself, after an upload: waits *patience* seconds."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return self.refresh()
            except LibvirtError as error:
                if "asynchronous jobs" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def destroy(self) -> None:
        """Stop it; its volumes stay."""
        self.change("destroy")

    def delete(self) -> None:
        """Remove what `build` made, with all data; only while it is stopped."""
        self.change("delete", libvirt.VIR_STORAGE_POOL_DELETE_NORMAL)

    def undefine(self) -> None:
        """Forget the definition; its volumes stay."""
        self.change("undefine")

    def volumes(self) -> list[Volume]:
        """Return its volumes, as of its last refresh."""
        return [Volume(self.connection, raw, raw.name()) for raw in self.read("listAllVolumes", 0)]

    def volume(self, name: str) -> Volume:
        """Return the volume of that name. Raises NotFound."""
        raw = self.read("storageVolLookupByName", name)
        return Volume(self.connection, raw, raw.name())

    def create_volume(self, xml: str, *, source: Volume | None = None, preallocate: bool = False) -> Volume:
        """Make a volume from its document, with a copy of *source*'s content if given. Raises Conflict if it is there.

        *preallocate* writes an image's tables ahead.
        """
        flags = libvirt.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA if preallocate else 0
        if source is None:
            raw = self.change("createXML", xml, flags)
        else:
            raw = self.change("createXMLFrom", xml, source.raw, flags)
        return Volume(self.connection, raw, raw.name())


class Pools:
    """All storage pools behind a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Pool]:
        """Return all pools, running or not."""
        return [self._of(raw) for raw in self._connection.read("listAllStoragePools", 0)]

    def by_uuid(self, uuid: str) -> Pool:
        """Return the one with that UUID. Raises NotFound."""
        return self._of(self._connection.read("storagePoolLookupByUUIDString", uuid))

    def by_name(self, name: str) -> Pool:
        """Return the one of that name. Raises NotFound."""
        return self._of(self._connection.read("storagePoolLookupByName", name))

    def define(self, xml: str) -> Pool:
        """Define one, or define it anew. Raises Invalid and Conflict."""
        return self._of(self._connection.change("storagePoolDefineXML", xml, 0))

    def of(self, volume: Volume) -> Pool:
        """Return the pool that *volume* is in."""
        return self._of(volume.read("storagePoolLookupByVolume"))

    def volume_by_path(self, path: str) -> Volume:
        """Return the volume, of any running pool, that is at *path* on the host. Raises NotFound."""
        raw = self._connection.read("storageVolLookupByPath", path)
        return Volume(self._connection, raw, raw.name())

    def volume_by_key(self, key: str) -> Volume:
        """Return the volume with that key. Raises NotFound."""
        raw = self._connection.read("storageVolLookupByKey", key)
        return Volume(self._connection, raw, raw.name())

    def sources(self, kind: str, xml: str | None = None) -> str:
        """Return, as a document, what pools of *kind* (netfs, iscsi, logical ...) could be made of; *xml*: where."""
        return str(self._connection.read("findStoragePoolSources", kind, xml, 0))

    def _of(self, raw: Any) -> Pool:
        return Pool(self._connection, raw, raw.name())
