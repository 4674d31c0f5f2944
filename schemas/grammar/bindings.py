"""From element types to the binding tables: keys, scalar types, lists, sizes, in plain JSON that reads well in a diff.

The tables are the one source of the codec, the CRDs, ``virtctl explain`` and ``virtctl validate``. ``schemas.table``
says what each entry means.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from schemas.errors import InputError, KubevmmError
from schemas.grammar import additions
from schemas.grammar.names import camel_case, plural, split_namespace
from schemas.grammar.relaxng import Data, Grammar
from schemas.grammar.types import MANY, ElementType, Occurrence, TypeBuilder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from schemas.grammar.overrides import Overrides

INTEGERS = {
    "int", "integer", "long", "short", "positiveInteger", "nonNegativeInteger",
    "unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte",
}  # fmt: skip
EMPTY = "empty"
"""The type of elements that only say that something is there, such as ``<acpi/>``."""


_DIGITS = re.compile(r"(\(-\|\\?\+\)\?|-)?(\[0-9\](\+|\{[0-9,]+\})|[0-9]+)")
"""A pattern that only numbers match, such as ``[0-9]{1,2}``."""


def _kind(data: Data) -> str:
    return "integer" if data.kind == "string" and _DIGITS.fullmatch(data.pattern) else data.kind


def _expression(data: Data) -> str:
    """Return the regular expression of what *data*, which is no integer, allows."""
    if data.kind == "value":
        return re.escape(data.literal)
    # To XML Schema, $ and ^ (outside brackets) are characters like others.
    return re.sub(r"\$", r"\\$", data.pattern) if data.kind == "string" and data.pattern else ".*"


def scalar(data: set[Data], overrides: Overrides) -> dict[str, Any]:
    """Return the scalar type of what *data* allows: ``value``, and ``enum`` where only literals are allowed.

    ``also`` is what else an integer may be (a word, hexadecimal, a variable): regular expressions, for checks alone.
    """
    kinds = {_kind(d) for d in data}
    if kinds & INTEGERS and not any(d.define in overrides["strings"] for d in data):
        also = sorted({_expression(d) for d in data if _kind(d) not in INTEGERS})
        return {"value": "integer", **({"also": also} if also else {})}
    if kinds == {"value"}:
        literals = sorted({d.literal for d in data})
        if literals == ["no", "yes"]:
            return {"value": "yesno"}
        if literals == ["off", "on"]:
            return {"value": "onoff"}
        if all(literals):
            return {"value": "enum", "enum": literals}
    return {"value": "string"}


class Bindings:
    """Turns element types into table entries."""

    def __init__(self, overrides: Overrides) -> None:
        self._overrides = overrides
        self._names: dict[int, str] = {}
        self._types: dict[str, list[dict[str, Any]]] = {}

    def write(self, roots: dict[str, ElementType]) -> dict[str, Any]:
        """Return the tables of *roots*."""
        entries: dict[str, Any] = {}
        for name in self._overrides["roots"]:
            if name not in roots:
                continue
            entry = dict(self._overrides["roots"][name])
            entries[name] = {**entry, "type": self._type(roots[name])}
        return {"namespaces": self._overrides["namespaces"], "roots": entries, "types": self._types}

    def _type(self, element_type: ElementType) -> str:
        if id(element_type) not in self._names:
            empty = not (element_type.attributes or element_type.children or element_type.text or element_type.foreign)
            name = EMPTY if empty else "/".join(self._prefixed(step) for step in element_type.path)
            if name in self._types:
                raise KubevmmError(f"two types at {name}")
            self._names[id(element_type)] = name
            self._types[name] = []
            self._types[name] = self._fields(element_type)
        return self._names[id(element_type)]

    def _prefixed(self, name: str) -> str:
        namespace, local = split_namespace(name)
        return f"{self._overrides['namespaces'][namespace]}:{local}" if namespace else local

    def _key(self, name: str, path: tuple[str, ...], *, many: bool) -> str:
        override = self._overrides.find(self._overrides["keys"], (*path, name))
        if override is not None:
            return str(override)
        namespace, local = split_namespace(name)
        key = camel_case(local)
        if namespace and split_namespace(path[-1])[0] != namespace:
            prefix = self._overrides["namespaces"].get(namespace)
            if prefix is None:
                raise KubevmmError(f"namespace without a prefix: {namespace}", hint="add it to schemas/overrides.yaml")
            key = prefix + key[0].upper() + key[1:]
        if many:
            section = self._overrides["plurals"]
            key = self._overrides.find(section, (*path, local), self._overrides.find(section, (local,), plural(key)))
        return str(key)

    def _fields(self, element_type: ElementType) -> list[dict[str, Any]]:
        path = element_type.path
        fields: list[dict[str, Any]] = []
        sizes = self._overrides["sizes"]["attributes"]
        attributes = dict(element_type.attributes)
        for name, occurrence in element_type.attributes.items():
            unit = self._overrides.find(sizes, (*path, "@" + name))
            if unit is not None and "unit" in attributes:
                fields.append(
                    {"attribute": name, "key": camel_case(name), "value": "size", "unit": unit, **_required(occurrence)}
                )
                del attributes["unit"], attributes[name]
            elif name in attributes:
                key = str(self._overrides.find(self._overrides["keys"], (*path, "@" + name), camel_case(name)))
                kind = scalar(occurrence.data, self._overrides)
                fields.append({"attribute": name, "key": key, **kind, **_required(occurrence)})
        fields = [f for f in fields if f["value"] == "size" or f["attribute"] in attributes]
        if element_type.text is not None:
            kind = scalar(element_type.text.data, self._overrides)
            fields.append({"text": True, "key": "value", **kind, **_required(element_type.text)})
        for name, (occurrence, child) in element_type.children.items():
            fields.append(self._child(path, name, occurrence, child))
        fields = _ordered(
            fields, self._overrides.order.get("/".join(self._prefixed(step) for step in path), []), self._prefixed
        )
        keys: dict[str, str] = {}
        sequence = self._overrides["sequences"].get(path[-1]) if len(path) == 1 else None
        for entry in fields:
            if sequence and entry.get("element") in sequence["elements"]:
                entry["key"] = camel_case(entry["element"])
                entry["sequence"] = sequence["key"]
            for key in [entry["key"], *(a["key"] for a in entry.get("attributes", {}).values())]:
                what = "@" + entry["attribute"] if "attribute" in entry else entry.get("element", "text")
                if key in keys:
                    raise KubevmmError(
                        f"{'/'.join(path)}: {keys[key]} and {what} would both be {key}",
                        hint="name one of them in schemas/overrides.yaml, under keys",
                    )
                keys[key] = what
        return fields

    def _child(self, path: tuple[str, ...], name: str, occurrence: Occurrence, child: ElementType) -> dict[str, Any]:
        many = occurrence.most == MANY
        entry: dict[str, Any] = {"element": name, "key": self._key(name, path, many=many)}
        if many:
            entry["list"] = True
        if self._overrides.find(self._overrides["pairs"], (*path, name)):
            entry["pair"] = True
        if child.foreign and not child.children:
            entry["value"] = "xml"
        elif (
            child.text
            and not child.children
            and not many
            and "unit" in child.attributes
            and (unit := self._size(path, name))
        ):
            entry |= {"value": "size", "unit": unit}
            beside = {a: o for a, o in child.attributes.items() if a != "unit"}
            if beside:
                entry["attributes"] = {
                    a: {
                        "key": entry["key"] + camel_case(a)[0].upper() + camel_case(a)[1:],
                        **scalar(o.data, self._overrides),
                    }
                    for a, o in beside.items()
                }
        elif child.text and not child.attributes and not child.children:
            entry |= scalar(child.text.data, self._overrides)
        else:
            entry["type"] = self._type(child)
        return {**entry, **_required(occurrence)}

    def _size(self, path: tuple[str, ...], name: str) -> str | None:
        unit = self._overrides.find(self._overrides["sizes"]["elements"], (*path, name))
        return None if unit is None else str(unit)


def _ordered(fields: list[dict[str, Any]], listed: list[str], prefixed: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return *fields* in the order *listed*; what is not listed stays behind its neighbour."""

    def name(field: dict[str, Any]) -> str:
        return "@" + field["attribute"] if "attribute" in field else prefixed(field.get("element", "#text"))

    rank = {name: position for position, name in enumerate(listed)}
    result = sorted((field for field in fields if name(field) in rank), key=lambda field: rank[name(field)])
    previous = -1
    for field in fields:
        if name(field) in rank:
            previous = result.index(field)
        else:
            previous += 1
            result.insert(previous, field)
    return [f for kind in ("attribute", "text", "element") for f in result if kind in f]


def _required(occurrence: Occurrence) -> dict[str, Any]:
    return {"required": True} if occurrence.least else {}


def generate(folder: Path, overrides: Overrides) -> dict[str, Any]:
    """Return the binding tables of the RelaxNG grammars in *folder*; raises InputError where one cannot be read."""
    builder = TypeBuilder()
    roots: dict[str, ElementType] = {}
    files = sorted(folder.glob("*.rng"))
    if not files:
        raise InputError("no *.rng files here", file=str(folder), hint="name the folder of libvirt's schemas")
    for file in files:
        if "<start" in file.read_text(encoding="utf-8"):
            roots |= builder.build(Grammar(file).start)
    if unnamed := set(roots) - set(overrides["roots"]):
        raise KubevmmError(
            f"roots without a kind: {', '.join(sorted(unnamed))}", hint="add them to roots in schemas/overrides.yaml"
        )
    tables = Bindings(overrides).write(builder.merged(roots, list(overrides["roots"])))
    additions.add(tables, overrides)
    return tables


def render(tables: dict[str, Any]) -> str:
    """Return *tables* as JSON with one line for each field, so that a change of the grammar reads well in a diff."""
    lines = ["{", f'"namespaces": {json.dumps(tables["namespaces"], indent=1)},', '"roots": {']
    roots = [f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in tables["roots"].items()]
    lines += [",\n".join(roots), "},", '"types": {']
    types = []
    for name in sorted(tables["types"]):
        fields = ",\n".join("  " + json.dumps(field) for field in tables["types"][name])
        types.append(f" {json.dumps(name)}: [\n{fields}\n ]" if fields else f" {json.dumps(name)}: []")
    lines += [",\n".join(types), "}", "}"]
    return "\n".join(lines) + "\n"
