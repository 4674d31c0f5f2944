"""What an import remembers of each document that it has read."""

from __future__ import annotations

import json
from collections import Counter
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any, NamedTuple

from analyser.importer.findings import CODES, DISK, NETWORK, POOL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analyser.importer.facts import Facts
    from analyser.importer.findings import Finding
    from analyser.importer.items import Item
    from analyser.runtime import Taken
    from schemas.errors import KubevmmError


class Options(NamedTuple):
    """What the conversion depends on besides the file; ``spool`` is the folder that files are kept in until named."""

    spool: str
    namespace: str | None
    infrastructure: str


class Read(NamedTuple):
    """A file that was read: where it is from, its bytes, and their digest with what its place says."""

    item: Item
    data: bytes
    digest: str


NEXT, FIELD = "\x01", "\x02"
"""What stands between several things in one column, and between the parts of one: no XML can hold it."""


class Said(NamedTuple):
    """What the report says of a guest, as far as its file alone shows it: JSON that has only to be put together."""

    front: str = ""
    """Members of the guest's object, from ``domain`` to ``running``."""
    back: str = ""
    """Members from ``carried`` on, up to the last of the list ``needsAPerson``, which is still open."""
    uses: str = ""
    """Networks, pools and disks, each with its parts: what it is, its name; of a disk: target, kind, where."""
    devices: str = ""
    """How many of each kind, as a JSON object."""
    elements: int = 0
    codes: str = ""
    """The codes of what needs a person."""
    left_out: str = ""
    """What was left out as runtime state, in a person's words, as often as it was."""


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
    info: str = "{}"
    """What the report says, as JSON, if it is no guest."""
    said: Said = Said()


def row(item: Item, part: int, digest: str, kind: str, **more: Any) -> Row:
    """Return the row of document number *part* of *item*; what *more* does not say is empty."""
    nothing: dict[str, Any] = {
        "rank": int(item.rank), "running": 0, "identity": "", "name": "", "base": "", "project": "", "folder": "",
        "merge": "", "sha": "", "file": "", "secret": 0,
    }  # fmt: skip
    return Row(source=item.name, part=part, digest=digest, kind=kind, node=item.node, **{**nothing, **more})


def failed(item: Item, digest: str, error: KubevmmError, part: int = 0) -> Row:
    """Return the row of a document that cannot be imported."""
    places = {name: getattr(error, name, None) for name in ("line", "column", "path")}
    message, text = (" ".join(said.splitlines()) for said in (error.message, str(error)))
    info = {"message": message, "hint": error.hint, "text": text, **places}
    return row(item, part, digest, "failed", info=json.dumps(info))


def left_out(taken: list[Taken]) -> list[dict[str, str]]:
    """Return *taken* as the report has it."""
    return [{"path": t.path, "what": t.what, **({"value": t.value} if t.value else {})} for t in taken]


def person(code: str, detail: str) -> str:
    """Return an entry of the list ``needsAPerson``, as JSON."""
    return f'{{"code": "{code}", "what": {_words[code]}, "detail": {quoted(detail)}}}'


_words = {code: quoted(words) for code, words in CODES.items()}


def said(
    source: str, known: Facts, taken: list[Taken], found: Iterable[Finding], *, running: bool, elements: int
) -> Said:
    """Return what the report says of a guest in the file *source*."""
    used = [use for device in known.devices for use in device.uses]
    if len(used) > 1:
        used.sort(key=lambda use: _USED.index(use[0]))
    uuid = known.uuid.strip().lower()
    carried = _carried(known.tags)
    left = ", ".join([json.dumps(each, ensure_ascii=False) for each in left_out(taken)])
    people = ", ".join([person(code, detail) for code, detail in found])
    return Said(
        f'"domain": {quoted(known.name)}, "uuid": {quoted(uuid) if uuid else "null"}, "source": {quoted(source)}, '
        f'"running": {"true" if running else "false"}',
        f'"carried": {{"elements": {elements}, "devices": {carried}}}, "leftOut": [{left}], "needsAPerson": [{people}',
        NEXT.join([FIELD.join(use) for use in used]),
        carried,
        elements,
        NEXT.join([code for code, _ in found]),
        NEXT.join([each.what for each in taken]),
    )


_USED = (NETWORK, POOL, DISK)


@lru_cache(1024)
def _carried(tags: tuple[str, ...]) -> str:
    """Return how many devices there are of each kind, as a JSON object."""
    return json.dumps(Counter(tag for tag in tags if tag != "emulator"))
