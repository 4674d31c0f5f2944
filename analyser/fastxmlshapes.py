"""Elements that differ in values and texts alone, as disks and interfaces of guests do: one step for a whole one.

What they have in common, the text between the values, is the shape. What a shape is in YAML is found out by trial: the
element is converted line by line (``fastxml``) with other values, each of which comes out in one place, by one rule:
they decide about nothing else there. So the places and rules are known, and the lines need not be read again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from analyser.fastmemory import Met, NotAccepted
from analyser.fastxmllines import scalars

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "Zq{}qZ"
"""Stands for a value in trials."""

MOST_VALUES = 64
SHAPES = 500
"""How many shapes are remembered in one place."""

_TEXT = re.compile(r"(?<=>)([^<>&'\n]+)(?=</)")
# Words that are something else than a string in a place of one kind alone.
_TRIALS = {"integer": "7", "yesno": "yes", "onoff": "on"}
_UNSAFE = frozenset("<>&\"'")


class _Shape(NamedTuple):
    """For each value in the order of the YAML: what stands before it, the rule for it, and its place in XML.

    Then what stands behind the last one, and the rest.
    """

    pieces: list[tuple[str, dict[str, str], int]]
    last: str
    rest: Any


class Shapes:
    """The shapes of elements in one place.

    *convert* says what an element is in YAML, and something else that its values do not decide about; or it raises
    NotAccepted.
    """

    def __init__(self, convert: Callable[[str], tuple[str, Any]]) -> None:
        self._convert = convert
        self._known: dict[str, _Shape | None] = {}
        self._met = Met()

    def convert(self, text: str) -> tuple[str, Any]:
        """Return what *convert* would return for the element *text*."""
        common, values, texts = _split(text)
        shape = self._known.get(common)
        if shape is not None:
            filled = _filled(shape, values + texts, texts)
            if filled is not None:
                return filled, shape.rest
        elif common not in self._known and (values or texts):
            self._meet(common, text, len(values), len(texts))
        return self._convert(text)

    def _meet(self, common: str, text: str, values: int, texts: int) -> None:
        """Learn a shape when it is met for the second time."""
        if self._met.again(common):
            if len(self._known) >= SHAPES:
                self._known.clear()
            self._known[common] = self._learn(text, values, values + texts) if MARK[:2] not in common else None

    def _learn(self, text: str, quoted: int, count: int) -> _Shape | None:
        marks = [MARK.format(place) for place in range(count)]
        if count > MOST_VALUES:
            return None
        try:
            whole, rest = self._convert(_with(text, quoted, marks))
            order = sorted(range(count), key=lambda place: whole.find(f" {marks[place]}"))
            before: list[str] = []
            left = whole
            for place in order:
                found, mark_found, left = left.partition(f" {marks[place]}")
                if not mark_found or left[:1] not in ("", "\n"):
                    return None
                before.append(found)
            kinds = ["string"] * count
            for kind, word in _TRIALS.items():
                trial, _ = self._convert(_with(text, quoted, [word] * count))
                for number in _different(trial, before, left, kind, word):
                    kinds[number] = kind
        except NotAccepted:
            return None
        rules = [scalars(kind) for kind in kinds]
        return _Shape(list(zip(before, rules, order, strict=True)), left, rest)


def _split(text: str) -> tuple[str, list[str], list[str]]:
    """Return what *text* has in common with others, its attributes' values, and the texts of its elements."""
    parts = text.split("'")
    common = "'".join(parts[::2])
    if "</" not in common:
        return common, parts[1::2], []
    texts = _TEXT.split(common)
    return "\0".join(texts[::2]), parts[1::2], texts[1::2]


def _with(text: str, quoted: int, values: list[str]) -> str:
    """Return *text* with other *values*, of which *quoted* are attributes'."""
    parts = text.split("'")
    texts = iter(values[quoted:])
    outside = [_TEXT.sub(lambda _: next(texts), part) for part in parts[::2]]
    parts[::2] = outside
    parts[1::2] = values[:quoted]
    return "'".join(parts)


def _filled(shape: _Shape, values: list[str], texts: list[str]) -> str | None:
    """Return the YAML of *shape* with *values*, some of them *texts*; None where one is not as it stands in XML."""
    for text in texts:
        if text.isspace():
            return None
    out: list[str] = []
    for before, shown, place in shape.pieces:
        value = values[place]
        text = shown.get(value, "")
        if not text:
            # What is remembered there was looked at when it was met.
            if not value.isprintable() or not _UNSAFE.isdisjoint(value):
                return None
            text = shown[value]
        out += (before, text)
    out.append(shape.last)
    return "".join(out)


def _different(text: str, before: list[str], last: str, kind: str, word: str) -> list[int]:
    """Return the numbers of the places in which *word* came out as in those of *kind*; else it must be a string."""
    found = []
    special, plain = scalars(kind)[word], scalars("string")[word]
    for number, start in enumerate(before):
        text = text.removeprefix(start) if text.startswith(start) else ""
        if text.startswith(special):
            found.append(number)
            text = text[len(special) :]
        elif text.startswith(plain):
            text = text[len(plain) :]
        else:
            raise NotAccepted
    if text != last:
        raise NotAccepted
    return found
