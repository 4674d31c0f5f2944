"""The proof of an import: what was written says exactly what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from analyser.runtime import where
from analyser.xmlreader import XML_SPACE
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


def compare(read: etree._Element, written: etree._Element, *, file: str) -> None:
    """Raise InputError with the path of the first difference between two documents, if there is one.

    Attributes, texts, and the order of elements of one name count; the order of differently named siblings does not.
    """
    if etree.tostring(read, method="c14n") != etree.tostring(written, method="c14n"):
        _compare(read, written, file)


def _compare(read: etree._Element, written: etree._Element, file: str) -> None:
    if read.tag != written.tag:
        raise _different(read, f"became <{written.tag!s}>", file)
    if read.attrib != written.attrib:
        names = sorted(name for name in {*read.keys(), *written.keys()} if read.get(name) != written.get(name))
        raise _different(read, f"attribute {', '.join(names)} would change", file)
    if _text(read.text) != _text(written.text):
        raise _different(read, "its text would change", file)
    before, after = _sorted(read), _sorted(written)
    for one, other in zip(before, after, strict=False):
        if one.tag != other.tag:
            break
        if _text(one.tail) != _text(other.tail):
            raise _different(one, "the text behind it would change", file)
        _compare(one, other, file)
    if [child.tag for child in before] != [child.tag for child in after]:
        lost = {child.tag for child in before} ^ {child.tag for child in after}
        raise _different(read, f"children would change: {', '.join(sorted(map(str, lost))) or 'their number'}", file)


def _sorted(element: etree._Element) -> list[etree._Element]:
    return sorted(_elements(element), key=lambda child: child.tag)


def _elements(element: etree._Element) -> Iterable[etree._Element]:
    return (child for child in element if isinstance(child.tag, str))


def _text(text: str | None) -> str:
    return text if text and text.strip(XML_SPACE) else ""


def _different(element: etree._Element, what: str, file: str) -> InputError:
    return InputError(
        f"not imported, for it would not come back as it was: {what}",
        file=file,
        line=element.sourceline,
        path=where(element) or None,
        hint="this is a defect of the mapping; please report it",
    )
