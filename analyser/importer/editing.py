"""Runtime state and passwords taken out of a whole domain's text, element by element.

What was taken out of one is remembered by its text, for guests that run share it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from analyser import runtime, xmlreader
from analyser.fastmemory import Recent
from analyser.importer import notes, secrets, taking

if TYPE_CHECKING:
    from analyser.fastxmlpieces import Cut
    from analyser.importer.taking import Edit
    from analyser.runtime import Taken

_ID = re.compile(r" id='[^']*'")
_TAG = re.compile(r"[^ >/\n]*")


class Password(NamedTuple):
    """A password that was taken out: its key in the Secret, where it stood, and what it is."""

    key: str
    place: str
    value: str


class Edited(NamedTuple):
    """What is to be taken out of a domain: its first line without it, and texts by depth and what they replace.

    Also what was taken out, with a mark for each password; a ``block_job`` was copying a disk.
    """

    line: str
    pieces: dict[tuple[int, str], list[str]]
    taken: list[Taken]
    passwords: list[Password]
    block_job: bool


def edit(cut: Cut, suspects: list[bool], *, running: bool) -> Edited | None:
    """Take out of the domain *cut* what does not belong into its object; None where that takes its tree.

    *suspects* say of each device whether it may have something.
    """
    edits = _edits(cut, suspects, running=running)
    if edits is None:
        return None
    taken, passwords = _taken(cut, edits)
    if running:
        taken = [*runtime.strip(xmlreader.parse(f"{cut.line}</domain>".encode())[0]), *taken]
    return Edited(
        _ID.sub("", cut.line, count=1), {place: found.pieces for place, found in edits.items()}, taken, passwords,
        any("\n      <mirror" in key for _, key in edits),
    )  # fmt: skip


class _Edits(Recent["Edit | None"]):
    """What is taken out of elements: ``0`` or ``1`` for whether the guest runs, the depth, and the XML."""

    def read(self, key: str) -> Edit | None:
        """Return what is taken out; None where that takes the whole tree."""
        number = " id='1'" if key[0] == "1" else ""
        return taking.take(key[2:], int(key[1]), f"<domain type='kvm'{number}>")


_takings = _Edits()


def _edits(cut: Cut, suspects: list[bool], *, running: bool) -> dict[tuple[int, str], Edit] | None:
    """Return what is to be edited, by its depth and text; None where that takes the whole tree.

    *suspects* say of each device whether it may have something.
    """
    edits: dict[tuple[int, str], Edit] = {}
    suspect = iter(suspects)
    for depth, entries in ((1, [*cut.before, *cut.after]), (2, cut.inside)):
        start = f"\n{'  ' * depth}<"
        for entry, after in zip(entries, [*entries[1:], ""], strict=False):
            if entry[:1] == "/":
                continue
            if not (notes.may_have(entry, "", _tag(entry), running=running) if depth == 1 else next(suspect)):
                continue
            found = _takings[f"{running:d}{depth}<{entry}" + (f"{start}{after}" if after[:1] == "/" else "")]
            if found is None:
                return None
            if found.pieces:
                edits[depth, entry] = found
    return edits


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
            found = edits.get((depth, entry))
            if found is None:
                continue
            alone = f"{above}{tag}"
            step = tag if count[tag] == 1 else f"{tag}[{met[tag]}]"
            taken += [each._replace(path=f"{above}{step}{each.path.removeprefix(alone)}") for each in found.taken]
            if found.secret is not None:
                key = secrets.key_of(step, "passwd")
                passwords.append(Password(key, f"{above}{step}/@passwd", found.secret))
    return sorted(taken, key=lambda each: each.number), passwords
