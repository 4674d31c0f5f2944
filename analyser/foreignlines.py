"""Tells from its lines alone that foreign XML (``<metadata>``) is printed the way libxml2 prints it.

Parsing every guest's metadata and printing it again would cost more than all the rest of the guest. Where each line
has one of a few plain forms, with start and end tags that match, the text is well-formed and libxml2 would print it
just as it stands. That is decided here, from the lines alone; anything else is left to libxml2 itself.
"""

from __future__ import annotations

import re

_ENTRIES = 4096
_BLOCKS = 500
_LONGEST = 200
_DEEPEST = 100
_OPEN, _CLOSED, _END = range(3)

# A start tag may declare one prefix, the one that it has itself. No attribute has a prefix, no value an escape.
_LINE = re.compile(
    r"""([ ]*)<(?P<name>(?:(?P<prefix>[A-Za-z_][\w.-]*):)?[A-Za-z_][\w.-]*)
        (?:[ ]xmlns:(?P<declared>[A-Za-z_][\w.-]*)="[a-z]+://[a-z0-9][\w.-]*(?:/[\w./~-]*)?")?
        (?P<attributes>(?:[ ][A-Za-z_][\w.-]*="[^"<>&]*")*)
        (?:(?P<empty>/)>|>(?:(?P<text>[^<>&]+)</(?P<end>[\w.:-]+)>)?)""",
    re.VERBOSE | re.ASCII,
)
_END_TAG = re.compile(r"( *)</[A-Za-z_][\w.:-]*>", re.ASCII)
_ATTRIBUTE = re.compile(r' ([^ =]+)="[^"]*"')

# Kind, columns of indentation, prefix, declared prefix, and the end tag's line.
_Line = tuple[int, int, "str | None", "str | None", str]


class _Lines(dict[str, "_Line | None"]):
    """What each line means by itself; None where only libxml2 can tell. Bounded in entries and in their length."""

    def __missing__(self, line: str) -> _Line | None:
        meaning = _read(line)
        if len(line) <= _LONGEST:
            if len(self) >= _ENTRIES:
                self.clear()
            self[line] = meaning
        return meaning


_lines = _Lines()


# What lines that differ in their values and text alone have in common.
_shapes: dict[tuple[str, ...], _Line | None] = {}


def _read(line: str) -> _Line | None:
    if not line.isprintable():
        return None
    head, end, rest = line.partition(">")
    text, mark, tail = rest.partition("</")
    plain = "&" not in line and "xmlns" not in head and ">" not in text and line.count("<") == 1 + len(mark) // 2
    if not plain or (text and not text.strip()):
        return _matched(line)
    shape = (end, text and ">", mark, tail, *head.split('"')[::2])
    try:
        return _shapes[shape]
    except KeyError:
        meaning = _matched(line)
        if len(line) <= _LONGEST:
            if len(_shapes) >= _ENTRIES:
                _shapes.clear()
            _shapes[shape] = meaning
        return meaning


def _matched(line: str) -> _Line | None:
    match = _LINE.fullmatch(line)
    if match is None:
        end = _END_TAG.fullmatch(line)
        return None if end is None else (_END, len(end[1]), None, None, "")
    name, prefix, declared = match["name"], match["prefix"], match["declared"]
    if declared is not None and (declared != prefix or declared[:3].lower() == "xml"):
        return None
    names = _ATTRIBUTE.findall(match["attributes"])
    if "xmlns" in names or len(set(names)) != len(names):
        return None
    text = match["text"]
    if text is not None and (match["end"] != name or not text.strip()):
        return None
    closed = match["empty"] is not None or text is not None
    return (_CLOSED if closed else _OPEN, len(match[1]), prefix, declared, "" if closed else f"{match[1]}</{name}>")


# What was said of late: an import asks of one text when it is read, and again when it is proven.
_blocks: dict[tuple[str, int], bool] = {}


def is_canonical(text: str, column: int) -> bool:
    """Say whether *text*, from *column* on, is whole well-formed elements as libxml2 prints them two spaces a level.

    False only means that it is not known.
    """
    found = _blocks.get((text, column))
    if found is None:
        found = _is_canonical(text.split("\n"), column)
        remember(text, column, canonical=found)
    return found


def remember(text: str, column: int, *, canonical: bool) -> None:
    """Remember for a while whether *text* is canonical from *column* on."""
    if len(_blocks) >= _BLOCKS:
        _blocks.clear()
    _blocks[text, column] = canonical


def _is_canonical(lines: list[str], column: int) -> bool:
    ends: list[str] = []
    wanted = column
    scope: str | None = None
    opened = False
    meanings = _lines
    for line in lines:
        meaning = meanings[line]
        if meaning is None:
            return False
        kind, indent, prefix, declared, end = meaning
        if kind == _END:
            # A pair of tags with nothing in between would be printed as one tag.
            if opened or not ends or ends.pop() != line:
                return False
            wanted -= 2
            continue
        if indent != wanted:
            return False
        opened = kind == _OPEN
        if not ends:
            scope = declared
        elif declared is not None:
            return False
        if prefix != scope and prefix is not None:
            return False
        if opened:
            ends.append(end)
            wanted += 2
            if len(ends) > _DEEPEST:
                return False
    return not ends
