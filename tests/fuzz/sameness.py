"""When two XML documents are the same: all that a reader could tell apart, but for the order of unlike siblings.

Written from scratch for the tests, so that it shares no mistake with ``analyser``.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

SPACE = " \t\r\n"
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True, remove_pis=True)


def normal(xml: str, *, loose: bool = False) -> Any:
    """Return nested tuples that are equal for equal documents.

    White space alone is no text; comments and processing instructions are left out. Text beside elements counts with
    its place. *loose* leaves out the white space at both ends of a text: see ``interrupted``.
    """
    return _normal(etree.fromstring(xml.encode(), _PARSER), SPACE if loose else "")


def interrupted(xml: str) -> bool:
    """Say whether text may be in pieces, of which libxml2 drops those of white space alone (beside a comment)."""
    return "<!" in xml or "<?" in xml


def _normal(root: etree._Element, ends: str) -> Any:
    by_name: dict[Any, list[Any]] = {}
    sequence: list[Any] = []
    mixed = False
    for at, text in enumerate((root.text, *(child.tail for child in root))):
        if at and isinstance(root[at - 1].tag, str):
            child = _normal(root[at - 1], ends)
            sequence.append(child)
            by_name.setdefault(child[0], []).append(child)
        if text and text.strip(SPACE):
            if sequence and isinstance(sequence[-1], str):
                sequence[-1] += text
            else:
                sequence.append(text)
            mixed = True
    if ends:
        sequence = [each.strip(ends) if isinstance(each, str) else each for each in sequence]
    attributes = tuple(sorted(root.items()))
    content = tuple(sequence) if mixed else tuple(sorted((name, tuple(each)) for name, each in by_name.items()))
    return (root.tag, attributes, content)


def difference(one: Any, other: Any, path: str = "") -> str | None:
    """Return where two results of ``normal`` differ, for a person; None where they do not."""
    if one == other:
        return None
    here = f"{path}/{one[0]}"
    if one[:2] != other[:2]:
        return f"{here}: {one[:2]} became {other[:2]}"
    if len(one[2]) != len(other[2]):
        return f"{here}: {one[2]!r:.600} became {other[2]!r:.600}"
    for left, right in zip(one[2], other[2], strict=True):
        if left != right:
            if isinstance(left, str) or isinstance(right, str) or left[0] != right[0] or len(left) != len(right):
                return f"{here}: {left!r:.600} became {right!r:.600}"
            if len(left) == 3:
                return difference(left, right, here)
            for a, b in zip(left[1], right[1], strict=False):
                if a != b:
                    return difference(a, b, here)
            return f"{here}: {len(left[1])} <{left[0]}> became {len(right[1])}"
    return here
