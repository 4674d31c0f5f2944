"""Reads tar archives as a stream, compressed or not, without extracting anything and without believing anything.

The format is simple (POSIX pax, GNU long names) and the standard library's reader keeps every member and reads headers
of any size, so this one is our own: it hands out regular files that the caller asked for by name, and passes over the
rest.
"""

from __future__ import annotations

import io
import lzma
import zlib
from typing import IO, TYPE_CHECKING, NamedTuple, cast

import zstandard

from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK = 512
MAX_HEADER = 1 << 20
"""The longest extended header (long names and the like) that is read, in bytes."""

MAX_RATIO = 1100
"""How many times its own size an archive may unpack to; gzip cannot do more, XML is far below."""

RATIO_FROM = 64 << 20
"""Bytes up to which an archive may unpack, whatever its own size."""

_MEMORY = 256 << 20
_WINDOW = 128 << 20
_CHUNK = 1 << 18
_REGULAR = b"0\0"
_XZ, _ZSTD, _GZIP = b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x1f\x8b"


class Member(NamedTuple):
    """A regular file: its name as the archive has it, unchecked, and its bytes (None: larger than was asked for)."""

    name: str
    size: int
    data: bytes | None


class _Unpacked(io.RawIOBase):
    """The bytes behind a decompressor that takes chunks, several frames one after the other, bounded by a ratio."""

    def __init__(self, packed: IO[bytes], make: Callable[[], _Decompressor]) -> None:
        self._packed = packed
        self._make = make
        self._decompressor = make()
        self._in = 0
        self._out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if self._decompressor.eof:
                rest = (self._decompressor.unused_data or self._packed.read(_CHUNK)).lstrip(b"\0")
                if not rest:
                    return 0
                self._decompressor = self._make()
                data = self._feed(rest, len(buffer))
            elif getattr(self._decompressor, "needs_input", True):
                packed = self._packed.read(_CHUNK)
                data = self._feed(packed, len(buffer))
                if not packed and not data and not self._decompressor.eof:
                    raise EOFError("it ends too early")
            else:
                data = self._decompressor.decompress(b"", len(buffer))
            if data:
                self._out += len(data)
                if self._out > RATIO_FROM and self._out > self._in * MAX_RATIO:
                    raise OverflowError
                buffer[: len(data)] = data
                return len(data)

    def _feed(self, packed: bytes, most: int) -> bytes:
        self._in += len(packed)
        return self._decompressor.decompress(packed, most)


class _Decompressor:
    """What the decompressors have in common."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most *max_length* bytes more."""
        raise NotImplementedError


class _Gzip(_Decompressor):
    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:  # type: ignore[override]
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:  # type: ignore[override]
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:  # type: ignore[override]
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def _xz() -> _Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)  # type: ignore[return-value]


class _Counted(io.RawIOBase):
    """A stream that counts what is read from it, and what its decompressor makes of that."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._in = 0
        self._out = 0
        self._stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(
            cast("IO[bytes]", self), read_across_frames=True
        )

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return packed bytes; called by the decompressor."""
        data = self._packed.read(size)
        self._in += len(data)
        return data

    def unpacked(self, size: int) -> bytes:
        """Return at most *size* unpacked bytes."""
        data = self._stream.read(size)
        self._out += len(data)
        if self._out > RATIO_FROM and self._out > self._in * MAX_RATIO:
            raise OverflowError
        return data


class _Zstd(io.RawIOBase):
    def __init__(self, packed: IO[bytes]) -> None:
        self._counted = _Counted(packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._counted.unpacked(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def is_archive(head: bytes) -> bool:
    """Say whether a file that starts with *head* (512 bytes) is a tar, or compressed as one would be."""
    return head.startswith((_XZ, _ZSTD, _GZIP)) or head[257:262] == b"ustar" or _checksum_holds(head)


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    head = file.read(len(_XZ))
    file.seek(0)
    raw: io.RawIOBase
    if head.startswith(_XZ):
        raw = _Unpacked(file, _xz)
    elif head.startswith(_GZIP):
        raw = _Unpacked(file, _Gzip)
    elif head.startswith(_ZSTD):
        raw = _Zstd(file)
    else:
        return file
    return io.BufferedReader(raw, _CHUNK)


def members(path: Path, wanted: Callable[[str], bool], most: int) -> Iterator[Member]:
    """Yield the regular files of the archive at *path* whose names are *wanted*, each of at most *most* bytes.

    Raises InputError where the archive is damaged, ends too early, or unpacks to more than it should; what came before
    has been handed out by then.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            yield from _members(_unpacked(file), wanted, most, name)
    except OverflowError:
        raise InputError(
            f"unpacks to more than {MAX_RATIO} times its size", file=name, hint="leave disk images out of the archive"
        ) from None
    except (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise InputError(f"damaged archive: {error}", file=name) from None
    except MemoryError:
        raise InputError("damaged archive: it asks for too much memory", file=name) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=name) from None


def _members(stream: IO[bytes], wanted: Callable[[str], bool], most: int, file: str) -> Iterator[Member]:
    extended: dict[str, str] = {}
    everywhere: dict[str, str] = {}
    first = True
    while True:
        header = stream.read(BLOCK)
        if first and not header:
            raise InputError("an empty file", file=file)
        if len(header) < BLOCK:
            if header or first:
                raise EOFError("it ends too early")
            raise EOFError("it ends without its last blocks")
        if not header.strip(b"\0"):
            return
        if not _checksum_holds(header):
            raise InputError("not a tar archive" if first else "damaged archive: a header's sum is wrong", file=file)
        first = False
        kind = header[156:157]
        size = _number(header[124:136], file)
        if kind in b"xgLK" and kind:
            if size > MAX_HEADER:
                raise InputError("damaged archive: a header of more than 1 MiB", file=file)
            _extend(kind, _exactly(stream, size), extended, everywhere)
            continue
        known = {**everywhere, **extended}
        extended = {}
        if "size" in known:
            if not known["size"].isdigit() or len(known["size"]) > 18:  # noqa: PLR2004  (digits that int64 holds)
                raise InputError("damaged archive: a size that is no number", file=file)
            size = int(known["size"])
        if kind not in _REGULAR and kind not in (b"7", b"S"):
            # Links, devices and folders have nothing that an import reads; only regular files have content here.
            _skip(stream, size if kind not in b"123456" else 0)
            continue
        member = known.get("path") or _name(header)
        sparse = kind == b"S" or any(key.startswith("GNU.sparse") for key in known)
        if sparse:
            for _ in _sparse_headers(stream, header) if kind == b"S" else ():
                pass
        if not wanted(member) or sparse:
            _skip(stream, size)
        elif size > most:
            yield Member(member, size, None)
            _skip(stream, size)
        else:
            yield Member(member, size, _exactly(stream, size))


def _sparse_headers(stream: IO[bytes], header: bytes) -> Iterator[bytes]:
    """Read the further headers of an old GNU sparse file."""
    more = header[482:483] not in (b"\0", b"")
    while more:
        header = stream.read(BLOCK)
        if len(header) < BLOCK:
            raise EOFError("it ends too early")
        yield header
        more = header[504:505] not in (b"\0", b"")


def _exactly(stream: IO[bytes], size: int) -> bytes:
    padded = -(-size // BLOCK) * BLOCK
    data = stream.read(padded)
    if len(data) < padded:
        raise EOFError("it ends too early")
    return data[:size]


def _skip(stream: IO[bytes], size: int) -> None:
    left = -(-size // BLOCK) * BLOCK
    if stream.seekable():
        here = stream.tell()
        end = stream.seek(0, io.SEEK_END)
        if here + left > end:
            raise EOFError("it ends too early")
        stream.seek(here + left)
        return
    while left:
        data = stream.read(min(left, _CHUNK))
        if not data:
            raise EOFError("it ends too early")
        left -= len(data)


def _checksum_holds(header: bytes) -> bool:
    if len(header) < BLOCK:
        return False
    try:
        expected = int(header[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return expected == sum(header[:148]) + sum(header[156:]) + 8 * 32


def _number(field: bytes, file: str) -> int:
    """Return a number in octal digits, or in GNU's binary form."""
    if field[0] & 0x80:
        value = int.from_bytes(field[1:], "big")
        if field[0] != 0x80 or value >= 1 << 62:  # noqa: PLR2004  (negative or absurd)
            raise InputError("damaged archive: an absurd size", file=file)
        return value
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise InputError("damaged archive: a size that is no number", file=file) from None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _name(header: bytes) -> str:
    name = _text(header[:100].partition(b"\0")[0])
    prefix = _text(header[345:500].partition(b"\0")[0]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _extend(kind: bytes, data: bytes, extended: dict[str, str], everywhere: dict[str, str]) -> None:
    """Take in an extended header."""
    if kind == b"L":
        extended["path"] = _text(data.partition(b"\0")[0])
    elif kind in b"xg":
        target = extended if kind == b"x" else everywhere
        while data:
            length, space, rest = data.partition(b" ")
            if not space or not length.isdigit() or len(length) > 7 or int(length) <= len(length) + 1:  # noqa: PLR2004
                return
            record = rest[: int(length) - len(length) - 1].rstrip(b"\n")
            key, _, value = record.partition(b"=")
            target[_text(key)] = _text(value)
            data = data[int(length) :]
