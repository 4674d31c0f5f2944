"""Layouts that differ from virsh's print line by line alone: indentation, empty lines, quotes, ``<a />``.

Most documents that virsh did not print are of this kind: each line stands for one line of virsh's print, in its order;
only an empty element may stand as two lines, its tags. They need no tree, and what a line is in itself is remembered,
as estates repeat their lines. The texts are those that ``analyser.layout.differences`` makes and
``analyser.layout.reprint`` takes; None says that a document is not of this kind.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple
from zlib import crc32

from analyser.fastmemory import DEEPEST
from analyser.layout import gaps, ordinals
from analyser.layout.differences import Words, add_closes, add_gaps, add_quotes, form_of
from analyser.layout.reprint import (
    OTHER_QUOTE,
    PLAIN,
    QUOTES,
    apply,
    close_of,
    named,
    room_of,
    split,
    unbound,
    words_of,
)
from analyser.xmlreader import XML_SPACE
from schemas.table import ELEMENT, table

_ENTRIES = 20_000
_LONGEST = 200

_START, _WHOLE, _END, _REMARK = range(4)

_WORDS = frozenset({"open", "indent", "blank", "space", "quotes", "slash", "bracket", "shape"})

_HEAD = re.compile(r"<\?xml version=(?:'1.0'|\"1.0\")(?: encoding=(?:'[Uu][Tt][Ff]-8'|\"[Uu][Tt][Ff]-8\"))? ?\?>\s*")
_LINE = re.compile(
    r"""([ ]*)<([\w:.-]+)((?:[ ][\w:.-]+=(?:'[^'"<>]*'|"[^'"<>]*"))*)([ ]?)(?:(/)>|>(?:([^<>]+)</([\w:.-]+)>)?)"""
    r"""|([ ]*)</([\w:.-]+)>"""
    r"""|([ ]*)(<!--(?:(?!--)[ -~])*-->)""",
    re.ASCII | re.VERBOSE,
)
_NEW_LINES = ["\n" + "  " * level for level in range(DEEPEST + 2)]
_INDENT = ["  " * level for level in range(DEEPEST)]
_QUOTE = re.compile("""['"]""")


class _Line(NamedTuple):
    """A line of XML by itself: an element without children, a start tag, an end tag or a comment."""

    form: int
    indent: int
    name: str
    quotes: str
    """The quote character of each attribute."""
    shape: str
    """What the line adds to the checksum of the document's tags."""
    close: str
    """The white space before ``/>`` or ``>``."""
    empty: bool
    single: str
    """The line as virsh prints it, without indentation."""
    double: str
    """The line as libxml2 prints foreign content, without indentation."""


class _Lines(dict[str, "_Line | None"]):
    """What each line is; None where it is none of these. Bounded in entries and in their length."""

    def __missing__(self, text: str) -> _Line | None:
        line = _read(text)
        if len(text) <= _LONGEST:
            if len(self) >= _ENTRIES:
                self.clear()
            self[text] = line
        return line


_lines = _Lines()


def clear() -> None:
    """Forget all lines."""
    _lines.clear()


def _read(text: str) -> _Line | None:
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    indent, name, attributes, close, empty, content, end, indent_of_end, ended, indent_of_remark, remark = (
        match.groups()
    )
    if remark is not None:
        return _Line(_REMARK, len(indent_of_remark), "", "", "! 0 False\n", "", False, remark, remark)
    if ended is not None:
        return _Line(_END, len(indent_of_end), ended, "", "", "", False, f"</{ended}>", f"</{ended}>")
    if content is not None and (end != name or not content.strip()):
        return None
    quotes = "".join(_QUOTE.findall(attributes)[::2])
    rest = "/>" if empty else f">{content}</{name}>" if content is not None else ">"
    return _Line(
        _WHOLE if empty or content is not None else _START,
        len(indent),
        name,
        quotes,
        f"{name} {len(quotes)} {empty is not None}\n",
        close,
        empty is not None,
        f"<{name}{attributes.replace(chr(34), chr(39))}{rest}",
        f"<{name}{attributes.replace(chr(39), chr(34))}{rest}",
    )


class Regular(NamedTuple):
    """A document as virsh would print it, and how its own print differs from that (None: not at all)."""

    text: str
    layout: str | None


def regular(data: bytes) -> Regular | None:
    """Return the XML in *data* as virsh would print it; None where more than its lines' own looks would have to change.

    Whether virsh would really print it so is for the caller to find out. Nothing but white space and quotes differs.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    head = _HEAD.match(text)
    wanted = text[head.end() if head else 0 :].strip(XML_SPACE)
    foreign_names, pair_names, text_names = _special_names()
    levels: list[int] = []
    gaps_before: list[str | None] = []
    out: list[str] = []
    quotes = own_quotes = ""
    empty: list[str | None] = []
    others: list[str | None] = []
    shapes: list[str] = []
    opened: list[tuple[str, str]] = []
    elements: list[tuple[str, bool]] = []
    pairs: set[int] = set()
    foreign = level = 0
    blank = ""
    before = _END
    for raw in wanted.split("\n"):
        line = _lines[raw]
        if line is None:
            if raw.strip(" \t"):
                return None
            blank += f"{raw}\n"
            continue
        form, indent, name, line_quotes, shape, close, is_empty, single, double = line
        if form == _END:
            if not opened:
                return None
            level -= 1
            started, shape = opened.pop()
            if started != name:
                return None
            if before == _START and name not in pair_names:
                if foreign or name in text_names:  # the line break is its text
                    return None
                pairs.add(len(elements) - 1)
                out[-1] = f"{out[-1][:-1]}/>"
                shapes[-1] = f"{shape[:-6]}True\n"
            else:
                shapes.append(f"/{shape}")
                out.append(_INDENT[level] + single)
            if level < foreign:
                foreign = 0
        else:
            shapes.append(shape)
            out.append(_INDENT[level] + (double if foreign else single))
            if form != _REMARK:
                elements.append((name, is_empty))
                (empty if is_empty else others).append(close)
                if line_quotes:
                    quotes += line_quotes
                    own_quotes += ('"' if foreign else "'") * len(line_quotes)
        before = form
        levels.append(level)
        gaps_before.append(f"\n{blank}{' ' * indent}")
        blank = ""
        if form == _START:
            opened.append((name, shape))
            level += 1
            if level >= DEEPEST:
                return None
            if not foreign and not line_quotes and name in foreign_names:
                foreign = level
    regular_text = "\n".join(out)
    if regular_text == wanted:
        return Regular(regular_text, None)
    words = Words()
    if pairs:
        text = _open(elements, pairs)
        if not words.fits("open", text):
            return None
        words.add("open", "", text)
    own = [_NEW_LINES[depth] for depth in levels]
    gaps_before[0] = None
    if gaps_before[1:] != own[1:]:
        add_gaps(levels, own, gaps_before, words)
    if own_quotes != quotes:
        add_quotes(list(own_quotes), [*quotes], words)
    if any(empty) or any(others):
        add_closes(empty, others, words)
    return Regular(regular_text, words.whole(f"{crc32(''.join(shapes).encode()):08x}"))


def _open(elements: list[tuple[str, bool]], pairs: set[int]) -> str:
    """Return which of the *elements*, by name and whether they are one tag, are *pairs* of tags with nothing inside."""
    names = dict.fromkeys(name.rpartition(":")[2] for name, _ in elements)
    entries = []
    for wanted in names:
        places = [place for place, (name, _) in enumerate(elements) if name.rpartition(":")[2] == wanted]
        marks = [place in pairs for place in places]
        if any(marks):
            empty = [elements[place][1] or mark for place, mark in zip(places, marks, strict=True)]
            entries.append(form_of(wanted, empty, marks))
    return ";".join(entries)


def apply_to_lines(canonical: str, layout: str) -> str:
    """Return what ``analyser.layout.apply`` does, for XML that is known to be a document as virsh prints it."""
    found = _apply(canonical, layout)
    return apply(canonical, layout) if found is None else found


def _apply(canonical: str, layout: str) -> str | None:
    words = words_of(layout)
    if not words or not words.keys() <= _WORDS:
        return None
    shapes: list[str] = []
    opened: list[str] = []
    lines: list[tuple[_Line, int]] = []
    for raw in canonical.removesuffix("\n").split("\n"):
        line = _lines[raw]
        if line is None:
            return None
        form, indent, _, _, shape, close, _, _, _ = line
        if close:
            return None
        if form == _END:
            if not opened:
                return None
            shape = f"/{opened.pop()}"
        elif form == _START:
            opened.append(shape)
        shapes.append(shape)
        lines.append((line, indent >> 1))
    if words.get("shape") != f"{crc32(''.join(shapes).encode()):08x}":
        words = {name: unbound(name, value) for name, value in words.items()}
    if "open" in words:
        lines = _opened(lines, words["open"])
    gaps_before = _gaps(words, [level for _, level in lines], room_of(canonical))
    if gaps_before is None:
        return None
    bodies = _bodies(words, [line for line, _ in lines])
    # The first line has nothing in front.
    gaps_before[0] = ""
    return "".join([text for pair in zip(gaps_before, bodies, strict=True) for text in pair]) + "\n"


def _opened(lines: list[tuple[_Line, int]], text: str) -> list[tuple[_Line, int]]:
    """Return *lines* with the empty elements that *text* names as pairs of tags."""
    found: dict[str, list[int]] = {}
    for place, (line, _) in enumerate(lines):
        if line.form < _END:
            found.setdefault(line.name.rpartition(":")[2], []).append(place)
    pairs = {place for place in named(text, found) if lines[place][0].empty}
    result = []
    for place, (line, level) in enumerate(lines):
        if place not in pairs:
            result.append((line, level))
            continue
        body = line.double if '"' in line.quotes else line.single
        start, end = _lines[f"{body[:-2]}>"], _lines[f"</{line.name}>"]
        assert start is not None  # noqa: S101  (for the type checker: it only lost its "/")
        assert end is not None  # noqa: S101
        result += [(start, level), (end, level)]
    return result


def _gaps(words: dict[str, str], levels: list[int], room: int) -> list[str] | None:
    """Return the white space before each line; None if it is too much."""
    base, _, rest = words.get("indent", "").partition(",")
    if not gaps.UNITS.fullmatch(base):
        base, rest = "", words.get("indent", "")
    indent = ordinals.from_text(rest, len(levels), "")
    blank = ordinals.from_text(words.get("blank", ""), len(levels), "1")
    unit = base or "2"
    space = ordinals.from_text(words.get("space", ""), len(levels), "")
    found = [_NEW_LINES[level] for level in levels] if unit == "2" else [gaps.regular(unit, level) for level in levels]
    for place in sorted(indent.keys() | blank.keys() | space.keys()):
        how = gaps.Change(indent.get(place, ""), blank.get(place, ""), space.get(place, ""))
        found[place] = gaps.changed(found[place], how)
    return found if sum(map(len, found)) <= room else None


def _bodies(words: dict[str, str], lines: list[_Line]) -> list[str]:
    """Return the lines without indentation, with other quotes and other ends of tags."""
    bodies = [line.double if '"' in line.quotes else line.single for line in lines]
    if "quotes" in words:
        _set_quotes(words["quotes"], lines, bodies)
    if "slash" in words or "bracket" in words:
        _set_closes(words, lines, bodies)
    return bodies


def _set_quotes(text: str, lines: list[_Line], bodies: list[str]) -> None:
    own = "".join([line.quotes for line in lines])
    base, rest = split(text, QUOTES)
    wanted = [QUOTES[base]] * len(own) if base else list(own)
    for place in ordinals.from_text(rest, len(own), PLAIN):
        wanted[place] = OTHER_QUOTE[wanted[place]]
    all_wanted = "".join(wanted)
    place = 0
    for number, line in enumerate(lines):
        count = len(line.quotes)
        if count:
            quotes = all_wanted[place : place + count]
            place += count
            if quotes != line.quotes:
                parts = _QUOTE.split(bodies[number], 2 * count)
                pairs = "".join([quote * 2 for quote in quotes])
                bodies[number] = "".join([part + quote for part, quote in zip(parts, pairs, strict=False)]) + parts[-1]


def _set_closes(words: dict[str, str], lines: list[_Line], bodies: list[str]) -> None:
    empty = [number for number, line in enumerate(lines) if line.empty]
    others = [number for number, line in enumerate(lines) if line.form < _END and not line.empty]
    base, rest = split(words.get("slash", ""), ("space",))
    slashes = ordinals.from_text(rest, len(empty), PLAIN)
    for place, number in enumerate(empty):
        close = close_of(slashes.get(place), " " if base else "")
        if close:
            bodies[number] = f"{bodies[number][:-2]}{close}/>"
    for place, how in ordinals.from_text(words.get("bracket", ""), len(others), PLAIN).items():
        bodies[others[place]] = bodies[others[place]].replace(">", f"{close_of(how, '')}>", 1)


@cache
def _special_names() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the names of elements with foreign content, of those always printed as two tags, and of leaves."""
    tables = table()
    fields = [field for name in tables.type_names() for field in tables.type(name).fields if field.where is ELEMENT]
    return (
        frozenset(field.xml for field in fields if field.value == "xml"),
        frozenset(field.xml for field in fields if field.pair),
        frozenset(field.xml for field in fields if field.value != "map"),
    )
