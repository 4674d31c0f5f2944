"""Plain dicts to libvirt's XML, printed as libvirt prints: two spaces a level, single quotes, attributes first."""

from __future__ import annotations

import difflib
import re
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from lxml import etree

from analyser import sizes
from analyser.codec.prefixes import distinct
from analyser.codec.scalars import BOOLEANS
from analyser.model import Comment, Node
from analyser.xmlreader import FRAGMENTS, MAX_DEPTH, XML_SPACE
from schemas.errors import InputError
from schemas.table import ATTRIBUTE, ELEMENT, EXTRA, REFERENCE, Field, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\r": "&#13;"}
_IN_ATTRIBUTE = {**_ESCAPES, "\n": "&#10;", "\t": "&#9;"}
_SPECIAL = re.compile(r"[&<>'\"\r\n\t]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNUSUAL = re.compile("[&<>'\"\r\n\t]|[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DASHES = re.compile("-(?=-)")

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"

Path: TypeAlias = tuple[str | int, ...]


def path_text(path: Path) -> str:
    """Return *path* as people write it: ``spec.domain.devices.disks[0].target``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def encode(
    node: Node, kind: Type, tag: str, namespaces: Mapping[str, str], *, path: Path = (), libvirt_order: bool = False
) -> str:
    """Return *node*, an element *tag* of type *kind*, as XML text that ends with a newline.

    Keys are written in their own order, attributes first; with *libvirt_order* in the order that libvirt prints.
    Raises InputError, with the key path below *path*, for what libvirt's XML cannot say.
    """
    encoder = _Encoder(namespaces, libvirt_order=libvirt_order)
    encoder.element(node, kind, tag, path, 0)
    if encoder.used:
        declared = "".join(f" xmlns:{namespaces[uri]}='{uri}'" for uri in encoder.used)
        head = encoder.out[0]
        end = -3 if head.endswith("/>\n") else head.index(">") - len(head)
        encoder.out[0] = head[:end] + declared + head[end:]
    return "".join(encoder.out)


class _Encoder:
    """Writes one document."""

    def __init__(self, namespaces: Mapping[str, str], *, libvirt_order: bool) -> None:
        self._namespaces = namespaces
        self._libvirt_order = libvirt_order
        self._tags: dict[str, str] = {}
        self.out: list[str] = []
        self.used: dict[str, None] = {}

    def _tag(self, name: str) -> str:
        if name[0] != "{":
            return name
        namespace, _, local = name[1:].partition("}")
        self.used[namespace] = None
        return f"{self._namespaces[namespace]}:{local}"

    def element(self, node: Any, kind: Type, tag: str, path: Path, level: int, *, pair: bool = False) -> None:
        if node.__class__ is not dict:
            raise InputError(f"expected a map, found {describe(node)}", path=path_text(path))
        if level > MAX_DEPTH:
            raise InputError(f"elements are nested more than {MAX_DEPTH} levels deep", path=path_text(path[:12]))
        by_key = kind.by_key
        head = "  " * level + "<" + tag
        children: list[tuple[Field | None, str, Any]] = []
        text: str | None = None
        extra: etree._Element | None = None
        items: Iterable[tuple[Any, Any]] = node.items()
        if self._libvirt_order:
            items = sorted(items, key=lambda item: _place(item[0], kind))
        for key, value in items:
            field = by_key.get(key)
            if field is None:
                if key.__class__ is Comment:
                    children.append((None, "#", key.text))
                elif key == EXTRA:
                    extra = fragment(value, (*path, key))
                    if _local(extra.tag) != _local(tag.rpartition(":")[2]):
                        raise InputError(
                            f"expected <{tag}>, found <{_local(extra.tag)}>",
                            path=path_text((*path, key)),
                            hint=f"{EXTRA} is the element itself, reduced to what the tables do not know",
                        )
                    if len(extra) or _has_text(extra):
                        children.append((None, EXTRA, extra))
                elif key in kind.sequences:
                    children.append((None, key, value))
                else:
                    raise unknown_key(key, kind, path)
                continue
            where = field.where
            if where is ELEMENT:
                children.append((field, key, value))
            elif where is ATTRIBUTE:
                if field.owner is not None:
                    if field.owner.key not in node:
                        raise InputError(f"{key} needs {field.owner.key} beside it", path=path_text((*path, key)))
                elif field.value == "size":
                    head += self._size_attributes(value, field, (*path, key))
                else:
                    plain = value if value.__class__ is str else scalar(value, field, (*path, key))
                    if _UNUSUAL.search(plain):
                        plain = escape(plain, (*path, key), attribute=True)
                    head += f" {field.xml}='{plain}'"
            elif where is not REFERENCE:
                text = escape(scalar(value, field, (*path, key)), (*path, key))
        out = self.out
        if extra is not None and _has_text(extra):
            if any(name != EXTRA for _, name, _ in children):
                raise InputError(
                    "text stands among elements, so no key may stand beside it",
                    path=path_text((*path, EXTRA)),
                    hint=f"move the elements into {EXTRA}, or remove its text",
                )
            indent = "  " * level
            out.append(indent + self._mixed(extra, tag, head.removeprefix(f"{indent}<{tag}"), path))
            return
        if extra is not None:
            head += self._strange_attributes(extra)
        if not children:
            if pair:
                out.append(f"{head}>\n{'  ' * level}</{tag}>\n")
            else:
                out.append(f"{head}>{text}</{tag}>\n" if text else f"{head}/>\n")
            return
        if text and all(name == "#" for _, name, _ in children):
            # White space counts in text: comments stay on its line.
            comments = "".join(comment(value) for _, _, value in children)
            out.append(f"{head}>{text}{comments}</{tag}>\n")
            return
        start = len(out)
        out.append(f"{head}>\n")
        if text:
            out.append(f"{'  ' * (level + 1)}{text}\n")
        for field, key, value in children:
            if field is None:
                self._irregular(key, value, kind, path, level + 1)
            elif field.many:
                if value.__class__ is not list:
                    raise InputError(f"expected a list, found {describe(value)}", path=path_text((*path, key)))
                for index, entry in enumerate(value):
                    if entry.__class__ is Comment:
                        self._comment(entry.text, level + 1)
                    else:
                        self._child(field, entry, (*path, key, index), level + 1, node)
            else:
                self._child(field, value, (*path, key), level + 1, node)
        if len(out) == start + 1:
            out[start] = f"{head}/>\n"
        else:
            out.append(f"{'  ' * level}</{tag}>\n")

    def _child(self, field: Field, value: Any, path: Path, level: int, parent: Node) -> None:
        tag = self._tag(field.xml)
        kind = field.value
        if kind == "map":
            self.element(value, field.type, tag, path, level, pair=field.pair)
            return
        if kind == "size":
            self._size_element(value, field, tag, path, level, parent)
            return
        if kind == "xml":
            self._foreign(value, tag, path, level)
            return
        if value.__class__ is not str:
            value = scalar(value, field, path)
        if _UNUSUAL.search(value):
            value = escape(value, path)
        self.out.append(f"{'  ' * level}<{tag}>{value}</{tag}>\n" if value else f"{'  ' * level}<{tag}/>\n")

    def _irregular(self, key: str, value: Any, kind: Type, path: Path, level: int) -> None:
        """Write what is no field of its own: a comment, a sequence, or the children that the table does not know."""
        if key == "#":
            self._comment(value, level)
        elif key == EXTRA:
            for child in value:
                self.out.append(_indented(child, level))
        else:
            if value.__class__ is not list:
                raise InputError(f"expected a list, found {describe(value)}", path=path_text((*path, key)))
            names = kind.sequences[key]
            for index, entry in enumerate(value):
                where = (*path, key, index)
                if entry.__class__ is Comment:
                    self._comment(entry.text, level)
                    continue
                named = [name for name in entry if name.__class__ is str] if entry.__class__ is dict else []
                if len(named) != 1 or named[0] not in names:
                    raise InputError(f"expected a map with one key, one of {', '.join(names)}", path=path_text(where))
                for name, content in entry.items():
                    if name.__class__ is Comment:
                        self._comment(name.text, level)
                    else:
                        self._child(names[name], content, (*where, name), level, entry)

    def _comment(self, text: str, level: int) -> None:
        self.out.append(f"{'  ' * level}{comment(text)}\n")

    def _size_attributes(self, value: Any, field: Field, path: Path) -> str:
        number, unit = _parse_size(value, field, path)
        text = f" {field.xml}='{escape(number, path, attribute=True)}'"
        return text if unit is None else f"{text} unit='{escape(unit, path, attribute=True)}'"

    def _size_element(self, value: Any, field: Field, tag: str, path: Path, level: int, parent: Node) -> None:
        number, unit = _parse_size(value, field, path)
        head = f"{'  ' * level}<{tag}"
        for name, beside in field.beside.items():
            if beside.key in parent:
                where = (*path[:-1], beside.key)
                head += f" {name}='{escape(scalar(parent[beside.key], beside, where), where, attribute=True)}'"
        if unit is not None:
            head += f" unit='{escape(unit, path, attribute=True)}'"
        self.out.append(f"{head}>{escape(number, path)}</{tag}>\n" if number else f"{head}/>\n")

    def _foreign(self, value: Any, tag: str, path: Path, level: int) -> None:
        if value.__class__ is not str:
            raise InputError(f"expected XML text, found {describe(value)}", path=path_text(path))
        if not value:
            self.out.append(f"{'  ' * level}<{tag}/>\n")
            return
        content = _parse_fragment(f"<content>{value}</content>", path)
        self.out.append(f"{'  ' * level}<{tag}>")
        if _has_text(content):
            inner = etree.tostring(content, encoding="unicode")
            self.out.append(f"{inner[len('<content>') : -len('</content>')]}</{tag}>\n")
            return
        self.out.append("\n")
        for child in content:
            self.out.append(_indented(child, level + 1))
        self.out.append(f"{'  ' * level}</{tag}>\n")

    def _strange_attributes(self, extra: etree._Element) -> str:
        """Return the attributes of *extra*, with the namespaces that they need."""
        text = ""
        declared: dict[str, str] = {}
        for name, value in extra.items():
            if name[0] == "{":
                uri, _, local = name[1:].partition("}")
                if uri == XML_NAMESPACE:
                    prefix = "xml"
                elif uri in self._namespaces:
                    self.used[uri] = None
                    prefix = self._namespaces[uri]
                else:
                    prefix = declared.get(uri) or self._free_prefix(extra, uri, declared)
                    if uri not in declared:
                        declared[uri] = prefix
                        text += f" xmlns:{prefix}='{escape(uri, (), attribute=True)}'"
                name = f"{prefix}:{local}"  # noqa: PLW2901
            text += f" {name}='{escape(value, (), attribute=True)}'"
        return text

    def _free_prefix(self, extra: etree._Element, uri: str, declared: Mapping[str, str]) -> str:
        """Return the prefix that *uri* has in *extra*, or another one where that means something else here."""
        wanted = next(prefix for prefix, each in extra.nsmap.items() if each == uri and prefix is not None)
        taken = {*self._namespaces.values(), *declared.values()}
        return wanted if wanted not in taken else next(f"{wanted}{n}" for n in count(1) if f"{wanted}{n}" not in taken)

    def _mixed(self, extra: etree._Element, tag: str, attributes: str, path: Path) -> str:
        """Return an element with text among its elements, as it stands: white space and prefixes count there."""
        uris = {prefix: uri for uri, prefix in self._namespaces.items()}
        namespace = etree.QName(extra).namespace
        if namespace != uris.get(tag.rpartition(":")[0]):
            raise InputError(
                f"expected <{tag}>, found one of namespace {namespace or 'none'}", path=path_text((*path, EXTRA))
            )
        name = f"{extra.prefix}:{_local(extra.tag)}" if extra.prefix else _local(extra.tag)
        for prefix, uri in extra.nsmap.items():
            attributes += f" xmlns{f':{prefix}' if prefix else ''}='{escape(uri, (), attribute=True)}'"
        prefixes = {uri: prefix for prefix, uri in extra.nsmap.items() if prefix} | {XML_NAMESPACE: "xml"}
        for key, value in extra.items():
            uri, _, local = key[1:].partition("}") if key[0] == "{" else ("", "", key)
            attributes += f" {f'{prefixes[uri]}:{local}' if uri else local}='{escape(value, (), attribute=True)}'"
        whole = etree.tostring(extra, encoding="unicode", with_tail=False)
        return f"<{name}{attributes}>{whole[whole.index('>') + 1 : whole.rindex('<')]}</{name}>\n"


def comment(text: str) -> str:
    """Return *text* as an XML comment; two dashes in a row, which would end it, are set apart."""
    return f"<!--{_DASHES.sub('- ', text)}{' ' if text.endswith('-') else ''}-->"


def _place(key: Any, kind: Type) -> int:
    field = kind.by_key.get(key)
    if field is not None:
        return field.order
    if key in kind.sequences:
        return next(iter(kind.sequences[key].values())).order
    return len(kind.fields)


def _has_text(element: etree._Element) -> bool:
    return any(text and text.strip(XML_SPACE) for text in (element.text, *(child.tail for child in element)))


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def _indented(element: etree._Element, level: int) -> str:
    """Return *element* as libvirt prints foreign content at *level*: libxml2's own indentation."""
    element = distinct(element)
    for _ in range(level):
        outer = etree.Element("x")
        outer.append(element)
        element = outer
    lines = etree.tostring(element, encoding="unicode", pretty_print=True)
    if not level:
        return lines
    head = sum(2 * depth + len("<x>\n") for depth in range(level))
    tail = sum(2 * depth + len("</x>\n") for depth in range(level))
    return lines[head : len(lines) - tail]


def fragment(value: Any, path: Path) -> etree._Element:
    """Return the one element that *value* is as XML text."""
    if value.__class__ is not str:
        raise InputError(f"expected XML text, found {describe(value)}", path=path_text(path))
    return _parse_fragment(value, path)


def _parse_fragment(text: str, path: Path) -> etree._Element:
    if "<!DOCTYPE" in text:
        raise InputError("a DOCTYPE is not allowed here", path=path_text(path))
    try:
        parsed: etree._Element = etree.fromstring(text, FRAGMENTS)
    except (etree.XMLSyntaxError, ValueError) as error:
        message = str(error).partition(", line ")[0]
        raise InputError(f"not well-formed XML: {message}", path=path_text(path)) from None
    return parsed


def _parse_size(value: Any, field: Field, path: Path) -> tuple[str, str | None]:
    if value.__class__ is int:
        value = str(value)
    if value.__class__ is not str:
        raise InputError(f"expected a size such as 4Gi, found {describe(value)}", path=path_text(path))
    try:
        return sizes.parse(value, field.unit)
    except ValueError as error:
        raise InputError(str(error), path=path_text(path)) from None


def scalar(value: Any, field: Field, path: Path) -> str:
    """Return the XML text of a scalar; raises InputError where *field* cannot hold *value*."""
    kind = value.__class__
    if kind is str:
        return str(value)
    if kind is bool:
        words = BOOLEANS.get(field.value)
        if words is None:
            expected = (
                f"one of {', '.join(field.enum)}"
                if field.enum
                else f"{'an' if field.value == 'integer' else 'a'} {field.value}"
            )
            raise InputError(
                f"expected {expected}, found {describe(value)}",
                path=path_text(path),
                hint='quote the value: "yes", "no", "on" and "off" are booleans in YAML',
            )
        return words[value]
    if kind is int:
        return str(value)
    raise InputError(f"expected a scalar, found {describe(value)}", path=path_text(path))


def escape(text: str, path: Path, *, attribute: bool = False) -> str:
    """Return *text* as libvirt escapes it; raises InputError for characters that XML cannot hold."""
    if _FORBIDDEN.search(text):
        raise InputError("holds a character that XML cannot", path=path_text(path))
    table = _IN_ATTRIBUTE if attribute else _ESCAPES
    return _SPECIAL.sub(lambda match: table.get(match[0], match[0]), text)


def describe(value: Any) -> str:
    """Return what *value* is, in a reader's words."""
    names = {dict: "a map", list: "a list", str: "text", int: "a number", bool: "a boolean", type(None): "nothing"}
    name = names.get(value.__class__, value.__class__.__name__)
    return (
        f"{name} ({str(value).lower() if value.__class__ is bool else value})"
        if value.__class__ in (int, bool)
        else name
    )


def unknown_key(key: Any, kind: Type, path: Path) -> InputError:
    """Return the error for a key that *kind* does not have, with the nearest one that it has."""
    known = [*kind.by_key, *kind.sequences]
    near = difflib.get_close_matches(str(key), known, n=1)
    hint = f"did you mean {near[0]}?" if near else (f"known here: {', '.join(sorted(known)[:12])}" if known else None)
    return InputError("unknown key", path=path_text((*path, str(key))), hint=hint)
