"""Images of other hypervisors (vmdk, vdi, vhdx): how large the disk is, and that it needs no other file."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

from executor.storage.headers import Refused

if TYPE_CHECKING:
    from executor.storage.headers import Head

_SECTOR: Final = 512
_DESCRIPTOR: Final = 1 << 20
_EXTENT: Final = re.compile(rb"^\s*(?:RW|RDONLY|NOACCESS)\s+([0-9]{1,18})\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_ALONE: Final = {b"monolithicsparse": b"SPARSE", b"streamoptimized": b"SPARSE"}
_OUTER: Final = "it keeps its data in other files, which could be any of the node"
_PARENT: Final = "it is the difference to another image, which could be any file of the node"
_FLATTEN: Final = "`qemu-img convert -O qcow2`, where it was made, writes one that stands alone"


def vmdk(head: Head) -> int:
    """Return the bytes that a guest sees of a sparse VMDK whose descriptor is in it. Raises Refused for any other."""
    capacity, _grain, descriptor, length = head.unpack("<QQQQ", 12)
    if not capacity:
        # Then the descriptor alone counts, and its extents are files.
        raise Refused(_OUTER, hint=_FLATTEN)
    if not descriptor or not 0 < length * _SECTOR <= _DESCRIPTOR:
        raise Refused("it has no descriptor to check", hint=_FLATTEN)
    text = head.at(descriptor * _SECTOR, length * _SECTOR).rstrip(b"\0")
    kinds = re.findall(rb'^\s*createType\s*=\s*"?([A-Za-z0-9]+)"?', text, re.IGNORECASE | re.MULTILINE)
    extents = _EXTENT.findall(text)
    if b"\0" in text or len(kinds) != 1 or len(extents) != 1 or kinds[0].lower() not in _ALONE:
        raise Refused(_OUTER, hint=_FLATTEN)
    if extents[0][1].upper() != _ALONE[kinds[0].lower()] or int(extents[0][0]) != capacity:
        raise Refused(_OUTER, hint=_FLATTEN)
    parents = re.findall(rb"^\s*parentCID\s*=\s*([0-9a-fA-F]+)", text, re.IGNORECASE | re.MULTILINE)
    if b"parentfilenamehint" in text.lower() or any(parent.lower() != b"ffffffff" for parent in parents):
        raise Refused(_PARENT, hint=_FLATTEN)
    return capacity * _SECTOR


_DYNAMIC, _STATIC = 1, 2


def vdi(head: Head) -> int:
    """Return the bytes that a guest sees of a VDI. Raises Refused where it is the difference to another one."""
    version, _length, kind = head.unpack("<III", 0x44)
    if version >> 16 != 1 or kind not in (_DYNAMIC, _STATIC):
        raise Refused("it is a VDI of an unknown kind", hint=_FLATTEN)
    if any(head.at(0x1A8, 32)):
        # The UUIDs of what it links to, and of its parent.
        raise Refused(_PARENT, hint=_FLATTEN)
    (size,) = head.unpack("<Q", 0x170)
    return size


_REGIONS: Final = (192 << 10, 256 << 10)
_METADATA: Final = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_BLOCKS: Final = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08").bytes_le
_PARAMETERS: Final = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_SIZE: Final = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_LOCATOR: Final = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
_HAS_PARENT: Final = 2
_MOST_ENTRIES: Final = 2047


def vhdx(head: Head) -> int:
    """Return the bytes that a guest sees of a VHDX. Raises Refused where it is the difference to another one."""
    sizes = {_vhdx(head, regions) for regions in _REGIONS}
    if len(sizes) != 1:
        # One of the two may be damaged, and which of them counts is not for us to say.
        raise Refused("the two tables of its header do not agree")
    return sizes.pop()


def _vhdx(head: Head, regions: int) -> int:
    table = _entries(head, regions, b"regi", "<I", 8, 16, 32)
    place = {kind: head.unpack("<QI", at + 16) for kind, at in table.items()}
    if set(place) != {_METADATA, _BLOCKS}:
        raise Refused("it is a VHDX of an unknown kind", hint=_FLATTEN)
    start = place[_METADATA][0]
    items = {
        kind: start + head.unpack("<I", at + 16)[0]
        for kind, at in _entries(head, start, b"metadata", "<H", 10, 32, 32).items()
    }
    if _PARAMETERS not in items or _SIZE not in items:
        raise Refused("it is a VHDX of an unknown kind", hint=_FLATTEN)
    _block, flags = head.unpack("<II", items[_PARAMETERS])
    if _LOCATOR in items or flags & _HAS_PARENT:
        raise Refused(_PARENT, hint=_FLATTEN)
    (size,) = head.unpack("<Q", items[_SIZE])
    return size


def _entries(head: Head, start: int, magic: bytes, form: str, count_at: int, first: int, each: int) -> dict[bytes, int]:
    """Return by its GUID where each entry of a table is; the table begins with *magic*."""
    if head.at(start, len(magic)) != magic:
        raise Refused("it is no VHDX, though it begins like one")
    (count,) = head.unpack(form, start + count_at)
    if count > _MOST_ENTRIES:
        raise Refused("it is no VHDX, though it begins like one")
    places = [start + first + each * number for number in range(count)]
    found = {head.at(place, 16): place for place in places}
    if len(found) != count:
        raise Refused("the tables of its header say one thing twice")
    return found
