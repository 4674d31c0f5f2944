"""One storage volume: its sizes, its growth, and its content in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import libvirt

from executor.hypervisor.handle import Handle
from executor.hypervisor.streams import receive, send, stream_of

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """A volume's sizes in bytes: what a guest sees, and what it takes on the host."""

    capacity: int
    allocation: int


class Volume(Handle):
    """One volume of a pool."""

    kind: ClassVar[str] = "volume"

    __slots__ = ()

    def xml(self) -> str:
        """Return its document."""
        return str(self.read("XMLDesc", 0))

    def key(self) -> str:
        """Return what identifies it on this host."""
        return str(self.read("key"))

    def path(self) -> str:
        """Return its path on the host."""
        return str(self.read("path"))

    def info(self) -> VolumeInfo:
        """Return its sizes."""
        _kind, capacity, allocation = self.read("info")
        return VolumeInfo(int(capacity), int(allocation))

    def resize(self, capacity: int, *, shrink: bool = False, allocate: bool = False) -> None:
        """Give it *capacity* bytes; less than it has only with *shrink*, which loses what stood there."""
        flags = libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK if shrink else 0
        flags |= libvirt.VIR_STORAGE_VOL_RESIZE_ALLOCATE if allocate else 0
        self.change("resize", capacity, flags)

    def delete(self) -> None:
        """Delete it, with its content."""
        self.change("delete", 0)

    def wipe(self) -> None:
        """Overwrite its content with zeroes."""
        self.change("wipe", 0)

    def upload(
        self,
        source: BinaryIO,
        *,
        offset: int = 0,
        length: int = 0,
        sparse: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> int:
        """Write what *source* has into it from *offset* on, at most *length* bytes (0: all); return how many.

        *sparse* leaves out the holes of a regular file. *progress* is called with the bytes so far, at each piece.
        """
        stream = stream_of(self.connection)
        flags = libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM if sparse else 0
        self.change("upload", stream, offset, length, flags)
        return send(stream, source, subject=f"volume {self.name}", sparse=sparse, progress=progress)

    def download(
        self,
        target: BinaryIO,
        *,
        offset: int = 0,
        length: int = 0,
        sparse: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> int:
        """Write its content from *offset* on, at most *length* bytes (0: all), to *target*; return how many.

        *sparse* makes holes where it has holes; *target* must then be a regular file.
        """
        stream = stream_of(self.connection)
        flags = libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM if sparse else 0
        self.read("download", stream, offset, length, flags)
        return receive(stream, target, subject=f"volume {self.name}", sparse=sparse, progress=progress)
