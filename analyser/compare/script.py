"""xmldiff's edit script between two documents, in canonical XML: what was moved, renamed, inserted and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree
from xmldiff import formatting
from xmldiff import main as xmldiff

from analyser.codec.scalars import BOOLEANS
from analyser.compare.normal import Secret, Size, is_secret, scalar
from analyser.xmlreader import XML_SPACE

if TYPE_CHECKING:
    from schemas.table import Field, Type

MOST_ELEMENTS = 3000
"""xmldiff compares every element with every other: beyond this many on both sides together it would take minutes."""


def edit_script(a: etree._Element, b: etree._Element, kind: Type) -> list[str] | None:
    """Return the steps that make *b* of *a*, both of type *kind*, as xmldiff prints them; None if they are too large.

    The elements are changed: made canonical first, and what is secret hidden.
    """
    if sum(1 for each in (a, b) for _ in each.iter("*")) > MOST_ELEMENTS:
        return None
    _hide_secrets(a, b)
    for element in (a, b):
        _canonical(element, kind)
    options = {"fast_match": True, "ratio_mode": "fast"}
    text = xmldiff.diff_trees(a, b, diff_options=options, formatter=formatting.DiffFormatter())
    return [line for line in str(text).splitlines() if line]


def _canonical(root: etree._Element, kind: Type) -> None:
    """Order and spell what is below *root* in the one way that all its spellings share."""
    work: list[tuple[etree._Element, Type | None]] = [(root, kind)]
    while work:
        element, of = work.pop()
        element.tail = None
        element.text = (element.text or "").strip(XML_SPACE) or None
        attributes = of.attributes if of is not None else {}
        for name, value in element.items():
            if name in attributes:
                _set(element, name, value, attributes[name])
        if of is not None and of.text is not None and element.text:
            element.text = _spelt(scalar(element.text, of.text), of.text)
        fields = of.elements if of is not None else {}
        for child in element:
            field = fields.get(str(child.tag))
            if field is not None and field.value not in ("map", "xml") and not len(child):
                _leaf(child, field)
            work.append((child, field.type if field is not None and field.value == "map" else None))
        if any(field.sequence for field in fields.values()):
            continue
        order = {tag: field.order for tag, field in fields.items()}
        element[:] = sorted(element, key=lambda child: (order.get(str(child.tag), len(order)), str(child.tag)))


def _leaf(child: etree._Element, field: Field) -> None:
    text = child.text or ""
    if field.value == "size":
        unit = child.get("unit")
        size = scalar(f"{text} {unit}" if unit else f"{text} ({field.unit})", field)
        if isinstance(size, Size):
            child.text = str(size.bytes)
            child.set("unit", "bytes")
        return
    child.text = _spelt(scalar(text, field), field) or None


def _set(element: etree._Element, name: str, value: str, field: Field) -> None:
    if field.value == "size":
        unit = element.get("unit")
        size = scalar(f"{value} {unit}" if unit else f"{value} ({field.unit})", field)
        if isinstance(size, Size):
            element.set(name, str(size.bytes))
            element.set("unit", "bytes")
    else:
        element.set(name, _spelt(scalar(value, field), field))


def _spelt(value: object, field: Field) -> str:
    if isinstance(value, Secret):
        return value.value
    return BOOLEANS[field.value][value] if isinstance(value, bool) else str(value)


def _hide_secrets(a: etree._Element, b: etree._Element) -> None:
    """Replace every secret by a word that is the same on both sides only if the secret is."""
    words: dict[str, str] = {}
    for root in (a, b):
        for element in root.iter("*"):
            for name, value in element.items():
                if is_secret(etree.QName(name).localname):
                    element.set(name, words.setdefault(value, f"(secret {len(words) + 1})"))
            if is_secret(etree.QName(element).localname):
                for inner in element.iter("*"):
                    if inner.text and inner.text.strip(XML_SPACE):
                        inner.text = words.setdefault(inner.text, f"(secret {len(words) + 1})")
