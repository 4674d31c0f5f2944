"""YAML as our writer prints it to XML text, piece by piece: ``fastyaml`` for an estate, whose guests share devices.

A piece is some lines of which the first stands in the column of its map's keys, and so does what follows the last: all
that it opens further in, it closes. What it is in XML then depends on the place that it stands in alone, and is
remembered there by its text. However a document is cut, the result is that of ``fastyaml`` for the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyser import fastyaml
from analyser.fastmemory import NotAccepted, Recent
from analyser.fastyamllines import BODY, HEAD, UP, Lines
from analyser.fastyamlshapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Iterable

# The bits of the keys, the XML text, and the place behind it.
_Entry = tuple[int, str, Lines]


class _Pieces(Recent[_Entry]):
    """What pieces that begin in *place* are."""

    def __init__(self, place: Lines) -> None:
        super().__init__()
        self._place = place
        self._indent = "\n" + " " * place.element.column
        self._shapes = Shapes(self._by_lines)

    def read(self, key: str) -> _Entry:
        """Return what *key* is; raises NotAccepted."""
        text, (bits, place) = self._shapes.convert(key)
        return (bits, text, place)

    def _by_lines(self, key: str) -> tuple[str, tuple[int, Lines]]:
        """Return the XML of the piece *key*, and the rest of its entry."""
        place = self._place
        if not key.startswith(self._indent) or key[len(self._indent) :][:1] in ("", " ", "\n"):
            raise NotAccepted
        # A list's items stand in the list, and that in its map.
        stack: list[tuple[Lines, int]] = [(place.element.phases[BODY], 0)] if place.repeats else []
        out: list[str] = []
        place, seen = fastyaml.walk(place, int(place.repeats), stack, iter(key[1:].split("\n")), out)
        while len(stack) > 1 or (stack and not place.repeats):
            place, seen = fastyaml.leave(place, seen, stack, out)
        return "".join(out), (stack[0][1] if stack else seen, place)


def _add(place: Lines, pieces: Iterable[str], seen: int, out: list[str]) -> tuple[Lines, int]:
    """Add the XML of *pieces*, which begin in *place* of an element that has the keys *seen*, to *out*.

    Return the place among the element's keys that is behind them, and the bits of all keys.
    """
    element = place.element
    body = element.phases[BODY]
    dash = element.column + 1
    for piece in pieces:
        if place.repeats and piece[dash : dash + 1] != "-":
            place = body
        known = place.pieces
        if known is None:
            known = place.pieces = _Pieces(place)
        bits, text, place = known[piece]
        if bits & seen:
            raise NotAccepted
        seen |= bits
        out.append(text)
    return body if place.repeats else place, seen


def to_xml(head: str, top: list[str], inside: list[str], tail: list[str]) -> str:
    """Return the XML of a document that is *head* and these pieces, one behind the other.

    The first of *top* has the key that the document stands under, and the last is the key of a map, whose keys are
    *inside*. Raises NotAccepted where it is not as our writer prints.
    """
    key, _, attributes = top[0][1:].partition("\n")
    line, *lines = f"{head}\n{key}".split("\n")
    rest = iter(lines)
    root, named, _ = fastyaml.head_of(line, rest)
    if next(rest, None) is not None:
        raise NotAccepted
    element = fastyaml.element_of(root)
    out = [f"<{root.element}"]
    before = [f"\n{attributes}", *top[1:-1]] if attributes else top[1:-1]
    place, seen = _add(element.phases[HEAD], before, 0, out)
    entry = place[top[-1][1:]]
    bit, text, after, inner, more = entry
    if entry is UP or bit & seen or more is not None or not isinstance(inner, Lines) or inner.repeats:
        raise NotAccepted
    out.append(text)
    last, within = _add(inner, inside, 0, out)
    if not within:
        raise NotAccepted
    out.append(last.close)
    place, seen = _add(place if after is None else after, tail, seen | bit, out)
    out.append(place.close)
    return fastyaml.complete(root, element, seen, out, named=named)
