"""libvirt's XML elements to plain dicts.

Nothing is lost: what the table of an element does not know (attributes, children, text, a second child where one is
allowed, a leaf with attributes) stays, as the element itself reduced to that, under ``extraXML`` at its place. All
siblings of one name are kept together there, so that their order among each other stays.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from lxml import etree

from analyser.codec.prefixes import distinct
from analyser.codec.scalars import DECODERS
from analyser.model import Comment, Node
from analyser.sizes import quantity
from analyser.xmlreader import XML_SPACE, is_comment
from schemas.table import EXTRA, Field, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LEAF, _MAP, _SIZE, _XML = range(4)


class _Plan:
    """What decoding needs of a type, looked up once: tag -> what to do."""

    __slots__ = ("attributes", "elements", "sized", "text")

    def __init__(self, kind: Type) -> None:
        self.sized = {f.xml: f for f in kind.attributes.values() if f.value == "size"}
        self.attributes = {
            name: (field.key, DECODERS.get(field.value))
            for name, field in kind.attributes.items()
            if field.value != "size"
        }
        text = kind.text
        self.text = None if text is None else (text.key, DECODERS.get(text.value))
        self.elements = {tag: _Child(field) for tag, field in kind.elements.items()}


class _Child:
    """What decoding needs of a child element."""

    __slots__ = ("_plan", "convert", "field", "key", "many", "sequence", "what")

    def __init__(self, field: Field) -> None:
        self.field = field
        self.key = field.key
        self.many = field.many
        self.sequence = field.sequence
        self.convert: Mapping[str, Any] | None = DECODERS.get(field.value)
        self.what = {"map": _MAP, "size": _SIZE, "xml": _XML}.get(field.value, _LEAF)
        self._plan: _Plan | None = None

    def plan(self) -> _Plan:
        if self._plan is None:
            self._plan = plan_of(self.field.type)
        return self._plan


_plans: dict[str, _Plan] = {}


def plan_of(kind: Type) -> _Plan:
    """Return the decoding plan of *kind*, made when first asked for."""
    plan = _plans.get(kind.name)
    if plan is None:
        plan = _plans[kind.name] = _Plan(kind)
    return plan


def decode(element: etree._Element, kind: Type, *, comments: bool = False) -> Node:
    """Return *element*, of type *kind*, as a dict in the order of the document.

    The tree must have been parsed by ``analyser.xmlreader``: no entities, no ignorable white space.
    """
    return _decode(element, plan_of(kind), comments)


def _decode(element: etree._Element, plan: _Plan, comments: bool) -> Node:
    out: Node = {}
    strange: set[Any] = set()  # names of attributes ("@name") and tags that the table cannot express
    place = -1
    attributes = plan.attributes
    for name, value in element.items():
        bound = attributes.get(name)
        if bound is None:
            if plan.sized and _sized(element, plan, name, value, out):
                continue
            strange.add("@" + name)
            continue
        convert = bound[1]
        out[bound[0]] = value if convert is None else convert[value]
    text = element.text
    children: Iterable[etree._Element] = element
    if plan.text is not None and len(element) and all(map(is_comment, element)):
        children = ()
        text = _around_comments(element)
        if comments:
            out.update((Comment(child.text or ""), None) for child in element)
    if text is not None:
        if plan.text is not None and (children == () or not len(element)):
            if text.strip(XML_SPACE) or "\n" not in text:
                convert = plan.text[1]
                out[plan.text[0]] = text if convert is None else convert[text]
        elif text.strip(XML_SPACE):
            return _mixed(element, plan, out, strange)
    elements = plan.elements
    for child in children:
        tag: Any = child.tag
        bound_child = elements.get(tag)
        tail = child.tail
        if tail is not None and tail.strip(XML_SPACE):
            return _mixed(element, plan, out, strange)
        if bound_child is None:
            if tag is etree.Comment:
                if comments:
                    out[Comment(child.text or "")] = None
            elif isinstance(tag, str):
                strange.add(tag)
                place = len(out) if place < 0 else place
            continue
        what = bound_child.what
        value_of: Any
        if what == _MAP:
            value_of = _decode(child, bound_child._plan or bound_child.plan(), comments)  # noqa: SLF001
        elif what == _LEAF:
            if len(child) or child.keys():
                if _only_comments(child):
                    if comments:
                        out.update((Comment(c.text or ""), None) for c in child)
                    leaf = _around_comments(child)
                else:
                    strange.add(tag)
                    place = len(out) if place < 0 else place
                    continue
            else:
                leaf = child.text or ""
            convert = bound_child.convert
            value_of = leaf if convert is None else convert[leaf]
        elif what == _SIZE:
            size = _size(child, bound_child.field)
            if size is None or bound_child.key in out:
                strange.add(tag)
                place = len(out) if place < 0 else place
            else:
                out.update(size)
            continue
        else:
            # Namespaces of its own, or of its ancestors', have no place in what stands inside it.
            if child.keys() or (child.nsmap and deepcopy(child).nsmap):
                strange.add(tag)
                place = len(out) if place < 0 else place
                continue
            value_of = inner_xml(child)
        key = bound_child.key
        if bound_child.many:
            if bound_child.sequence is not None:
                value_of = {key: value_of}
                key = bound_child.sequence
            entries = out.get(key)
            if entries is None:
                out[key] = [value_of]
            else:
                entries.append(value_of)
        elif key in out:
            strange.add(tag)
            place = len(out) if place < 0 else place
        else:
            out[key] = value_of
    if strange:
        return _with_extra(element, plan, out, strange, place)
    return out


def _only_comments(leaf: etree._Element) -> bool:
    return not leaf.keys() and all(map(is_comment, leaf))


def _around_comments(element: etree._Element) -> str:
    return "".join([element.text or "", *(comment.tail or "" for comment in element)])


def _sized(element: etree._Element, plan: _Plan, name: str, value: str, out: Node) -> bool:
    """Decode attribute *name* if it is a size or the unit of one; say whether it was."""
    size = next(iter(plan.sized.values()))
    if size.xml not in element.attrib:
        return False
    unit = element.get("unit")
    if not _plain_unit(unit, size.unit):
        if name == size.xml:
            out[size.key] = quantity(value, None, size.unit)
            return True
        return False
    if name == size.xml:
        out[size.key] = quantity(value, unit, size.unit)
    return name in (size.xml, "unit")


def _plain_unit(unit: str | None, printed: str) -> bool:
    return unit is None or (" " not in unit and unit != f"({printed})")


def _size(child: etree._Element, field: Field) -> Node | None:
    """Return the keys of a size element, or None where its scalar cannot hold it."""
    unit = child.get("unit")
    if len(child) or not _plain_unit(unit, field.unit):
        return None
    out: Node = {field.key: quantity(child.text or "", unit, field.unit)}
    for name, value in child.items():
        if name == "unit":
            continue
        beside = field.beside.get(name)
        if beside is None:
            return None
        convert = DECODERS.get(beside.value)
        out[beside.key] = value if convert is None else convert[value]
    return out


def _mixed(element: etree._Element, plan: _Plan, out: Node, strange: set[Any]) -> Node:
    """Return an element whose text stands where the table allows none: its whole content is kept as XML."""
    attributes = {bound[0] for bound in plan.attributes.values()} | {f.key for f in plan.sized.values()}
    kept = {key: value for key, value in out.items() if key in attributes}
    rest = etree.Element(element.tag, nsmap=element.nsmap)
    for name, value in element.items():
        if "@" + name in strange:
            rest.set(name, value)
    rest.text = element.text
    for child in element:
        rest.append(distinct(deepcopy(child), rest))
        rest[-1].tail = child.tail
    kept[EXTRA] = _serialise(rest)
    return kept


def _with_extra(element: etree._Element, plan: _Plan, out: Node, strange: set[Any], place: int) -> Node:
    """Return *out* with what is *strange* about *element* under ``extraXML``, where the first of it stood."""
    rest = etree.Element(element.tag, nsmap=element.nsmap)
    for name, value in element.items():
        if "@" + name in strange:
            rest.set(name, value)
    for child in element:
        if child.tag in strange:
            rest.append(distinct(deepcopy(child), rest))
            rest[-1].tail = None
    removed = set()
    for tag in strange:
        bound = plan.elements.get(tag)
        if bound is None:
            continue
        if bound.sequence is not None:
            entries = [entry for entry in out.get(bound.sequence, []) if bound.key not in entry]
            out[bound.sequence] = entries
            if not entries:
                removed.add(bound.sequence)
        else:
            removed.add(bound.key)
            removed.update(beside.key for beside in bound.field.beside.values())
    if place < 0:
        place = sum(
            1 for key in out if key.__class__ is not Comment and key in {b[0] for b in plan.attributes.values()}
        )
    result: Node = {}
    for position, (key, value) in enumerate(out.items()):
        if position == place:
            result[EXTRA] = _serialise(rest)
        if key not in removed:
            result[key] = value
    if EXTRA not in result:
        result[EXTRA] = _serialise(rest)
    return result


def _serialise(element: etree._Element) -> str:
    etree.cleanup_namespaces(element)
    return etree.tostring(element, encoding="unicode", pretty_print=True).rstrip("\n")


def inner_xml(element: etree._Element) -> str:
    """Return what stands inside *element* as XML text, printed the way libvirt prints it; as it stands beside text."""
    mixed = any(text and text.strip(XML_SPACE) for text in (element.text, *(child.tail for child in element)))
    parts = [_escape_text(element.text or "")] if mixed else []
    inherited = element.nsmap
    for child in element:
        tail = child.tail
        if inherited and isinstance(child.tag, str):
            child = deepcopy(child)  # noqa: PLW2901  (a copy declares what it uses of its ancestors' namespaces, no more)
        text = etree.tostring(child, encoding="unicode", pretty_print=not mixed, with_tail=False)
        parts.append(text + _escape_text(tail or "") if mixed else text.rstrip("\n"))
    return ("" if mixed else "\n").join(parts)


def _escape_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
