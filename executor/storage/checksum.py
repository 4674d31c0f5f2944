"""Digests of images: how they are written in a spec, and computed as the bytes go by."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, BinaryIO, Final

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable

_FORM: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_PIECE: Final = 1 << 20


class Digests:
    """A writable end that keeps nothing but the digests, and the count, of what is written to it."""

    def __init__(self) -> None:
        self._each = {name: hashlib.new(name) for name in ("sha256", "sha512")}
        self.length = 0

    def write(self, piece: bytes) -> int:
        """Take *piece*."""
        for each in self._each.values():
            each.update(piece)
        self.length += len(piece)
        return len(piece)

    def __getitem__(self, algorithm: str) -> str:
        return f"{algorithm}:{self._each[algorithm].hexdigest()}"


def parse(text: str) -> str:
    """Return the checksum as it is compared. Raises KubevmmError for what is none."""
    wanted = text.strip().lower()
    if not _FORM.fullmatch(wanted):
        raise KubevmmError(f"{text} is no checksum", hint="write sha256: and 64 hexadecimal digits, or sha512: and 128")
    return wanted


def of(file: BinaryIO, progress: Callable[[int], object] | None = None) -> Digests:
    """Return the digests of all that *file* (seekable) has; *progress* is called with the bytes so far."""
    file.seek(0)
    found = Digests()
    while piece := file.read(_PIECE):
        found.write(piece)
        if progress is not None:
            progress(found.length)
    return found
