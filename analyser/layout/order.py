"""The order of differently named siblings, as text and back. Siblings of one name never change places."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, deque
from itertools import groupby
from typing import TYPE_CHECKING
from zlib import crc32

from analyser.layout.tree import COMMENT

if TYPE_CHECKING:
    from analyser.layout.tree import Node

_LONG = 300  # characters from where names are cut short

_ENTRY = re.compile(r"([^~/#]+)(?:#(\d{1,9}))?~([0-9a-f]{4})/(.+)", re.DOTALL)
_ITEM = re.compile(r"([^*]+)(?:\*(\d{1,9}))?", re.DOTALL)


def names(parent: Node, *, comments: bool) -> list[str]:
    """Return the local names of the children of *parent*, comments among them or left out."""
    return [child.name for child in parent.children if comments or child.name != COMMENT]


def to_text(parent: Node, wanted: Node, reference: str) -> tuple[str, list[Node]] | None:
    """Return the text for the order of *wanted*'s children, and *parent*'s in it; None where there is no such text."""
    have, want = names(parent, comments=True), names(wanted, comments=True)
    if have == want:
        return None
    comments = have.count(COMMENT) == want.count(COMMENT)
    have, want = names(parent, comments=comments), names(wanted, comments=comments)
    if have == want or Counter(have) != Counter(want):
        return None
    items = [(name, len(list(run))) for name, run in groupby(want)]
    text = _items(items, {name: name for name in have})
    if len(text) > _LONG:
        text = _items(items, _short(have))
    return f"{reference}~{_checksum(have)}/{text}", _arranged(parent, want, comments=comments)


def from_text(entry: str, found: dict[str, list[Node]], document: Node) -> tuple[Node, list[Node]] | None:
    """Return the parent that *entry* is about and its children in the order given; None where it does not fit."""
    match = _ENTRY.fullmatch(entry)
    if match is None:
        return None
    named = [document] if match[1] == "." else found.get(match[1], [])
    if match[2] is None and len(named) != 1:
        return None
    number = int(match[2] or 1)
    if not 1 <= number <= len(named):
        return None
    parent = named[number - 1]
    items = match[4].split(",")
    comments = any(item.startswith(COMMENT) for item in items)
    have = names(parent, comments=comments)
    if _checksum(have) != match[3]:
        return None
    known = sorted(set(have))
    want: list[str] = []
    for item in items:
        parts = _ITEM.fullmatch(item)
        name = _whole(parts[1], known) if parts else None
        count = int(parts[2] or 1) if parts else 0
        if name is None or len(want) + count > len(have):
            return None
        want.extend([name] * count)
    if Counter(want) != Counter(have):
        return None
    return parent, _arranged(parent, want, comments=comments)


def _items(items: list[tuple[str, int]], short: dict[str, str]) -> str:
    seen: set[str] = set()
    parts = []
    for name, count in items:
        written = short[name] if name in seen else name
        seen.add(name)
        parts.append(written if count == 1 else f"{written}*{count}")
    return ",".join(parts)


def _short(have: list[str]) -> dict[str, str]:
    """Return for each name its shortest beginning that no other name shares, or all of it."""
    known = sorted(set(have))
    short = {}
    for place, name in enumerate(known):
        near = known[max(place - 1, 0) : place] + known[place + 1 : place + 2]
        short[name] = name[: max((_shared(name, other) for other in near), default=0) + 1]
    return short


def _shared(one: str, other: str) -> int:
    """Return the length of the beginning that two names share."""
    return next(
        (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )


def _whole(name: str, known: list[str]) -> str | None:
    """Return the one of the sorted names *known* that *name* is, or is the beginning of."""
    place = bisect_left(known, name)
    if place == len(known) or not known[place].startswith(name):
        return None
    if known[place] == name or place + 1 == len(known) or not known[place + 1].startswith(name):
        return known[place]
    return None


def _arranged(parent: Node, want: list[str], *, comments: bool) -> list[Node]:
    """Return the children in the order of the names *want*; comments not among these stay before their element."""
    queues: dict[str, deque[list[Node]]] = {}
    group: list[Node] = []
    for child in parent.children:
        group.append(child)
        if comments or child.name != COMMENT:
            queues.setdefault(child.name, deque()).append(group)
            group = []
    arranged = [node for name in want for node in queues[name].popleft()]
    return arranged + group


def _checksum(have: list[str]) -> str:
    return f"{crc32(' '.join(have).encode()) & 0xFFFF:04x}"
