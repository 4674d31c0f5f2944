"""Pieces of YAML that differ in their values alone, as disks and interfaces of guests do: one step for a whole one.

As ``fastxmlshapes``, the other way: keys and columns are the shape, and trials (``fastyaml``) say where each value
stands in XML. What a value is there is told as ``fastyamllines`` tells it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from analyser.fastmemory import Met, NotAccepted
from analyser.fastxmlshapes import MARK, MOST_VALUES, SHAPES
from analyser.fastyamllines import WORDS, plain

if TYPE_CHECKING:
    from collections.abc import Callable

_VALUE = re.compile(r": ([^\n]+)")
_VALUES = 10_000
_LONGEST = 100

# What one value is in all places, and what it is in XML there: a number, a quoted text.
_TRIALS = {"7": "7", '"0x7"': "0x7"}


class _Values(dict[str, str]):
    """What values are in XML in places of one kind; *words* stand for others there. Bounded."""

    def __init__(self, words: dict[str, str]) -> None:
        self._words = words

    def __missing__(self, value: str) -> str:
        text = self._words.get(value) or plain(value)
        if text is None:
            raise NotAccepted
        if len(value) <= _LONGEST:
            if len(self) >= _VALUES:
                self.clear()
            self[value] = text
        return text


_strings = _Values({})
_booleans = [_Values(words) for words in WORDS.values()]


class _Shape(NamedTuple):
    """What stands before each value in XML and what it is there, what stands behind the last one, and the rest."""

    pieces: list[tuple[str, _Values]]
    last: str
    rest: Any


class Shapes:
    """The shapes of pieces in one place.

    *convert* says what a piece is in XML, and something else that its values do not decide about; or it raises
    NotAccepted.
    """

    def __init__(self, convert: Callable[[str], tuple[str, Any]]) -> None:
        self._convert = convert
        self._known: dict[str, _Shape | None] = {}
        self._met = Met()

    def convert(self, text: str) -> tuple[str, Any]:
        """Return what *convert* would return for the piece *text*."""
        parts = _VALUE.split(text)
        if len(parts) > 1:
            common = "\0".join(parts[::2])
            shape = self._known.get(common)
            if shape is not None:
                out: list[str] = []
                try:
                    for (before, values), value in zip(shape.pieces, parts[1::2], strict=True):
                        out += (before, values[value])
                except NotAccepted:
                    return self._convert(text)
                out.append(shape.last)
                return "".join(out), shape.rest
            if common not in self._known:
                self._meet(common, parts)
        return self._convert(text)

    def _meet(self, common: str, parts: list[str]) -> None:
        """Learn a shape when it is met for the second time."""
        if self._met.again(common):
            if len(self._known) >= SHAPES:
                self._known.clear()
            self._known[common] = self._learn(parts)

    def _learn(self, parts: list[str]) -> _Shape | None:
        count = len(parts) // 2
        if count > MOST_VALUES or MARK[:2] in "".join(parts[::2]):
            return None
        marks = [MARK.format(place) for place in range(count)]
        try:
            text, rest = self._convert(_with(parts, marks))
            whole = text
            before: list[str] = []
            for mark in marks:
                found, mark_found, text = text.partition(mark)
                if not mark_found:
                    return None
                before.append(found)
            for value, shown in _TRIALS.items():
                wanted = shown.join([*before, ""]) + text
                if self._convert(_with(parts, [value] * count))[0] != wanted:
                    return None
        except NotAccepted:
            return None
        kinds = [self._kind(parts, marks, place, whole) for place in range(count)]
        return _Shape(list(zip(before, kinds, strict=True)), text, rest)

    def _kind(self, parts: list[str], marks: list[str], place: int, whole: str) -> _Values:
        """Return what values are in *place*, by what ``true`` is there."""
        try:
            text, _ = self._convert(_with(parts, [*marks[:place], "true", *marks[place + 1 :]]))
        except NotAccepted:
            return _strings
        for values in _booleans:
            if text == whole.replace(marks[place], values["true"]):
                return values
        return _strings


def _with(parts: list[str], values: list[str]) -> str:
    """Return the text that is cut in *parts* with other *values*."""
    out = list(parts)
    out[1::2] = [f": {value}" for value in values]
    return "".join(out)
