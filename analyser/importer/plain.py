"""The quick way of an import: a domain as virsh prints it goes element by element to YAML, and no tree is made.

What it finds in the elements' text on the way is all that an import has to know of the guest. What has runtime state
or a password is edited in the text first (``editing``), and the rest of the guest stays as it is.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from analyser import fastyamlpieces
from analyser.fastmemory import NotAccepted
from analyser.fastxmlpieces import Divided
from analyser.importer import editing, notes, nova, secrets, taking
from analyser.importer.facts import Facts, together
from analyser.importer.findings import BLOCK_JOB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analyser.fastxmlpieces import Cut, Pieced
    from analyser.importer.editing import Password
    from analyser.importer.findings import Device, Finding
    from analyser.importer.notes import Part
    from analyser.runtime import Taken

_TYPE = re.compile(r" type='([^'&]*)'")

# By whether it runs: what is remembered of one that does is not true of one that does not.
_domains = {
    running: Divided(
        "domain",
        "devices",
        partial(notes.part, running=running),
        partial(notes.device, running=running),
        nova.is_canonical,
    )
    for running in (False, True)
}


class Plain(NamedTuple):
    """A domain: its XML as it must come back, its YAML in pieces, and what it says of itself.

    ``taken`` is the runtime state that was left out; a mark in the pieces stands for each of the ``passwords``.
    """

    xml: str
    pieces: Pieced
    facts: Facts
    taken: list[Taken]
    passwords: list[Password]
    runs: bool

    def proven(self, above: str, secret: str) -> str | None:
        """Return the document that is *above*, up to the keys beside ``domain`` and the domain, read back and compared.

        It refers to *secret* for passwords. None where it does not say the same, or that cannot be told here.
        """
        top, inside, tail = self.pieces.top, self.pieces.inside, self.pieces.tail
        if self.passwords:
            found = taking.referring(inside, secret, [each.key for each in self.passwords])
            if found is None:
                return None
            inside = found
        text = "".join([above, *top, *inside, *tail, "\n"])
        if self.passwords:
            inside = [secrets.without_lines(piece, secret) if secret in piece else piece for piece in inside]
        try:
            return text if fastyamlpieces.to_xml(above, top, inside, tail) == self.xml else None
        except NotAccepted:
            return None


class _Domain(NamedTuple):
    """A domain on its way: its text, cut, its type, and whether it has the number of one that runs."""

    text: str
    cut: Cut
    kind: str
    runs: bool


def convert(files: Iterable[bytes]) -> list[Plain | None]:
    """Return the domain in each of some XML files; None where it has to be looked at in its tree.

    That is so where it has another form than virsh prints, comments besides libvirt's own in front, or secrets besides
    the passwords of graphics: this knows what a line means only in that form.
    """
    found = [_domain(data) for data in files]
    pieces = [_pieces(domain) if domain is not None else None for domain in found]
    for domains in _domains.values():
        domains.note()
    return [
        _plain(domain, divided) if domain is not None and divided is not None else None
        for domain, divided in zip(found, pieces, strict=True)
    ]


def _domain(data: bytes) -> _Domain | None:
    start = data.find(b"<domain ")
    try:
        if start < 0 or not _is_front(data[:start]):
            return None
        text = data[start:].decode().rstrip("\n")
        cut = _domains[False].cut(text)
    except (NotAccepted, UnicodeDecodeError):
        return None
    kind = _TYPE.search(cut.line)
    return _Domain(text, cut, kind[1], " id='" in cut.line) if kind is not None else None


def _pieces(domain: _Domain) -> Pieced | None:
    try:
        return _domains[domain.runs].convert(domain.cut)
    except NotAccepted:
        return None


def _plain(domain: _Domain, pieces: Pieced) -> Plain | None:
    text, cut, kind, runs = domain
    said: list[Device | str] = [note for (note,) in pieces.inner]
    devices = [each for each in said if not isinstance(each, str)]
    tags = tuple([each if isinstance(each, str) else each.tag for each in said])
    parts: list[Part] = [note for (note,) in pieces.notes if note is not None]
    facts = _facts(kind, tags, devices, parts)
    taken: list[Taken] = []
    passwords: list[Password] = []
    if runs or True in [each.may_have for each in devices] or True in [each.may_have for each in parts]:
        suspects = [not isinstance(each, str) and each.may_have for each in said]
        edited = editing.edit(cut, suspects, running=runs)
        if edited is None:
            return None
        if edited.block_job:
            facts.found.insert(0, BLOCK_JOB)
        taken, passwords = edited.taken, edited.passwords
        try:
            cut, pieces = _domains[False].edited(cut._replace(line=edited.line), pieces, edited.pieces)
        except NotAccepted:
            return None
        text = _domains[False].text(cut)
        pieces = pieces._replace(elements=text.count("<") - text.count("</"))
    return Plain(f"{taking.without_marks(text)}\n", pieces, facts, taken, passwords, runs)


def _facts(kind: str, tags: tuple[str, ...], devices: list[Device], parts: list[Part]) -> Facts:
    name = uuid = ""
    owner = None
    firmware: list[Finding] = []
    for part in parts:
        name = name if part.name is None else part.name
        uuid = uuid if part.uuid is None else part.uuid
        owner = owner or part.owner
        firmware += part.found
    return Facts(name, uuid, owner, together(kind, devices, firmware), tags, devices)


def _is_front(data: bytes) -> bool:
    """Say whether *data* is nothing, or a comment, as libvirt puts one in front of what it writes."""
    front = data.strip(b" \t\r\n")
    text = front[4:-3].decode("ascii").replace("\n", "")
    comment = front.startswith(b"<!--") and front.endswith(b"-->") and text.isprintable()
    return not front or (comment and "--" not in text and not text.endswith("-"))
