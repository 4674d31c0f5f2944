"""From grammar patterns to element types, one for each path, by subset construction.

libvirt's grammar says the same element in many places: a disk's ``source`` alone in fifteen, by kind of disk. A
document does not say which of them it means, so the type of an element is the union of all that its path allows: the
set of patterns that a path can reach is a state, names lead from state to state, and recursion closes by itself. States
that cannot be told apart are then merged. Keyed by path, an element has one shape in every document.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.grammar.relaxng import Attribute, Choice, Data, Element, Group, Nothing, Pattern, Repeat

MANY = 2
"""How often something may occur is counted up to this: none, one, many."""


@dataclass
class Occurrence:
    """How often a name may occur, and what it may be there."""

    least: int
    most: int
    data: set[Data] = field(default_factory=set)
    elements: set[Element] = field(default_factory=set)


@dataclass
class Content:
    """What a pattern allows: attributes, child elements and text."""

    attributes: dict[str, Occurrence] = field(default_factory=dict)
    children: dict[str, Occurrence] = field(default_factory=dict)
    text: Occurrence | None = None
    foreign: bool = False
    """Elements or attributes of any name are allowed."""


@dataclass(eq=False)
class ElementType:
    """The type of the elements at one or more paths."""

    path: tuple[str, ...]
    attributes: dict[str, Occurrence]
    children: dict[str, tuple[Occurrence, ElementType]]
    text: Occurrence | None
    foreign: bool


def _merge_all(parts: list[Content], *, choice: bool) -> Content:
    """Return what stands in all (or, for a choice, in one) of *parts*."""
    result = Content()
    for kind in ("attributes", "children"):
        names: dict[str, None] = {name: None for part in parts for name in getattr(part, kind)}
        target = getattr(result, kind)
        for name in names:
            found = [getattr(part, kind).get(name) for part in parts]
            target[name] = _combine(found, choice=choice)
    texts = [part.text for part in parts]
    if any(texts):
        result.text = _combine(texts, choice=choice)
    result.foreign = any(part.foreign for part in parts)
    return result


def _combine(found: list[Occurrence | None], *, choice: bool) -> Occurrence:
    least = [o.least if o else 0 for o in found]
    most = [o.most if o else 0 for o in found]
    result = Occurrence(
        min(least) if choice else min(MANY, sum(least)),
        max(most) if choice else min(MANY, sum(most)),
    )
    for occurrence in found:
        if occurrence:
            result.data |= occurrence.data
            result.elements |= occurrence.elements
    return result


def _data_of(pattern: Pattern) -> set[Data]:
    match pattern:
        case Data():
            return {pattern}
        case Choice(members) | Group(members):
            return {data for member in members for data in _data_of(member)}
        case Repeat():
            return _data_of(pattern.content)
        case _:
            return set()


def content(pattern: Pattern) -> Content:
    """Return what *pattern* allows."""
    match pattern:
        case Data():
            return Content(text=Occurrence(1, 1, {pattern}))
        case Attribute(name, inner):
            if name is None:
                return Content(foreign=True)
            return Content(attributes={name: Occurrence(1, 1, _data_of(inner))})
        case Element():
            if pattern.name is None:
                return Content(foreign=True)
            if pattern.content == Nothing(allowed=False):
                return Content()
            return Content(children={pattern.name: Occurrence(1, 1, elements={pattern})})
        case Choice(members):
            return _merge_all([content(member) for member in members], choice=True)
        case Group(members):
            return _merge_all([content(member) for member in members], choice=False)
        case Repeat():
            inner_content = content(pattern.content)
            for occurrence in [*inner_content.attributes.values(), *inner_content.children.values()]:
                occurrence.least = min(occurrence.least, pattern.minimum)
                occurrence.most = MANY
            return inner_content
        case _:
            return Content()


class TypeBuilder:
    """Builds the types of everything that the given start elements can contain."""

    def __init__(self) -> None:
        self._types: dict[frozenset[Element], ElementType] = {}

    def build(self, start: Pattern) -> dict[str, ElementType]:
        """Return the type of each root element that *start* allows."""
        queue: list[ElementType] = []
        roots = {
            name: self._type(frozenset(occurrence.elements), (name,), queue)
            for name, occurrence in content(start).children.items()
        }
        while queue:
            current = queue.pop(0)
            for name, (occurrence, _) in list(current.children.items()):
                child = self._type(frozenset(occurrence.elements), (*current.path, name), queue)
                current.children[name] = (occurrence, child)
        return roots

    def _type(self, state: frozenset[Element], path: tuple[str, ...], queue: list[ElementType]) -> ElementType:
        if state not in self._types:
            parts = [content(element.content) for element in sorted(state, key=lambda e: (e.file, e.line))]
            whole = _merge_all(parts, choice=True)
            # The placeholder is replaced when the queue reaches this type: breadth first, so paths are the shortest.
            result = ElementType(path, whole.attributes, {}, whole.text, whole.foreign)
            result.children = {name: (occurrence, result) for name, occurrence in whole.children.items()}
            self._types[state] = result
            queue.append(result)
        return self._types[state]

    def merged(self, roots: dict[str, ElementType], order: list[str]) -> dict[str, ElementType]:
        """Return *roots* with types that no document can tell apart made one (partition refinement).

        A merged type goes by its shortest path, below the root that comes first in *order*.
        """
        every = list(self._types.values())
        label = dict.fromkeys(every, 0)
        while True:
            signatures: dict[object, int] = {}
            refined = {t: signatures.setdefault(_signature(t, label), len(signatures)) for t in every}
            if len(signatures) == len(set(label.values())):
                break
            label = refined
        kept: dict[int, ElementType] = {}
        for t in sorted(every, key=lambda t: (order.index(t.path[0]), len(t.path), t.path)):
            kept.setdefault(label[t], t)
        for t in kept.values():
            t.children = {name: (occurrence, kept[label[child]]) for name, (occurrence, child) in t.children.items()}
        return {name: kept[label[t]] for name, t in roots.items()}


def _signature(element_type: ElementType, label: dict[ElementType, int]) -> object:
    """Return what tells *element_type* apart, given what its children are known to be."""

    def values(occurrence: Occurrence | None) -> object:
        if occurrence is None:
            return None
        return (occurrence.least, occurrence.most, frozenset((d.kind, d.literal, d.define) for d in occurrence.data))

    return (
        label[element_type],
        frozenset((name, values(o)) for name, o in element_type.attributes.items()),
        frozenset((name, o.least, o.most, label[t]) for name, (o, t) in element_type.children.items()),
        values(element_type.text),
        element_type.foreign,
    )
