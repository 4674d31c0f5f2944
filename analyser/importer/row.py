"""What an import remembers of each document that it has read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from analyser.importer.items import Item
    from schemas.errors import KubevmmError


class Options(NamedTuple):
    """What the conversion depends on besides the file; ``spool`` is the folder that files are kept in until named."""

    spool: str
    namespace: str | None
    infrastructure: str


class Row(NamedTuple):
    """One document, as the spool's table has it."""

    source: str
    part: int
    """Its place in the file."""
    digest: str
    """Of the file and of what its place says."""
    kind: str
    """guest, network, pool, other, ignored or failed."""
    node: str | None
    rank: int
    running: int
    identity: str
    """What it is known by, whatever file it stands in: hexadecimal digits."""
    name: str
    """Its name in libvirt."""
    base: str
    """The object name that it would like."""
    project: str
    """What tells apart namespaces that would like to be called the same."""
    folder: str
    """The namespace (or the folder below it) that it would like."""
    merge: str
    """Networks and pools that have this in common are one object."""
    sha: str
    """Documents that have this in common are equal; a document without secrets, its file's SHA-256."""
    file: str
    """Its file in the spool."""
    secret: int
    info: str
    """What the report says, as JSON."""


def row(item: Item, part: int, digest: str, kind: str, **more: Any) -> Row:
    """Return the row of document number *part* of *item*; what *more* does not say is empty."""
    nothing: dict[str, Any] = {
        "rank": int(item.rank), "running": 0, "identity": "", "name": "", "base": "", "project": "", "folder": "",
        "merge": "", "sha": "", "file": "", "secret": 0, "info": "{}",
    }  # fmt: skip
    return Row(source=item.name, part=part, digest=digest, kind=kind, node=item.node, **{**nothing, **more})


def failed(item: Item, digest: str, error: KubevmmError, part: int = 0) -> Row:
    """Return the row of a document that cannot be imported."""
    places = {name: getattr(error, name, None) for name in ("line", "column", "path")}
    message, text = (" ".join(said.splitlines()) for said in (error.message, str(error)))
    info = {"message": message, "hint": error.hint, "text": text, **places}
    return row(item, part, digest, "failed", info=json.dumps(info))
