"""Several files of a source to rows and files of the spool. Runs in a worker process.

Each step is done for all of them before the next one: a processor is much quicker while it does the same again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from analyser.importer.convert import by_tree
from analyser.importer.guest import quick
from analyser.importer.items import Item, contents
from analyser.importer.row import Options, Read, Row, failed
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Result = tuple[str, list[Row] | None]
"""The name of a file, and its rows; None if it is what was converted before."""

_BYTES = 4 << 20
"""How much is read before it is converted."""


def clean(name: str) -> str:
    """Return the name of a file as text that can be written anywhere."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def convert(chunk: Iterable[tuple[Item, str | None]], options: Options) -> list[Result]:
    """Convert the items of *chunk* and return what became of each; with each goes the digest that is known of it."""
    results: list[Result] = []
    waiting: list[Read] = []
    size = 0
    for item, known in chunk:
        found = _read(item, known)
        if isinstance(found, Read):
            waiting.append(found)
            size += len(found.data)
            if size >= _BYTES:
                results += _converted(waiting, options)
                waiting, size = [], 0
        else:
            results.append((clean(item.name), found))
    return [*results, *_converted(waiting, options)]


def _read(item: Item, known: str | None) -> Read | list[Row] | None:
    name = clean(item.name)
    try:
        data = contents(item)
    except KubevmmError as error:
        if isinstance(error, InputError) and error.file is not None:
            error.file = clean(error.file)
        return [failed(item._replace(name=name), "", error)]
    if name is not item.name:
        item = item._replace(name=name)
    digest = hashlib.sha256(f"{item.node}\0{int(item.rank)}\0{item.running}\0".encode())
    digest.update(data)
    found = digest.hexdigest()
    return None if found == known else Read(item, data, found)


def _converted(reads: list[Read], options: Options) -> Iterator[Result]:
    for read, row in zip(reads, quick(reads, options), strict=True):
        yield read.item.name, [row] if row is not None else by_tree(read, options)
