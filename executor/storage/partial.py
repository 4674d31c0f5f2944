"""A file that comes in pieces, by one process after the other: what has come of it, and of which version.

Beside the file lies a note of how much there was, with a digest, so that what a host left behind that lost its power is
no part of it. The file has a name that nobody takes for an image's, in a folder that is its owner's alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

STEP: Final = 8 << 20
"""After how many bytes it is noted how much there is: at most so much is got again."""

KEPT: Final = 7 * 86400.0
"""Seconds for which what nobody goes on with is kept."""

_SUFFIX, _NOTE = ".part", ".note"
_PIECE: Final = 1 << 20


@dataclass(frozen=True)
class _Note:
    source: str
    """A digest of where it comes from: URLs may have secrets in them."""
    validator: str
    length: int
    sha256: str
    whole: int | None
    """How long all of it is, where that is known."""


class Partial:
    """A context manager round a file of which a part may be there; *source* tells where it comes from.

    Leaving keeps what has come for the next process, unless `discard` was called. Entering raises KubevmmError where
    the file cannot be opened.
    """

    file: BinaryIO
    """To read from, when all has come."""

    def __init__(self, folder: Path, name: str, source: str) -> None:
        self._path = folder / f"{name}{_SUFFIX}"
        self._source = hashlib.sha256(source.encode()).hexdigest()
        self._digest = hashlib.sha256()
        self._noted = 0
        self._discarded = False
        self.length = 0
        """How many bytes have come."""
        self.whole: int | None = None
        """How many there are, where that is known."""
        self.validator = ""
        """What tells this version of the file from another, to its server."""
        self.resumed = False
        """Whether another process got a part of it."""

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            sweep(self._path.parent)
            self.file = _opened(self._path)
            self._descriptor = self.file.fileno()
            self._go_on()
        except OSError as error:
            raise KubevmmError(f"{self._path}: cannot be written: {error.strerror or error}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.file:
            if self._discarded:
                _remove(self._path)
                return
            # Where there is no room for a note, the next one starts anew.
            with contextlib.suppress(OSError):
                self._note()

    def discard(self) -> None:
        """Keep nothing of it."""
        self._discarded = True

    def begin(self, validator: str, whole: int | None) -> None:
        """Take what is written from now on for a part of that version, and all of it for so long."""
        self.validator, self.whole = validator, whole

    def restart(self) -> None:
        """Throw away what has come."""
        os.ftruncate(self._descriptor, 0)
        self._digest = hashlib.sha256()
        self._noted = self.length = 0
        self.validator, self.whole, self.resumed = "", None, False

    def write(self, piece: bytes) -> None:
        """Add *piece*. Raises KubevmmError."""
        left, at = memoryview(piece), self.length
        try:
            while left:
                done = os.pwrite(self._descriptor, left, at)
                left, at = left[done:], at + done
            self._digest.update(piece)
            self.length = at
            if self.length - self._noted >= STEP:
                self._note()
        except OSError as error:
            raise KubevmmError(f"{self._path}: cannot be written: {error.strerror or error}") from None

    def _go_on(self) -> None:
        """Take what is there for a part of it where it surely is one."""
        found, size = _read(self._path), os.fstat(self._descriptor).st_size
        if found is None or found.source != self._source or not found.validator or not 0 < found.length <= size:
            self.restart()
            return
        while piece := os.pread(self._descriptor, min(found.length - self.length, _PIECE), self.length):
            self._digest.update(piece)
            self.length += len(piece)
        if self._digest.hexdigest() != found.sha256:
            self.restart()
            return
        os.ftruncate(self._descriptor, self.length)
        self._noted, self.resumed = self.length, True
        self.begin(found.validator, found.whole)

    def _note(self) -> None:
        note = _Note(self._source, self.validator, self.length, self._digest.hexdigest(), self.whole)
        _write(self._path, json.dumps(asdict(note)).encode())
        self._noted = self.length


def discard(folder: Path, name: str) -> None:
    """Keep nothing of the file *name* in *folder*, if there is any of it."""
    _remove(folder / f"{name}{_SUFFIX}")


def sweep(folder: Path) -> None:
    """Delete what nobody went on with for long, nor has open."""
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT:
                with _opened(path):
                    _remove(path)


def _opened(path: Path) -> BinaryIO:
    """Return the file at *path*, with a lock on it. Raises OSError, also where another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fdopen(descriptor, "r+b")
    except BaseException:
        os.close(descriptor)
        raise


def _read(path: Path) -> _Note | None:
    try:
        found = json.loads(path.with_suffix(_NOTE).read_bytes())
        whole = found["whole"]
        return _Note(
            str(found["source"]),
            str(found["validator"]),
            int(found["length"]),
            str(found["sha256"]),
            int(whole) if whole is not None else None,
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path.with_suffix(_NOTE))


def _remove(path: Path) -> None:
    for each in (path, path.with_suffix(_NOTE), path.with_suffix(".new")):
        each.unlink(missing_ok=True)
