"""Files in and out: which inputs a list of sources means, reading them within bounds, writing them by rename."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analyser.xmlreader import MAX_BYTES
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENDINGS = (".xml", ".yaml", ".yml", ".xml.gz", ".yaml.gz", ".yml.gz")
"""What a folder is searched for."""

GZIP = b"\x1f\x8b"

_DEVICES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


@dataclass(frozen=True)
class Source:
    """One input: ``path`` (None for standard input) and its place below the source that it was found in.

    ``problem`` is why it cannot be read, where that is known already: ``read`` raises it, so that it fails alone.
    """

    path: Path | None
    relative: Path
    problem: InputError | None = None

    def __str__(self) -> str:
        return "<stdin>" if self.path is None else str(self.path)


def sources(names: Iterable[str]) -> Iterator[Source]:
    """Return the inputs that *names* mean, folders walked in order; what cannot be read is among them."""
    for name in names:
        path = Path(name)
        if name == "-":
            yield Source(None, Path("stdin"))
        elif os.path.isdir(name):  # noqa: PTH112  (pathlib's raises where a folder on the way is closed)
            yield from _below(path)
        else:
            try:
                path.stat()
            except FileNotFoundError:
                yield Source(path, Path(path.name), InputError("no such file or folder", file=name))
            except OSError as error:
                yield Source(path, Path(path.name), _unreadable(error, name))
            else:
                yield Source(path, Path(path.name))


def _below(folder: Path) -> Iterator[Source]:
    closed: list[OSError] = []
    for here, folders, names in os.walk(folder, onerror=closed.append):
        folders.sort()
        for name in sorted(names):
            if name.endswith(ENDINGS):
                path = Path(here, name)
                yield Source(path, path.relative_to(folder), _not_a_file(path))
    for error in closed:
        path = Path(error.filename)
        yield Source(path, path.relative_to(folder), _unreadable(error, error.filename))


def _not_a_file(path: Path) -> InputError | None:
    """Return the error for what is no file, but a pipe or a device: nobody meant to read that by naming its folder."""
    try:
        found = path.stat().st_mode
    except OSError:
        return None  # reading it says why
    return None if stat.S_ISREG(found) else InputError("is not a file", file=str(path))


def _unreadable(error: OSError, file: str) -> InputError:
    return InputError(f"cannot be read: {error.strerror or error}", file=file)


def read(source: Source) -> bytes:
    """Return the bytes of *source*, unzipped; raises InputError, also where there are more than MAX_BYTES of them."""
    if source.problem is not None:
        raise source.problem
    return read_file(None if source.path is None else str(source.path))


def read_file(path: str | None) -> bytes:
    """Return the bytes of the file *path* (None: of standard input), unzipped; raises InputError as ``read`` does."""
    name = "<stdin>" if path is None else path
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if path is None else _bounded(path)
        if data.startswith(GZIP):
            if path is not None and len(data) > MAX_BYTES:
                raise _too_large(name)
            data = unzip(data, name)
    except OSError as error:
        raise _unreadable(error, name) from None
    except MemoryError:
        raise InputError("does not fit into memory", file=name) from None
    if len(data) > MAX_BYTES:
        raise _too_large(name)
    return data


def _bounded(path: str) -> bytes:
    """Return what is in the file *path*, at most one byte more than MAX_BYTES of it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # A buffer of the bound's size would cost more than reading most files does.
        size = os.fstat(descriptor).st_size
        data = os.read(descriptor, min(size, MAX_BYTES) + 1)
        if len(data) == size:
            return data
        with open(descriptor, "rb", closefd=False) as file:
            return data + file.read(MAX_BYTES + 1 - len(data))
    finally:
        os.close(descriptor)


def _too_large(name: str) -> InputError:
    return InputError(f"larger than {MAX_BYTES >> 20} MiB", file=name, hint="split it, one document a file")


def unzip(data: bytes, file: str) -> bytes:
    """Return gzip *data* unzipped, at most one byte more than MAX_BYTES of it; raises InputError if it is damaged."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as unzipped:
            return unzipped.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"damaged gzip: {error}", file=file) from None


def write(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write *data* to *path* by rename, its folder made where there is none; raises KubevmmError, then nothing is left.

    *mode* is the new file's, less the process' umask. What is no plain file (a pipe, /dev/null, /dev/stdout) is written
    to as it is: a rename would put a file in its place.
    """
    if _is_special(path):
        _write_to(path, data)
        return
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KubevmmError(f"{path}: cannot be written: {error.strerror or error}") from None


def put(path: str, data: bytes, *, mode: int = 0o666) -> None:
    """Write *data* to *path*, which nobody else looks at yet; raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, data[written:])
    finally:
        os.close(descriptor)


def _is_special(path: Path) -> bool:
    try:
        found = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(found) or stat.S_ISDIR(found)) or (path.is_symlink() and path.parent in _DEVICES)


def _write_to(path: Path, data: bytes) -> None:
    try:
        with path.open("wb") as file:
            file.write(data)
    except OSError as error:
        raise KubevmmError(f"{path}: cannot be written: {error.strerror or error}") from None
