"""Namespace prefixes of foreign XML, made safe to move: lxml mixes them up where a prefix means two things.

When lxml moves an element, it drops declarations that seem redundant and takes the prefix of an outer one; where an
inner element has declared that prefix anew, the name then changes its namespace.
"""

from __future__ import annotations

from itertools import count

from lxml import etree


def distinct(element: etree._Element, outer: etree._Element | None = None) -> etree._Element:
    """Return *element*, rebuilt with one prefix for each namespace where it has prefixes that could be mixed up.

    *outer* is the element that it will be moved into.
    """
    around: dict[str | None, str] = {} if outer is None else dict(outer.nsmap)
    by_prefix: dict[str | None, set[str]] = {}
    by_uri: dict[str, set[str | None]] = {}
    for scope in (around, *(each.nsmap for each in element.iter(etree.Element))):
        for prefix, uri in scope.items():
            by_prefix.setdefault(prefix, set()).add(uri)
            by_uri.setdefault(uri, set()).add(prefix)
    if max(map(len, by_prefix.values()), default=0) < 2 or max(map(len, by_uri.values()), default=0) < 2:  # noqa: PLR2004
        return element
    free = (name for name in map("p{}".format, count()) if name not in around)
    names = dict(zip(free, filter(None, by_uri), strict=False))
    return _rebuilt(element, None, names)


def _rebuilt(element: etree._Element, parent: etree._Element | None, names: dict[str, str]) -> etree._Element:
    copy = etree.Element(element.tag, nsmap=names) if parent is None else etree.SubElement(parent, element.tag)
    for name, value in element.items():
        copy.set(name, value)
    copy.text = element.text
    for child in element:
        if isinstance(child.tag, str):
            _rebuilt(child, copy, names)
        else:
            copy.append(etree.Comment(child.text or ""))
        copy[-1].tail = child.tail
    return copy
