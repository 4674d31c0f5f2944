"""qcow2's header (QEMU, docs/interop/qcow2.txt): how large the disk in it is, and that it needs no other file."""

from __future__ import annotations

import array
import sys
from typing import TYPE_CHECKING, Final

from executor.storage.headers import Refused

if TYPE_CHECKING:
    from executor.storage.headers import Head

_VERSION_2, _VERSION_3 = 2, 3
_CLUSTER_BITS: Final = range(9, 22)
_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED_L2 = (1 << bit for bit in range(5))
_KNOWN: Final = _DIRTY | _CORRUPT | _DATA_FILE | _COMPRESSION | _EXTENDED_L2
_BACKING_FORMAT, _DATA_FILE_NAME, _ENCRYPTION, _END = 0xE2792ACA, 0x44415441, 0x0537BE77, 0
_LARGEST_L1: Final = 32 << 20
"""Bytes; QEMU's own limit."""
_MOST_SNAPSHOTS: Final = 65536
_OFFSET: Final = 0x00FFFFFFFFFFFE00
_COMPRESSED: Final = 1 << 62
_ZERO: Final = 1


def virtual_size(head: Head) -> int:
    """Return the bytes that a guest sees. Raises Refused where the image is damaged, or needs more than itself."""
    version, backing, backing_length, bits, size, crypt, entries = head.unpack(">IQIIQII", 4)
    if version not in (_VERSION_2, _VERSION_3):
        raise Refused(f"it is a qcow2 of the unknown version {version}")
    if backing or backing_length:
        raise Refused("it has a backing file, which could be any file of the node", hint=_FLATTEN)
    if crypt:
        raise Refused("it is encrypted")
    if bits not in _CLUSTER_BITS:
        raise Refused("it is no qcow2, though it begins like one: its clusters have no size")
    length = 72
    if version == _VERSION_3:
        (features,) = head.unpack(">Q", 72)
        (length,) = head.unpack(">I", 100)
        _check(features)
        if not 104 <= length <= 1 << bits or length % 8:  # noqa: PLR2004  (the least length of a version 3 header)
            raise Refused("it is no qcow2, though it begins like one: its header has no length")
    _extensions(head, length, 1 << bits)
    (l1,) = head.unpack(">Q", 40)
    (snapshots,) = head.unpack(">I", 60)
    if snapshots > _MOST_SNAPSHOTS or entries * 8 > _LARGEST_L1 or l1 % (1 << bits) or l1 + entries * 8 > head.size:
        raise Refused("its tables are larger than the file")
    return size


def _check(features: int) -> None:
    if features & _DATA_FILE:
        raise Refused("it keeps its data in another file, which could be any file of the node", hint=_FLATTEN)
    if features & _CORRUPT:
        raise Refused("it is marked as corrupt", hint="`qemu-img check -r all` may repair it")
    if features & ~_KNOWN:
        raise Refused(f"it needs features that are unknown here: {features & ~_KNOWN:#x}")


def _extensions(head: Head, offset: int, end: int) -> None:
    """Look at each extension of the header, up to the end of the first cluster."""
    end = min(end, head.size)
    while offset + 8 <= end:
        kind, length = head.unpack(">II", offset)
        if kind == _END:
            return
        if kind in (_BACKING_FORMAT, _DATA_FILE_NAME):
            raise Refused("it names another file, which could be any file of the node", hint=_FLATTEN)
        if kind == _ENCRYPTION:
            raise Refused("it is encrypted")
        offset += 8 + (length + 7) // 8 * 8
        if offset > end:
            raise Refused("an extension of its header is longer than the header")


def unpacked(head: Head, *, most: int) -> int:
    """Return how many bytes of data the image holds when nothing in it is shared or packed; stops beyond *most*.

    Tables may point at one cluster a thousand times over: a few KiB that fill a pool when they are copied. Each table
    is read once, however often it is used.
    """
    (bits,) = head.unpack(">I", 20)
    (entries,) = head.unpack(">I", 36)
    (l1,) = head.unpack(">Q", 40)
    (version,) = head.unpack(">I", 4)
    extended = version == _VERSION_3 and head.unpack(">Q", 72)[0] & _EXTENDED_L2
    cluster, step, total = 1 << bits, 2 if extended else 1, 0
    counted: dict[int, int] = {}
    for entry in _words(head.at(l1, entries * 8)):
        table = entry & _OFFSET
        if not table:
            continue
        if table not in counted:
            if table % cluster:
                raise Refused("its tables are damaged")
            counted[table] = sum(_holds(word) for word in _words(head.at(table, cluster))[::step])
        total += counted[table] * cluster
        if total > most:
            break
    return total


def _holds(word: int) -> bool:
    return bool(word & _COMPRESSED or (word & _OFFSET and not word & _ZERO))


def _words(data: bytes) -> array.array[int]:
    found = array.array("Q", data)
    if sys.byteorder == "little":
        found.byteswap()
    return found


_FLATTEN: Final = "`qemu-img convert -O qcow2`, where it was made, writes one that stands alone"
