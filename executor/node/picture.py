"""A guest's screen as a PNG file: libvirt gives most as PPM, whose pixels need only be packed another way."""

from __future__ import annotations

import io
import os
import re
import struct
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.hypervisor.errors import Unsupported
from executor.hypervisor.streams import screenshot

if TYPE_CHECKING:
    from executor.hypervisor.domain import Domain

PNG: Final = b"\x89PNG\r\n\x1a\n"
_HEAD: Final = re.compile(rb"P6(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+255\s")


def save_picture(domain: Domain, path: Path, *, screen: int = 0) -> int:
    """Write what *screen* shows to *path*, whole or not at all; return how many bytes. Raises LibvirtError, OSError."""
    content = io.BytesIO()
    screenshot(domain, content, screen=screen)
    picture = as_png(content.getvalue())
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(picture)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return len(picture)


def as_png(content: bytes) -> bytes:
    """Return a picture, PPM with 8 bits for each colour or PNG already, as PNG. Raises Unsupported for another."""
    if content.startswith(PNG):
        return content
    head = _HEAD.match(content)
    if head is None:
        raise Unsupported(f"the hypervisor gives its screen in a form that begins with {content[:4]!r}")
    width, height = int(head[1]), int(head[2])
    row = width * 3
    if len(content) - head.end() < row * height:
        raise Unsupported("the hypervisor gave a screen that is cut short")
    lines = (content[head.end() + row * line : head.end() + row * (line + 1)] for line in range(height))
    # Each line begins with how it is filtered: not.
    packed = zlib.compress(b"".join(b"\0" + line for line in lines))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
