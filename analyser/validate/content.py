"""Checks of a libvirt document in YAML form against the binding tables: every key, every value, all that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyser.codec.decode import decode
from analyser.codec.encode import fragment
from analyser.model import Comment
from analyser.validate.problems import Findings, Path, kind_of, printable
from analyser.validate.values import check as check_value
from analyser.validate.values import not_xml
from analyser.xmlreader import MAX_DEPTH, XML_SPACE
from schemas.errors import InputError
from schemas.table import EXTRA, REFERENCE, Field, Type

if TYPE_CHECKING:
    from lxml import etree


def check(
    node: Any, kind: Type, tag: str, path: Path, findings: Findings, *, given: frozenset[str] = frozenset()
) -> None:
    """Add to *findings* all that is wrong with *node*, the content of an element *tag* of type *kind* at *path*.

    *given* are the required keys that come from elsewhere. The stack is its own: no nesting overflows Python's.
    """
    _Walk(findings).run(node, kind, tag, path, given)


class _Walk:
    """One document's check."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._work: list[tuple[Any, Type, str, Path, int]] = []

    def run(self, node: Any, kind: Type, tag: str, path: Path, given: frozenset[str]) -> None:
        self._map(node, kind, tag, path, 0, given)
        while self._work:
            self._map(*self._work.pop())

    def _map(
        self, node: Any, kind: Type, tag: str, path: Path, level: int, given: frozenset[str] = frozenset()
    ) -> None:
        findings = self._findings
        if node.__class__ is not dict:
            findings.add(path, f"expected a map, found {kind_of(node)}")
            return
        if level > MAX_DEPTH:
            findings.add(path, f"nested more than {MAX_DEPTH} levels deep")
            return
        by_key = kind.by_key
        for key, value in node.items():
            if key.__class__ is Comment:
                continue
            field = by_key.get(key)
            if field is not None:
                self._field(value, field, (*path, key), level, node)
            elif key == EXTRA:
                self._extra(value, node, kind, tag, path)
            elif key in kind.sequences:
                self._sequence(value, kind.sequences[key], (*path, key), level)
            else:
                known = [*by_key, *kind.sequences]
                hint = findings.nearest(key, known)
                if hint is None and known:
                    hint = f"known here: {', '.join(sorted(known)[:8])}{', ...' if len(known) > 8 else ''}"  # noqa: PLR2004
                findings.add((*path, key), "unknown key", hint)
        self._missing(node, kind, path, given)

    def _field(self, value: Any, field: Field, path: Path, level: int, parent: Any) -> None:
        if field.owner is not None and field.owner.key not in parent:
            self._findings.add(path, f"needs {field.owner.key} beside it")
        if not field.many:
            self._one(value, field, path, level)
        elif value.__class__ is list:
            for index, entry in enumerate(value):
                if entry.__class__ is not Comment:
                    self._one(entry, field, (*path, index), level)
        else:
            hint = "start each entry with a dash" if isinstance(value, dict) else None
            self._findings.add(path, f"expected a list, found {kind_of(value)}", hint)

    def _one(self, value: Any, field: Field, path: Path, level: int) -> None:
        if field.value == "map":
            self._work.append((value, field.type, field.xml, path, level + 1))
        else:
            check_value(value, field, path, self._findings)

    def _sequence(self, value: Any, names: dict[str, Field], path: Path, level: int) -> None:
        findings = self._findings
        wanted = f"a map with one key, one of {', '.join(names)}"
        if value.__class__ is not list:
            findings.add(path, f"expected a list, found {kind_of(value)}")
            return
        for index, entry in enumerate(value):
            where = (*path, index)
            if entry.__class__ is Comment:
                continue
            keys = [key for key in entry if key.__class__ is str] if entry.__class__ is dict else []
            if len(keys) != 1:
                found = f"a map with {len(keys)}" if entry.__class__ is dict else kind_of(entry)
                findings.add(where, f"expected {wanted}, found {found}")
            elif keys[0] not in names:
                findings.add(
                    (*where, keys[0]),
                    "unknown key",
                    findings.nearest(keys[0], names) or f"known here: {', '.join(names)}",
                )
            else:
                self._one(entry[keys[0]], names[keys[0]], (*where, keys[0]), level)

    def _missing(self, node: Any, kind: Type, path: Path, given: frozenset[str]) -> None:
        replaced: set[str | None] = {field.stands_for for key, field in kind.references.items() if key in node}
        if None in replaced:  # a reference to the whole of it
            return
        kept = node.get(EXTRA)
        for field in kind.fields:
            if not field.required or field.key in node or field.key in replaced or field.key in given:
                continue
            if field.sequence is not None or (isinstance(kept, str) and _local(field.xml) in kept):
                continue  # what is there, but not as the tables have it, has been named already
            self._findings.add((*path, field.key), f"missing{_in_xml(field, self._findings)}", place=path)

    def _extra(self, value: Any, node: Any, kind: Type, tag: str, path: Path) -> None:
        findings = self._findings
        where = (*path, EXTRA)
        if value.__class__ is not str:
            findings.add(where, f"expected XML text, found {kind_of(value)}")
            return
        problem = not_xml(value, where)
        if problem is not None:
            findings.add(where, *problem, at_value=True)
            return
        element = fragment(value, where)
        if not isinstance(element.tag, str) or _local(element.tag) != _local(tag):
            found = _local(element.tag) if isinstance(element.tag, str) else "!--"
            findings.add(
                where, f"expected <{_local(tag)}>, found <{printable(found)}>",
                f"{EXTRA} is the element itself, reduced to what the tables do not know", at_value=True,
            )  # fmt: skip
        elif findings.xml:
            _strange(element, kind, path, findings)
        else:
            self._known_in_extra(element, node, kind, path)

    def _known_in_extra(self, element: etree._Element, node: Any, kind: Type, path: Path) -> None:
        """Name what stands in extraXML although a typed key can say it."""
        try:
            typed = decode(element, kind)
        except (InputError, RecursionError):
            return
        for key in typed:
            if key == EXTRA:
                continue
            if key in node:
                self._findings.add(
                    (*path, EXTRA), f"holds {key} too, which has a key of its own beside it", "write it once"
                )
            else:
                hint = "write it there, where it is checked"
                self._findings.add((*path, EXTRA), f"holds what the key {key} is for", hint, severity="warning")


def _strange(element: etree._Element, kind: Type, path: Path, findings: Findings) -> None:
    """Name all that *element*, read from XML and reduced to what the tables do not know, holds."""
    tag = _local(str(element.tag))
    attributes = [name for name in kind.attributes if name[0] != "{"]
    for name in element.attrib:
        nearest = findings.nearest(_local(str(name)), attributes)
        findings.add(path, f"unknown attribute {printable(_local(str(name)))} of <{tag}>", nearest)
    if any(text and text.strip(XML_SPACE) for text in (element.text, *(child.tail for child in element))):
        findings.add(path, f"text in <{tag}>, where none is allowed")
        return
    children = [(child, child.tag) for child in element if isinstance(child.tag, str)]
    counts: dict[str, int] = {}
    for _, name in children:
        counts[name] = counts.get(name, 0) + 1
    seen: dict[str, int] = {}
    names = [_local(name) for name in kind.elements]
    for child, qualified in children:
        index = seen[qualified] = seen.get(qualified, -1) + 1
        place = (*path, child_step(qualified), index)
        name = printable(_local(qualified))
        field = kind.elements.get(qualified)
        if field is None:
            nearest = findings.nearest(name, names, "<{}>")
            findings.add(path, f"unknown element <{name}> in <{tag}>", nearest, place=place)
        elif not field.many and counts[qualified] > 1:
            if index:
                findings.add(path, f"<{name}> is in <{tag}> a second time; one is allowed", place=place)
        else:
            findings.add((*path, field.key), _unfitting(child, field), place=place)


def _unfitting(child: etree._Element, field: Field) -> str:
    """Return why the element *child* is not what its field can hold."""
    name = _local(str(child.tag))
    inner = next((each for each in child if isinstance(each.tag, str)), None)
    if field.value != "xml" and inner is not None:
        return f"unknown element <{printable(_local(str(inner.tag)))}> in <{name}>"
    known = {"unit", *field.beside} if field.value == "size" else set()
    attribute = next((str(each) for each in child.attrib if each not in known), None)
    if attribute is not None:
        return f"unknown attribute {printable(_local(attribute))} of <{name}>"
    return f"the unit of <{name}> cannot be read"


def child_step(tag: str) -> str:
    """Return the step of a place that leads to the children *tag* of an element, known to the tables or not."""
    return f"<{tag}>"


def _in_xml(field: Field, findings: Findings) -> str:
    if not findings.xml or field.where == REFERENCE:
        return ""
    return {"attribute": f" (attribute {_local(field.xml)})", "element": f" (element <{_local(field.xml)}>)"}.get(
        field.where, " (text)"
    )


def _local(name: str) -> str:
    return name.rpartition("}")[2].rpartition(":")[2]
