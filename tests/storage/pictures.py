"""Disk images as files: whole ones by qemu-img, and hostile ones of a few bytes."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def content(size: int = MIB) -> bytes:
    """Return bytes that are no zeroes and repeat nowhere in a small image."""
    return b"".join(f"{number:015d}\n".encode() for number in range(size // 16))


def qemu_img(*arguments: str | Path) -> str:
    """Run qemu-img and return what it says."""
    done = subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True, text=True)
    return done.stdout


def made(path: Path, form: str, data: bytes, *options: str) -> Path:
    """Write an image of *form* with *data* in it to *path*, and return that."""
    raw = path.with_name(f"{path.name}.raw")
    raw.write_bytes(data)
    given = ["-o", ",".join(options)] if options else []
    qemu_img("convert", "-f", "raw", "-O", form, *given, raw, path)
    raw.unlink()
    return path


def qcow2(
    *, version: int = 3, backing: bytes = b"", size: int = MIB, bits: int = 16, features: int = 0, crypt: int = 0,
    entries: int = 1, length: int = 104, extensions: bytes = b"", snapshots: int = 0, l1: int = 1 << 16,
) -> bytes:  # fmt: skip
    """Return a qcow2 that holds nothing, as its header says."""
    place = 1024 if backing else 0
    header = b"QFI\xfb" + struct.pack(
        ">IQIIQIIQQIIQQQQII",
        version, place, len(backing), bits, size, crypt, entries, l1, 2 << 16, 1, snapshots, 0,
        features, 0, 0, 4, length,
    )  # fmt: skip
    data = bytearray(header + extensions)
    data += bytes((4 << 16) - len(data))
    data[place : place + len(backing)] = backing or data[:0]
    return bytes(data)


def extension(kind: int, text: bytes) -> bytes:
    """Return an extension of qcow2's header."""
    return struct.pack(">II", kind, len(text)) + text + bytes(-len(text) % 8)


def vmdk(descriptor: str, *, capacity: int = 2048) -> bytes:
    """Return a sparse VMDK with that descriptor in it."""
    header = b"KDMV" + struct.pack("<IIQQQQIQQQ", 1, 3, capacity, 128, 1, 20, 512, 21, 26, 128)
    return header.ljust(512, b"\0") + descriptor.encode().ljust(20 * 512, b"\0") + bytes(MIB)


DESCRIPTOR = (
    '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicSparse"\n'
    'RW 2048 SPARSE "x.vmdk"\n'
)
