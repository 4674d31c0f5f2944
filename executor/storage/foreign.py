"""Images of other hypervisors (vmdk, vdi): how large the disk is, and that it needs no other file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from executor.storage.headers import Refused

if TYPE_CHECKING:
    from executor.storage.headers import Head

_SECTOR: Final = 512
_DESCRIPTOR: Final = 1 << 20
_STALE: Final = 8
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
    # It ends at the first zero. QEMU leaves a few bytes behind that when it writes a shorter CID.
    text, _, rest = head.at(descriptor * _SECTOR, length * _SECTOR).partition(b"\0")
    kinds = re.findall(rb'^\s*createType\s*=\s*"?([A-Za-z0-9]+)"?', text, re.IGNORECASE | re.MULTILINE)
    extents = _EXTENT.findall(text)
    if len(rest.strip(b"\0")) > _STALE or len(kinds) != 1 or len(extents) != 1 or kinds[0].lower() not in _ALONE:
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
    head.at(0, _SECTOR)
    version, _length, kind = head.unpack("<III", 0x44)
    if version >> 16 != 1 or kind not in (_DYNAMIC, _STATIC):
        raise Refused("it is a VDI of an unknown kind", hint=_FLATTEN)
    if any(head.at(0x1A8, 32)):
        # The UUIDs of what it links to, and of its parent.
        raise Refused(_PARENT, hint=_FLATTEN)
    (size,) = head.unpack("<Q", 0x170)
    return size
