"""What a disk image is, by its own header, and why it must not be used.

The one place where a foreign image is judged, before libvirt or QEMU ever sees it: a header may name files of the
host (backing files, data files, extents), which QEMU would open for whoever brought the image. Only fixed places are
read, with bounds, and what is not understood is refused. That a table further in is damaged is QEMU's to find.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST: Final = 64 << 40
"""The most bytes that a guest may see of an image; more is taken for an attack."""

FORMATS: Final = ("raw", "qcow2", "vmdk", "vdi")


class Refused(KubevmmError):  # noqa: N818  (named for what happened)
    """An image that must not be used."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself: its ``format``, and how many bytes a guest sees."""

    format: str
    virtual_size: int


@dataclass(frozen=True, slots=True)
class Head:
    """The bytes of an image as its formats' readers look at them."""

    file: BinaryIO
    size: int

    def at(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset* on. Raises Refused where the file ends before."""
        if offset < 0 or offset + length > self.size:
            raise Refused("it ends in the middle of its header")
        self.file.seek(offset)
        found = self.file.read(length)
        if len(found) != length:
            raise Refused("it ends in the middle of its header")
        return found

    def unpack(self, form: str, offset: int) -> tuple[int, ...]:
        """Return the numbers that *form* (of struct) names at *offset*."""
        return struct.unpack(form, self.at(offset, struct.calcsize(form)))


# By what stands where: images that QEMU knows by their content alone.
_MAGICS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk of ESX"),
    (0, b"# Disk DescriptorFile", "vmdk descriptor"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (0, b"QED\0", "qed"),
    (0, b"OOOM", "cow"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"#!/bin/sh\n#V2.0 Format\n", "cloop"),
    (0, b"LUKS\xba\xbe", "luks"),
)
_PACKED: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
)
_TRAILERS: Final = ((512, b"conectix", "vhd"), (512, b"koly", "dmg"))
"""What stands so many bytes before the end."""
_CONVERT: Final = "`qemu-img convert -O qcow2` makes one that is"


def claimed(file: BinaryIO) -> str:
    """Return which format the content of *file* (seekable) claims to have; empty where it claims none, as raw does."""
    head = Head(file, file.seek(0, os.SEEK_END))
    for offset, magic, name in _MAGICS:
        if head.size >= offset + len(magic) and head.at(offset, len(magic)) == magic:
            return name
    for back, magic, name in _TRAILERS:
        if head.size >= back and head.at(head.size - back, len(magic)) == magic:
            return name
    return ""


def inspect(file: BinaryIO, given: str | None = None) -> Header:
    """Return what the image in *file* (seekable) is; *given* is the format that it is said to have.

    Raw is never guessed: it must be given, and its content must claim no other format. Raises Refused for whatever
    names other files, is not what it is said to be, or cannot be checked.
    """
    from executor.storage import foreign, qcow2  # noqa: PLC0415  (they are written in terms of this module)

    readers: dict[str, Callable[[Head], int]] = {
        "qcow2": qcow2.virtual_size,
        "vmdk": foreign.vmdk,
        "vdi": foreign.vdi,
    }
    head = Head(file, file.seek(0, os.SEEK_END))
    if not head.size:
        raise Refused("it is empty")
    found = claimed(file)
    if given is not None and given not in FORMATS:
        raise Refused(f"{given} is not taken, only {', '.join(FORMATS)}", hint=_CONVERT)
    if given is not None and found != given and (found or given != "raw"):
        raise Refused(
            f"it is said to be {given}, and its content {f'claims to be {found}' if found else 'is not'}",
            hint="give the format that it has",
        )
    if not found and given is None:
        packed = next((name for magic, name in _PACKED if head.at(0, min(8, head.size)).startswith(magic)), "")
        if packed:
            raise Refused(f"it is packed with {packed}", hint="unpack it first")
        raise Refused("its content claims no format", hint="if it is raw, say so: format: raw")
    if found and found not in readers:
        raise Refused(f"it is a {found}, which is not taken", hint=_CONVERT)
    size = readers[found](head) if found else head.size
    if not 0 < size <= LARGEST:
        raise Refused(f"its header says that a guest sees {size} bytes; between 1 and {LARGEST} are taken")
    return Header(found or "raw", size)
