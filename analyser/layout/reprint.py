"""Prints a document again with the layout that a text describes; what the text says that does not fit is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from analyser.layout import gaps, order, ordinals, tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analyser.layout.tree import Node

MAX_LENGTH = 2000
"""The longest text that describes a layout, in characters."""

PLAIN = "+"
"""The value of an ordinal that stands for itself."""

QUOTES = {"double": '"', "single": "'"}
"""The quote characters by name."""

OTHER_QUOTE = {'"': "'", "'": '"'}
"""The other quote character."""


_Item = TypeVar("_Item")


class _TooLarge(Exception):  # noqa: N818  (never leaves this module)
    """The layout would blow the document up."""


def apply(canonical: str, layout: str) -> str:
    """Return *canonical*, XML as virsh prints it, in the print that *layout* describes.

    Only white space between tags and in them, quote characters, the form of empty elements and the order of differently
    named siblings change; nothing is raised. What does not fit the document is left out, at worst all of it.
    """
    words = words_of(layout)
    if not words:
        return canonical
    body = tree.bare(canonical)
    document = tree.read_canonical(body)
    if document is None:
        return canonical
    if words.get("shape") != tree.shape(document):
        words = {name: unbound(name, value) for name, value in words.items()}
    found = tree.by_name(document)
    arranged = [order.from_text(entry, found, document) for entry in words.get("order", "").split(";")]
    reform(words.get("open", ""), words.get("shut", ""), found)
    for fitting in arranged:
        if fitting is not None:
            fitting[0].children = fitting[1]
    try:
        _set_gaps(document, words, room_of(canonical))
        _set_tags(tree.elements(document), words, room_of(canonical))
    except _TooLarge:
        return canonical
    start = canonical.index(body)
    text = canonical[:start] + tree.write(document) + canonical[start + len(body) :]
    if words.get("newline") == "crlf" and "\r" not in text:
        text = text.replace("\n", "\r\n")
    return text


def words_of(layout: str) -> dict[str, str]:
    """Return the words of *layout* by their names; none of a text that is too long."""
    if len(layout) > MAX_LENGTH:
        return {}
    return dict(word.split("=", 1) for word in layout.split(" ") if "=" in word)


def room_of(canonical: str) -> int:
    """Return how much white space a layout may bring into a document, in characters."""
    return 4 * len(canonical) + (1 << 16)


def unbound(name: str, value: str) -> str:
    """Return of *value* what holds for any document, whatever its shape."""
    if name in ("order", "newline"):
        return value
    base = value.partition(",")[0]
    bases = {"quotes": base in QUOTES, "indent": gaps.UNITS.fullmatch(base), "slash": base == "space"}
    return base if bases.get(name) else ""


def is_pair(node: Node) -> bool:
    """Return whether an element of virsh's print is a pair of tags with nothing between them."""
    return not node.empty and node.text is None and not node.children


def reform(opened: str, shut: str, found: dict[str, list[Node]]) -> None:
    """Write the empty elements that *opened* names as a pair of tags, and the pairs that *shut* names as one."""
    to_open = [node for node in named(opened, found) if node.empty]
    for node in [node for node in named(shut, found) if is_pair(node)]:
        node.empty = True
    for node in to_open:
        node.empty = False
        node.end = gaps.regular("2", node.level)


def named(text: str, found: Mapping[str, list[_Item]]) -> Iterator[_Item]:
    """Yield those of *found*, lists by element name, that *text* names."""
    for entry in text.split(";") if text else ():
        name, _, numbers = entry.partition("#")
        nodes = found.get(name, [])
        if numbers:
            nodes = [nodes[place] for place in ordinals.from_text(numbers, len(nodes), PLAIN)]
        yield from nodes


def split(value: str, bases: object) -> tuple[str, str]:
    """Return the part of *value* that holds for all, if it is one of *bases*, and the rest."""
    base, _, rest = value.partition(",")
    return (base, rest) if base in bases else ("", value)  # type: ignore[operator]


def _set_gaps(document: Node, words: dict[str, str], room: int) -> None:
    lines = tree.lines(document)
    base, _, rest = words.get("indent", "").partition(",")
    if not gaps.UNITS.fullmatch(base):
        base, rest = "", words.get("indent", "")
    count = len(lines)
    indent = ordinals.from_text(rest, count, "")
    blank = ordinals.from_text(words.get("blank", ""), count, "1")
    space = ordinals.from_text(words.get("space", ""), count, "")
    for place, (node, ends) in enumerate(lines):
        gap = node.end if ends else node.gap
        if base and gap.startswith("\n"):
            gap = gaps.regular(base, node.level)
        if place in indent or place in blank or place in space:
            gap = gaps.changed(gap, gaps.Change(indent.get(place, ""), blank.get(place, ""), space.get(place, "")))
        room -= len(gap)
        if room < 0:
            raise _TooLarge
        if ends:
            if node.children or tree.is_nothing(gap):
                node.end = gap
        else:
            node.gap = gap


def _set_tags(elements: list[Node], words: dict[str, str], room: int) -> None:
    empty = [node for node in elements if node.empty]
    base, rest = split(words.get("slash", ""), ("space",))
    exceptions = ordinals.from_text(rest, len(empty), PLAIN)
    for place, node in enumerate(empty):
        node.close = close_of(exceptions.get(place), " " if base else node.close)
    starts = [node for node in elements if not node.empty]
    for place, how in ordinals.from_text(words.get("bracket", ""), len(starts), PLAIN).items():
        starts[place].close = close_of(how, starts[place].close)
    room -= sum(len(node.close) for node in elements)
    if room < 0:
        raise _TooLarge
    count = sum(len(node.attributes) for node in elements)
    base, rest = split(words.get("quotes", ""), QUOTES)
    exceptions = ordinals.from_text(rest, count, PLAIN)
    wraps = ordinals.from_text(words.get("wrap", ""), count, "")
    place = 0
    for node in elements:
        attributes = []
        for attribute in node.attributes:
            quote = QUOTES.get(base, attribute.quote)
            if place in exceptions:
                quote = OTHER_QUOTE[quote]
            if quote in attribute.value:
                quote = attribute.quote
            space = (ordinals.spaces_from_text(wraps[place]) if place in wraps else None) or attribute.space
            attributes.append(tree.Attribute(space, attribute.name, attribute.equals, quote, attribute.value))
            place += 1
            room -= len(space)
            if room < 0:
                raise _TooLarge
        node.attributes = tuple(attributes)


def close_of(how: str | None, expected: str) -> str:
    """Return the white space before the end of a tag: the *expected*, unless *how* says another."""
    if how == PLAIN:
        return "" if expected else " "
    space = ordinals.spaces_from_text(how) if how else None
    return expected if space is None else space
