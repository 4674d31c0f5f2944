"""Files as an ISO 9660 image, the same bytes for the same files: without the time at which it was made."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pycdlib import PyCdlib

BLOCK: Final = 2048

# Where ECMA-119 has a volume descriptor's root directory and its four times, and a directory record's time and name.
_ROOT, _ROOT_SIZE = 156, 34
_TIMES, _TIMES_SIZE = 813, 4 * 17
_UNSAID: Final = (b"0" * 16 + b"\0") * 4
_TIME, _TIME_SIZE, _NAME_SIZE, _NAME = 18, 7, 32, 33
_PRIMARY, _SUPPLEMENTARY, _LAST = 1, 2, 255
_FOLDER = 2
_EPOCH: Final = bytes((70, 1, 1, 0, 0, 0, 0))


def image(label: str, files: Mapping[str, bytes]) -> bytes:
    """Return an image called *label* with *files* by their paths, such as ``a/b``; names as they are, in two ways.

    Rock Ridge's names and Joliet's: every system that cloud-init runs on reads one of them.
    """
    from pycdlib import PyCdlib  # noqa: PLC0415  (costs more than most verbs take)

    iso = PyCdlib()
    iso.new(interchange_level=3, vol_ident=label, joliet=3, rock_ridge="1.09")
    plain: dict[str, str] = {"": ""}
    for number, path in enumerate(sorted(files)):
        folder, _, name = path.rpartition("/")
        _make_folders(iso, folder, plain)
        content = files[path]
        iso.add_fp(
            io.BytesIO(content), len(content), f"{plain[folder]}/F{number:07d}.;1", rr_name=name, joliet_path=f"/{path}"
        )
    out = io.BytesIO()
    iso.write_fp(out)
    iso.close()
    return _without_times(out.getvalue())


def _make_folders(iso: PyCdlib, folder: str, plain: dict[str, str]) -> None:
    if folder in plain:
        return
    above, _, name = folder.rpartition("/")
    _make_folders(iso, above, plain)
    plain[folder] = f"{plain[above]}/D{len(plain):07d}"
    iso.add_directory(plain[folder], rr_name=name, joliet_path=f"/{folder}")


def _without_times(content: bytes) -> bytes:
    out = bytearray(content)
    for block in range(16, len(out) // BLOCK):
        at = block * BLOCK
        kind = out[at]
        if kind == _LAST:
            break
        if kind in (_PRIMARY, _SUPPLEMENTARY):
            out[at + _TIMES : at + _TIMES + _TIMES_SIZE] = _UNSAID
            _without_time(out, at + _ROOT)
            for record in _records(out, at + _ROOT, set()):
                _without_time(out, record)
    return bytes(out)


def _records(image: bytearray, folder: int, seen: set[int]) -> Iterator[int]:
    """Yield where the records of all that is in the folder of that record are, to the bottom."""
    block, size = (struct.unpack_from("<I", image, folder + offset)[0] for offset in (2, 10))
    if block in seen:
        # The first two records of a folder are itself and the one above.
        return
    seen.add(block)
    at, end = block * BLOCK, block * BLOCK + size
    while at < end:
        if not image[at]:
            # No record goes over the end of a block.
            at = (at // BLOCK + 1) * BLOCK
            continue
        yield at
        if image[at + 25] & _FOLDER:
            yield from _records(image, at, seen)
        at += image[at]


def _without_time(image: bytearray, record: int) -> None:
    image[record + _TIME : record + _TIME + _TIME_SIZE] = _EPOCH
    end = record + image[record]
    at = record + _NAME + image[record + _NAME_SIZE]
    at += at - record & 1
    while at + 4 <= end and image[at + 2] >= 4:  # noqa: PLR2004  (the head of an entry of Rock Ridge's)
        if image[at : at + 2] == b"TF":
            count = (image[at + 2] - 5) // _TIME_SIZE
            image[at + 5 : at + 5 + count * _TIME_SIZE] = _EPOCH * count
        at += image[at + 2]
