"""The quick way of an import: a domain as virsh prints it goes element by element to YAML, and no tree is made.

What it finds in the elements' text on the way is all that an import has to know of the guest. What has runtime state
or a password is edited in the text first (``taking``), and the rest of the guest stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from analyser import fastyamlpieces, runtime, xmlreader
from analyser.fastmemory import NotAccepted, Recent
from analyser.fastxmlpieces import Cut, Divided
from analyser.importer import notes, secrets, taking
from analyser.importer.facts import Facts, together
from analyser.importer.findings import BLOCK_JOB, Finding

if TYPE_CHECKING:
    from analyser.fastxmlpieces import Pieced
    from analyser.importer.taking import Edit
    from analyser.runtime import Taken

_TYPE = re.compile(r" type='([^'&]*)'")
_ID = re.compile(r" id='[^']*'")
_TAG = re.compile(r"[^ >/\n]*")
_REMEMBERED = 8192

# What is remembered of one that runs is not true of one that does not: more of it is runtime state.
_domains = Divided("domain", "devices", notes.part, notes.device)
_running = Divided("domain", "devices", notes.part, notes.device)


class Password(NamedTuple):
    """A password that was taken out: its key in the Secret, where it stood, and what it is."""

    key: str
    place: str
    value: str


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


def convert(data: bytes) -> Plain | None:
    """Return the domain in the XML file *data*; None where it has to be looked at in its tree.

    That is so where it has another form than virsh prints, comments besides libvirt's own in front, or secrets besides
    the passwords of graphics: this knows what a line means only in that form.
    """
    start = data.find(b"<domain ")
    try:
        if start < 0 or not _is_front(data[:start]):
            return None
        text = data[start:].decode().rstrip("\n")
    except UnicodeDecodeError:
        return None
    found = None
    try:
        found = None if "<!--" in text else _converted(text)
    except NotAccepted:
        pass
    finally:
        if found is None:
            # Nobody has looked whether they have something to take out.
            _domains.forget()
            _running.forget()
    return found


def _converted(text: str) -> Plain | None:
    domains = _domains
    cut = domains.cut(text)
    kind = _TYPE.search(cut.line)
    if kind is None:
        return None
    number = _ID.search(cut.line)
    if number is not None:
        domains = _running
    pieces = domains.convert(cut)
    edits = _edits(pieces, running=number is not None)
    if edits is None:
        return None
    facts = _facts(kind[1], pieces)
    taken: list[Taken] = []
    passwords: list[Password] = []
    if edits or number is not None:
        if any("\n      <mirror" in key for _, key in edits):
            facts.found.insert(0, BLOCK_JOB)
        taken, passwords = _taken(cut, edits)
        line = _ID.sub("", cut.line, count=1)
        if number is not None:
            taken = [*runtime.strip(xmlreader.parse(f"{cut.line}</domain>".encode())[0]), *taken]
        before, inside, after = (
            _edited(entries, depth, edits) for entries, depth in ((cut.before, 1), (cut.inside, 2), (cut.after, 1))
        )
        cut = Cut(line, before, inside, after)
        text = _domains.text(cut)
        pieces = _domains.convert(cut)
        # Nothing more is to be taken out of what is left.
        if _edits(pieces, running=False) != {}:
            return None
    xml = f"{taking.without_marks(text)}\n"
    return Plain(xml, pieces, facts, taken, passwords, number is not None)


def _facts(kind: str, pieces: Pieced) -> Facts:
    name = uuid = ""
    owner = None
    firmware: list[Finding] = []
    for part in pieces.notes:
        name = name if part.name is None else part.name
        uuid = uuid if part.uuid is None else part.uuid
        owner = owner or part.owner
        firmware += part.found
    return Facts(name, uuid, owner, together(kind, pieces.inner, firmware), list(pieces.inner))


def _is_front(data: bytes) -> bool:
    """Say whether *data* is nothing, or a comment, as libvirt puts one in front of what it writes."""
    front = data.strip(b" \t\r\n")
    text = front[4:-3].decode("ascii").replace("\n", "")
    comment = front.startswith(b"<!--") and front.endswith(b"-->") and text.isprintable()
    return not front or (comment and "--" not in text and not text.endswith("-"))


@cache
def _needles(*, running: bool) -> list[str]:
    found = runtime.needles("domain", running=running) | secrets.needles()
    return sorted(needle.decode() for needle in found)


_clean: dict[bool, set[str]] = {False: set(), True: set()}


def _may_have_new(pieces: list[str], *, running: bool) -> bool:
    """Say whether *pieces* may have something to take out; guests repeat each other's lines, and most have nothing."""
    clean = _clean[running]
    new = set("\n".join(pieces).split("\n"))
    new -= clean
    if _may_have("\n".join(new), running=running):
        return True
    if len(clean) > _REMEMBERED:
        clean.clear()
    clean |= new
    return False


def _may_have(text: str, *, running: bool) -> bool:
    # The rules know XML with double quotes.
    text = text.lower().replace("'", '"')
    for needle in _needles(running=running):  # noqa: SIM110  (a generator costs more than what it looks at)
        if needle in text:
            return True
    return False


class _Edits(Recent["Edit | None"]):
    """What is taken out of elements: ``0`` or ``1`` for whether the guest runs, the depth, and the XML."""

    def read(self, key: str) -> Edit | None:
        """Return what is taken out; None where that takes the whole tree."""
        number = " id='1'" if key[0] == "1" else ""
        return taking.take(key[2:], int(key[1]), f"<domain type='kvm'{number}>")


_takings = _Edits()


def _edits(pieces: Pieced, *, running: bool) -> dict[tuple[int, str], Edit] | None:
    """Return what is to be edited, by its depth and text; None where that takes the whole tree.

    Elements that other guests had too are known to have nothing.
    """
    edits: dict[tuple[int, str], Edit] = {}
    if not pieces.fresh or not _may_have_new([key for _, key in pieces.fresh], running=running):
        return edits
    for place, key in list(pieces.fresh):
        xml = place.whole(key)
        if not _may_have(xml, running=running):
            continue
        edit = _takings[f"{running:d}{place.depth}{xml}"]
        if edit is None:
            return None
        if edit.pieces:
            place.forget(key)
            edits[place.depth, key] = edit
    return edits


def _edited(entries: list[str], depth: int, edits: dict[tuple[int, str], Edit]) -> list[str]:
    """Return the pieces *entries* with those that are edited in their places."""
    out: list[str] = []
    passed = False
    for entry in entries:
        if entry[:1] == "/":
            if not passed:
                out.append(entry)
            continue
        edit = edits.get((depth, entry))
        passed = edit is not None
        if edit is None:
            out.append(entry)
        else:
            out += edit.pieces
    return out


def _tag(entry: str) -> str:
    match = _TAG.match(entry)
    return match[0] if match else ""


def _taken(cut: Cut, edits: dict[tuple[int, str], Edit]) -> tuple[list[Taken], list[Password]]:
    """Return the runtime state and the passwords that *edits* take out, with their places in the whole domain."""
    taken: list[Taken] = []
    passwords: list[Password] = []
    for depth, above, entries in ((1, "", [*cut.before, *cut.after]), (2, "devices/", cut.inside)):
        elements = [(entry, _tag(entry)) for entry in entries if entry[:1] != "/"]
        count = Counter(tag for _, tag in elements)
        met: Counter[str] = Counter()
        for entry, tag in elements:
            met[tag] += 1
            edit = edits.get((depth, entry))
            if edit is None:
                continue
            alone = f"{above}{tag}"
            step = tag if count[tag] == 1 else f"{tag}[{met[tag]}]"
            taken += [each._replace(path=f"{above}{step}{each.path.removeprefix(alone)}") for each in edit.taken]
            if edit.secret is not None:
                key = secrets.key_of(step, "passwd")
                passwords.append(Password(key, f"{above}{step}/@passwd", edit.secret))
    return sorted(taken, key=lambda each: each.number), passwords
