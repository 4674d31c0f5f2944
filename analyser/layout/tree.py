"""XML text as a tree that keeps what a parser drops: white space, quotes, and how an empty element is written.

Text is never taken apart: an element with text in it, also between its children, keeps its content as it stands.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from analyser.xmlreader import XML_SPACE, parse
from schemas.errors import InputError

COMMENT = "!"
"""Stands for a comment among element names; no name may contain it."""

MAX_LENGTH = 4 << 20
"""The longest document whose layout is looked at, in characters; libvirt's protocol carries no longer strings."""

_COMMON = 200  # characters; longer tags are not remembered

_DECLARATION = re.compile(r"<\?xml\s[^>]*?\?>")
# Both texts are known to be well-formed when this runs, so no alternative can run to the end in vain.
_TOKEN = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(?:[^<>'\"]|'[^']*'|\"[^\"]*\")*>", re.DOTALL)
_NAME = re.compile(r"[^\s/>]+")
_ATTRIBUTE = re.compile(r"(\s+)([^\s=]+)(\s*=\s*)(?:('[^']*')|(\"[^\"]*\"))")


class Attribute(NamedTuple):
    """One attribute: the white space before it, its name, ``=``, its quote character, and its value as written."""

    space: str
    name: str
    equals: str
    quote: str
    value: str


class Node:
    """An element, a comment, or the document itself.

    *gap* is the white space in front. An element has either *empty* (``<a/>``), or *text* (its content as written), or
    *children* and *end*, the white space before its end tag.
    """

    __slots__ = (
        "attributes",
        "children",
        "close",
        "comment",
        "empty",
        "end",
        "gap",
        "level",
        "name",
        "tag",
        "text",
        "twin",
    )

    def __init__(self, tag: str, gap: str, level: int) -> None:
        self.tag = tag
        self.name = tag.rpartition(":")[2]
        self.gap = gap
        self.level = level
        self.attributes: tuple[Attribute, ...] = ()
        self.children: list[Node] = []
        self.close = ""
        self.comment = ""
        self.empty = False
        self.end = ""
        self.text: str | None = None
        self.twin: Node | None = None


def bare(text: str) -> str:
    """Return *text* without an XML declaration and white space around it."""
    text = text.removeprefix("\ufeff").strip(XML_SPACE)
    head = _DECLARATION.match(text)
    return text[head.end() :].lstrip(XML_SPACE) if head else text


def is_nothing(content: str) -> bool:
    """Return whether an element's *content* is but a line break between its tags; a single space may be its text."""
    return not content or ("\n" in content and not content.strip(XML_SPACE))


def read(text: str, *, well_formed: bool = False) -> Node | None:
    """Return the document in *text*, which has no declaration; None if too long or not one well-formed document.

    What is known to be *well_formed* is not parsed for that.
    """
    if len(text) > MAX_LENGTH or not (well_formed or _is_document(text)):
        return None
    document = Node("", "", -1)
    stack: list[tuple[Node, int]] = [(document, 0)]
    mixed: set[int] = set()
    place = 0
    for token in _TOKEN.finditer(text):
        start, end = token.span()
        parent, content = stack[-1]
        gap = text[place:start]
        place = end
        if gap and gap.strip(XML_SPACE):
            mixed.add(id(parent))
        second = text[start + 1]
        if second == "!":
            if text.startswith("<!--", start):
                node = Node(COMMENT, gap, parent.level + 1)
                node.comment = token[0]
                parent.children.append(node)
            else:
                mixed.add(id(parent))
        elif second == "/":
            stack.pop()
            if not parent.children or id(parent) in mixed:
                parent.children = []
                parent.text = text[content:start]
            else:
                parent.end = gap
        elif second != "?":
            node = _element(token[0], gap, parent.level + 1)
            parent.children.append(node)
            if not node.empty:
                stack.append((node, end))
    return document


def _is_document(text: str) -> bool:
    try:
        return len(parse(text.encode(), comments=True)) == 1
    except (InputError, UnicodeEncodeError):
        return False


def _element(tag: str, gap: str, level: int) -> Node:
    name, empty, close, attributes = _common_tag(tag) if len(tag) <= _COMMON else _parts(tag)
    node = Node(name, gap, level)
    node.empty = empty
    node.close = close
    node.attributes = attributes
    return node


def _parts(tag: str) -> tuple[str, bool, str, tuple[Attribute, ...]]:
    """Return the name in a tag, whether it is an empty element's, the white space at its end, and its attributes."""
    name = _NAME.match(tag, 1)
    assert name is not None  # noqa: S101  (for the type checker: the text is well-formed)
    empty = tag.endswith("/>")
    inside = tag[: -2 if empty else -1]
    end = len(inside.rstrip(XML_SPACE))
    attributes: list[Attribute] = []
    if end > name.end():
        for space, key, equals, single, double in _ATTRIBUTE.findall(inside, name.end(), end):
            attributes.append(Attribute(space, key, equals, single[:1] or double[:1], (single or double)[1:-1]))
    return name[0], empty, inside[end:], tuple(attributes)


# Estates repeat their tags, and a document's are there twice: as it is, and as virsh prints it.
_common_tag = lru_cache(8192)(_parts)


def clear() -> None:
    """Forget all tags."""
    _common_tag.cache_clear()


def read_canonical(text: str, *, well_formed: bool = False) -> Node | None:
    """Return virsh's print as ``read`` does, but with no text in a pair of tags that stands for an empty element."""
    document = read(text, well_formed=well_formed)
    for node in elements(document) if document else ():
        if node.text is not None and node.text == "\n" + "  " * node.level:
            node.end = node.text
            node.text = None
    return document


def write(document: Node) -> str:
    """Return *document* as text, without white space around it."""
    out: list[str] = []
    _write(document, out)
    out[:1] = []
    return "".join(out)


def _write(parent: Node, out: list[str]) -> None:
    for node in parent.children:
        out.append(node.gap)
        if node.tag == COMMENT:
            out.append(node.comment)
            continue
        out.append("<" + node.tag)
        out.extend(f"{a.space}{a.name}{a.equals}{a.quote}{a.value}{a.quote}" for a in node.attributes)
        if node.empty:
            out.append(node.close + "/>")
            continue
        out.append(node.close + ">")
        if node.text is not None:
            out.append(node.text)
        else:
            _write(node, out)
            out.append(node.end)
        out.append(f"</{node.tag}>")


def elements(document: Node) -> list[Node]:
    """Return all elements of *document*, in its order."""
    found: list[Node] = []
    waiting = document.children[::-1]
    while waiting:
        node = waiting.pop()
        if node.tag != COMMENT:
            found.append(node)
            waiting.extend(reversed(node.children))
    return found


def by_name(document: Node) -> dict[str, list[Node]]:
    """Return the elements of each local name, in the document's order."""
    found: dict[str, list[Node]] = {}
    for node in elements(document):
        found.setdefault(node.name, []).append(node)
    return found


def lines(document: Node) -> list[tuple[Node, bool]]:
    """Return what stands on a line of its own, in order: a node, and whether it is its end tag that does."""
    found: list[tuple[Node, bool]] = []
    waiting = [(child, False) for child in reversed(document.children)]
    while waiting:
        node, ends = waiting.pop()
        found.append((node, ends))
        if not (ends or node.empty or node.text is not None or node.tag == COMMENT):
            waiting.append((node, True))
            waiting.extend((child, False) for child in reversed(node.children))
    return found


def shape(document: Node) -> str:
    """Return a checksum of the document's tags: names, nesting, numbers of attributes, comments; not of any content."""
    parts = (f"{'/' if ends else ''}{node.tag} {len(node.attributes)} {node.empty}\n" for node, ends in lines(document))
    return f"{crc32(''.join(parts).encode()):08x}"
