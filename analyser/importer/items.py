"""What an import reads: each XML file of a folder, an archive or a live hypervisor, one at a time and in no order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analyser import files
from analyser.importer.archive import BLOCK, is_archive, members
from analyser.importer.place import NOVA, Rank, ignored, place_of
from analyser.xmlreader import MAX_BYTES
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analyser.importer.place import Place

ENDINGS = (".xml", ".xml.gz")
"""The files that are read."""

_DEPTH = 64


class Item(NamedTuple):
    """One file: ``name`` for people, its ``data`` or the ``path`` to read it from, and what its place says of it.

    ``running`` is what a live hypervisor says; an ``error`` stands for what could not be read.
    """

    name: str
    node: str | None
    rank: Rank
    path: str | None = None
    data: bytes | None = None
    running: bool | None = None
    error: InputError | None = None


def items(source: str, node: str | None = None) -> Iterator[Item]:
    """Yield what the folder, archive or file *source* has; *node* is the node of all of it, whatever its place says.

    Raises InputError where *source* itself cannot be read; what cannot be read below it is an Item with an error.
    """
    path = Path(source)
    if not path.exists():
        raise InputError("no such file, folder or archive", file=source)
    if path.is_dir():
        yield from _below(str(path), (), _above(path), node)
        return
    if not path.is_file():
        raise InputError("neither a folder nor a regular file", file=source)
    head = _head(path)
    if is_archive(head) and not source.endswith(ENDINGS):
        yield from _archived(path, node)
    else:
        place = place_of((path.name,), _above(path.parent))
        yield Item(source, node or place.node, place.rank, path=source)


def _above(path: Path) -> tuple[str, ...]:
    return tuple(part for part in path.resolve().parts if part != "/")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(BLOCK)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None


def _below(here: str, folders: tuple[str, ...], above: tuple[str, ...], node: str | None) -> Iterator[Item]:
    """Yield the files below a folder without ever holding a whole folder's names; links are not followed."""
    # What a place says is the same for all files of a folder but those that Nova calls by one name.
    said: dict[str, Place | None] = {}
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if len(folders) < _DEPTH:
                        yield from _below(f"{here}/{name}", (*folders, name), above, node)
                    else:
                        error = InputError(f"folders nested more than {_DEPTH} deep", file=f"{here}/{name}")
                        yield Item(f"{here}/{name}", node, Rank.DUMP, error=error)
                elif name.endswith(ENDINGS) and entry.is_file(follow_symlinks=False):
                    kind = name if name == NOVA else ""
                    if kind not in said:
                        parts = (*folders, name)
                        said[kind] = None if ignored(parts) else place_of(parts, above)
                    place = said[kind]
                    if place is not None:
                        path = f"{here}/{name}"
                        yield Item(path, node or place.node, place.rank, path=path)
    except OSError as error:
        refused = InputError(f"cannot be read: {error.strerror}", file=here)
        yield Item(here, node, Rank.DUMP, error=refused)


def _archived(path: Path, node: str | None) -> Iterator[Item]:
    def wanted(name: str) -> bool:
        return name.endswith(ENDINGS) and not ignored(_parts(name))

    try:
        for member in members(path, wanted, MAX_BYTES):
            place = place_of(_parts(member.name))
            name = f"{path}:{member.name}"
            if member.data is None:
                error = InputError(f"larger than {MAX_BYTES >> 20} MiB", file=name)
                yield Item(name, node or place.node, place.rank, error=error)
            else:
                yield Item(name, node or place.node, place.rank, data=member.data)
    except InputError as error:
        yield Item(str(path), node, Rank.DUMP, error=error)


def _parts(name: str) -> tuple[str, ...]:
    """Return the steps of a member's name that say something; it is never used as a path."""
    return tuple(part for part in name.split("/") if part not in ("", ".", "..")) or (name,)


def contents(item: Item) -> bytes:
    """Return the XML of *item*, unzipped; raises InputError."""
    if item.error is not None:
        raise item.error
    if item.data is not None:
        data = item.data
        if data.startswith(files.GZIP):
            data = files.unzip(data, item.name)
            if len(data) > MAX_BYTES:
                raise InputError(f"larger than {MAX_BYTES >> 20} MiB", file=item.name)
        return data
    return files.read_file(item.path or item.name)
