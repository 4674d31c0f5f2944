"""The quick way of an import: a domain as virsh prints it, with nothing in it to take out, goes by elements to YAML.

What it finds in the elements' text on the way is all that an import has to know of the guest: no tree is made.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from analyser import fastyamlpieces, runtime, xmlreader
from analyser.fastmemory import NotAccepted
from analyser.fastxmlpieces import Divided
from analyser.importer import notes, secrets
from analyser.importer.facts import Facts, together
from schemas.errors import InputError

if TYPE_CHECKING:
    from analyser.fastxmlpieces import Pieced
    from analyser.importer.findings import Finding

_TYPE = re.compile(r" type='([^'&]*)'")
_domains = Divided("domain", "devices", notes.part, notes.device)


class Plain(NamedTuple):
    """A domain: its XML, its YAML in pieces, how many elements it has, and what it says of itself."""

    xml: str
    pieces: Pieced
    elements: int
    facts: Facts

    @property
    def body(self) -> str:
        """What stands behind ``spec:``: the key ``domain`` and all below it, without the last line break."""
        return "".join([*self.pieces.top, *self.pieces.inside, *self.pieces.tail])

    def is_proven(self, above: str) -> bool:
        """Say whether the document that is *above*, up to the keys beside ``domain``, and the body is the domain again.

        False also where that cannot be told here.
        """
        pieces = self.pieces
        try:
            return fastyamlpieces.to_xml(above, pieces.top, pieces.inside, pieces.tail) == self.xml
        except NotAccepted:
            return False


def convert(data: bytes) -> Plain | None:
    """Return the domain in the XML file *data*; None where it has to be looked at in its tree.

    That is so where it has a secret or runtime state, comments besides libvirt's own in front, or another form than
    virsh prints: this knows what a line means only in that form.
    """
    start = data.find(b"<domain ")
    try:
        if start < 0 or not _is_front(data[:start]):
            return None
        text = data[start:].decode().rstrip("\n")
        if "<!--" in text:
            return None
        pieces = _domains.convert(text)
    except (NotAccepted, UnicodeDecodeError):
        return None
    kind = _TYPE.search(pieces.line)
    # The number of one that runs makes more of it runtime state.
    if kind is None or " id='" in pieces.line or not _is_clean(pieces):
        _domains.forget()
        return None
    name = uuid = ""
    owner = None
    firmware: list[Finding] = []
    for part in pieces.notes:
        name = name if part.name is None else part.name
        uuid = uuid if part.uuid is None else part.uuid
        owner = owner or part.owner
        firmware += part.found
    facts = Facts(name, uuid, owner, together(kind[1], pieces.inner, firmware), pieces.inner)
    return Plain(f"{text}\n", pieces, text.count("<") - text.count("</"), facts)


def _is_front(data: bytes) -> bool:
    """Say whether *data* is nothing, or a comment, as libvirt puts one in front of what it writes."""
    front = data.strip(b" \t\r\n")
    text = front[4:-3].decode("ascii").replace("\n", "")
    comment = front.startswith(b"<!--") and front.endswith(b"-->") and text.isprintable()
    return not front or (comment and "--" not in text and not text.endswith("-"))


@cache
def _needles() -> list[str]:
    return sorted(needle.decode() for needle in runtime.needles("domain") | secrets.needles())


def _is_clean(pieces: Pieced) -> bool:
    """Say whether no element has runtime state or a secret; those that other guests had too are known to have none."""
    if not pieces.fresh or not _may_have(" ".join([key for _, key in pieces.fresh])):
        return True
    return all(_is_element_clean(place.whole(key), place.depth, pieces.line) for place, key in list(pieces.fresh))


def _may_have(text: str) -> bool:
    # The rules know XML with double quotes.
    text = text.lower().replace("'", '"')
    return any(needle in text for needle in _needles())


def _is_element_clean(xml: str, depth: int, line: str) -> bool:
    """Say whether a child of the domain, or a device, in the domain whose first line is *line*, has nothing to take."""
    if not _may_have(xml):
        return True
    whole = f"{line}<devices>{xml}</devices></domain>" if depth > 1 else f"{line}{xml}</domain>"
    try:
        (root,) = xmlreader.parse(whole.encode())
    except InputError:
        return False
    return not runtime.strip(root) and not secrets.take(root).values
