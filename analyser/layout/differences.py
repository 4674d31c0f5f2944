"""Finds how a document's print differs from virsh's print of the same document."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from analyser.layout import gaps, order, ordinals, tree
from analyser.layout.reprint import MAX_LENGTH, PLAIN, QUOTES, is_pair, reform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from analyser.layout.tree import Node

_SHAPE_LENGTH = len(" shape=01234567")


def describe(original: str, canonical: str, *, well_formed: bool = False) -> str | None:
    """Return how the print of *original* differs from *canonical*, virsh's print of it; None if it does not.

    White space and an XML declaration around the documents do not count. The text has at most MAX_LENGTH characters
    and holds nothing of the documents but element names; what brings most comes first, what does not fit is left out.
    What is known to be *well_formed*, one document each, is not parsed again.
    """
    wanted, printed = tree.bare(original), tree.bare(canonical)
    newline = "\r\n" in wanted
    wanted = wanted.replace("\r\n", "\n").replace("\r", "\n") if "\r" in wanted else wanted
    if wanted == printed:
        return "newline=crlf" if newline else None
    document, other = tree.read_canonical(printed, well_formed=well_formed), tree.read(wanted, well_formed=well_formed)
    if document is None or other is None:
        return None
    words = Words()
    shape = tree.shape(document)
    found = tree.by_name(document)
    _arrange(document, other, found, words)
    _reform(found, words)
    if newline:
        words.add("newline", "crlf")
    _gaps(document, other, words)
    _tags(tree.elements(document), words)
    return words.whole(shape)


class Words:
    """The text as it grows, up to its greatest length; *bound* where some of it holds for one shape alone."""

    def __init__(self) -> None:
        self.text = ""
        self.bound = False

    def whole(self, shape: str) -> str | None:
        """Return the whole text, for a document of this *shape*; None if there is nothing to say."""
        return f"{self.text} shape={shape}".strip(" ") if self.bound else self.text.strip(" ") or None

    def fits(self, name: str, value: str) -> bool:
        """Say whether there is room for a word, and for the shape's."""
        return len(self.text) + len(name) + len(value) + 2 <= MAX_LENGTH - _SHAPE_LENGTH

    def add(self, name: str, base: str, exceptions: str = "") -> None:
        """Add a word that holds for all and its exceptions; these, or else all of it, are left out where too long."""
        both = f"{base},{exceptions}" if base and exceptions else base or exceptions
        if both and self.fits(name, both):
            self.text += f" {name}={both}"
            self.bound |= bool(exceptions)
        elif base and self.fits(name, base):
            self.text += f" {name}={base}"


def _arrange(document: Node, other: Node, found: dict[str, list[Node]], words: Words) -> None:
    """Pair the nodes of both documents, and bring those of *document* into the order of *other*."""
    document.twin = other
    waiting = [document]
    entries: list[str] = []
    while waiting:
        node = waiting.pop()
        twin = node.twin
        if twin is None or not (node.children or twin.children):
            continue
        alike = _pair(node, twin)
        waiting.extend(reversed(node.children))
        if alike:
            continue
        nodes = found.get(node.name, []) if node is not document else []
        place = next((place for place, each in enumerate(nodes, 1) if each is node), 0)
        reference = f"{node.name}#{place}" if len(nodes) > 1 else node.name if place else "."
        fitting = order.to_text(node, twin, reference)
        if fitting is not None and words.fits("order", ";".join([*entries, fitting[0]])):
            entries.append(fitting[0])
            node.children = fitting[1]
    words.add("order", ";".join(entries))


def _pair(node: Node, twin: Node) -> bool:
    """Pair the children of both nodes; return whether they have the same names in the same order."""
    if [child.name for child in node.children] == [child.name for child in twin.children]:
        for child, other in zip(node.children, twin.children, strict=True):
            child.twin = other
        return True
    ours, theirs = (Counter(child.name == tree.COMMENT for child in both.children)[True] for both in (node, twin))
    queues: dict[str, deque[Node]] = {}
    for child in twin.children:
        if child.name != tree.COMMENT or ours == theirs:
            queues.setdefault(child.name, deque()).append(child)
    for child in node.children:
        queue = queues.get(child.name)
        if queue:
            child.twin = queue.popleft()
    return False


def _reform(found: dict[str, list[Node]], words: Words) -> None:
    """Say which empty elements are written in the other form, and write them so."""
    opened, shut = [], []
    for name, nodes in found.items():
        if all(node.twin is not None and node.empty == node.twin.empty for node in nodes):
            continue
        opened += _forms(name, nodes, [node.empty for node in nodes], lambda twin: not twin.empty and _is_pair(twin))
        shut += _forms(name, nodes, [is_pair(node) for node in nodes], lambda twin: twin.empty)
    texts = []
    for word, entries in (("open", opened), ("shut", shut)):
        text = ";".join(entries)
        texts.append(text if words.fits(word, text) else "")
        words.add(word, "", texts[-1])
    reform(texts[0], texts[1], found)


def _forms(name: str, nodes: list[Node], empty: list[bool], other: Callable[[Node], bool]) -> list[str]:
    """Return the entry for those *nodes*, all of one *name*, that are *empty* and whose twin has the *other* form."""
    marks = [bool(flag and node.twin and other(node.twin)) for flag, node in zip(empty, nodes, strict=True)]
    return [form_of(name, empty, marks)] if any(marks) else []


def form_of(name: str, empty: list[bool], marks: list[bool]) -> str:
    """Return the entry for the elements called *name*, of which some are *empty*, and the *marks* say which change."""
    return name if marks == empty else f"{name}#{ordinals.to_text((PLAIN if mark else '' for mark in marks), PLAIN)}"


def _is_pair(node: Node) -> bool:
    return node.text is not None and tree.is_nothing(node.text)


def _gaps(document: Node, other: Node, words: Words) -> None:
    lines = tree.lines(document)
    targets = [None, *(_wanted_gap(node, ends, other) for node, ends in lines[1:])]
    own = [node.end if ends else node.gap for node, ends in lines]
    add_gaps([node.level for node, _ in lines], own, targets, words)


def _wanted_gap(node: Node, ends: bool, other: Node) -> str | None:
    twin = node.twin
    if twin is None or (twin is other.children[0] and not ends):
        return None
    if not ends:
        return twin.gap
    if twin.text is None:
        return None if twin.empty else twin.end
    return twin.text if _is_pair(twin) else None


def add_gaps(levels: list[int], own: list[str], targets: list[str | None], words: Words) -> None:
    """Add how the white space before each line, its *own* in virsh's print, is to become its target (None: any)."""
    if all(target is None or target == gap for gap, target in zip(own, targets, strict=True)):
        return
    units: Counter[str] = Counter()
    kept = 0
    for level, gap, target in zip(levels, own, targets, strict=True):
        if target is not None and (unit := gaps.unit_of(target, level)) is not None:
            units[unit] += 1
            kept += gap.rpartition("\n")[2] == target.rpartition("\n")[2]
    base, most = units.most_common(1)[0] if units else ("", 0)
    if most <= kept:
        base = ""
    changes: list[gaps.Change | None] = []
    for level, gap, target in zip(levels, own, targets, strict=True):
        expected = gaps.regular(base, level) if base and gap.startswith("\n") else gap
        changes.append(None if target is None else gaps.change(expected, target))
    words.add("indent", base, ordinals.to_text((how and how.indent for how in changes), ""))
    words.add("blank", "", ordinals.to_text((how and how.blank for how in changes), "1"))
    words.add("space", "", ordinals.to_text((how and how.space for how in changes), ""))


def _tags(elements: list[Node], words: Words) -> None:
    attributes: list[tree.Attribute] = []
    quotes: list[str | None] = []
    spaces: list[str | None] = []
    for node in elements:
        if not node.attributes:
            continue
        if node.twin is not None and node.twin.attributes == node.attributes:
            attributes.extend(node.attributes)
            quotes.extend([attribute.quote for attribute in node.attributes])
            spaces.extend([""] * len(node.attributes))
            continue
        theirs = {attribute.name: attribute for attribute in node.twin.attributes} if node.twin else {}
        for attribute in node.attributes:
            twin = theirs.get(attribute.name)
            attributes.append(attribute)
            quotes.append(twin.quote if twin else None)
            same = twin is None or twin.space == attribute.space
            spaces.append("" if same else ordinals.spaces_to_text(twin.space) or "")  # type: ignore[union-attr]
    add_quotes([attribute.quote for attribute in attributes], quotes, words)
    empty = [_close(node) for node in elements if node.empty]
    add_closes(empty, [_close(node) for node in elements if not node.empty], words)
    words.add("wrap", "", ordinals.to_text(spaces, ""))


def add_quotes(own: list[str], wanted: list[str | None], words: Words) -> None:
    """Add how the quote character of each attribute, its *own* in virsh's print, is to become the *wanted* one."""
    forms = [("", _differing(wanted, own))]
    forms += [(name, _differing(wanted, [quote] * len(wanted))) for name, quote in QUOTES.items()]
    base, differing = min(forms, key=lambda form: sum(map(bool, form[1])))
    words.add("quotes", base, ordinals.to_text(differing, PLAIN))


def add_closes(empty: list[str | None], others: list[str | None], words: Words) -> None:
    """Add what stands before ``/>`` in the tags of *empty* elements, and before ``>`` in those of the *others*."""
    spaced = sum((close or "") == " " for close in empty) > sum(close == "" for close in empty)
    words.add("slash", "space" if spaced else "", _closes(empty, " " if spaced else ""))
    words.add("bracket", "", _closes(others, ""))


def _differing(wanted: Iterable[str | None], given: Iterable[str]) -> list[str | None]:
    return [None if want is None else "" if want == have else PLAIN for want, have in zip(wanted, given, strict=True)]


def _close(node: Node) -> str | None:
    return node.twin.close if node.twin is not None and node.twin.empty == node.empty else None


def _closes(closes: list[str | None], expected: str) -> str:
    values: list[str | None] = []
    for close in closes:
        if close is None or close == expected:
            values.append(close and "")
        else:
            values.append(PLAIN if close + expected == " " else ordinals.spaces_to_text(close))
    return ordinals.to_text(values, PLAIN)
