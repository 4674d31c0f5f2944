"""The binding tables at run time: what each libvirt element is called, contains and means in YAML.

``tables.json`` is generated from libvirt's grammar (``python -m schemas.generate``). A type is the shape of the
elements at one grammar path; a field is one of its attributes, its text or one of its child elements.
"""

from __future__ import annotations

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "tables.json"

ATTRIBUTE, TEXT, ELEMENT, REFERENCE = "attribute", "text", "element", "reference"

EXTRA = "extraXML"
"""The key, in any map, of what the tables do not know: the element itself, reduced to that."""


class Field:
    """One attribute, text or child element of a type, or a key of ours that stands beside them.

    ``where`` is ATTRIBUTE, TEXT or ELEMENT and ``xml`` its name in XML (``{namespace}local``); ``key`` its name in
    YAML. Where it is REFERENCE, the key names an object of the API and never stands in XML: an executor resolves it;
    ``stands_for`` is the native key beside it that it takes the place of, if any.
    ``value`` is ``string``, ``integer``, ``yesno``, ``onoff``, ``enum`` (one of ``enum``), ``size`` (``unit`` is the
    unit that libvirt prints), ``xml`` (foreign content as XML text) or ``map`` (of ``type``). ``many`` is true for
    lists. ``beside`` maps the other attributes of a size element to fields whose keys stand beside ``key``.
    ``sequence`` is the key of the list that the field shares with others whose order matters. ``order`` is its place
    in libvirt's output; ``pair`` is true where libvirt prints two tags even round nothing.
    ``also`` is what an ``integer`` may be besides a number, as regular expressions.
    ``open`` says that values outside ``enum`` occur, and that the API server takes them.
    ``identity`` is the key that tells the entries of a list apart in every document, None for other lists.
    """

    __slots__ = (
        "_table", "_type", "also", "beside", "enum", "identity", "key", "many", "open", "order", "owner", "pair",
        "required", "sequence", "stands_for", "unit", "value", "where", "xml",
    )  # fmt: skip

    def __init__(self, table: Table, raw: dict[str, Any], order: int) -> None:
        self._table = table
        self._type: str | None = raw.get("type")
        self.key: str = raw["key"]
        if "attribute" in raw:
            self.where, self.xml = ATTRIBUTE, raw["attribute"]
        elif "element" in raw:
            self.where, self.xml = ELEMENT, raw["element"]
        elif "reference" in raw:
            self.where, self.xml = REFERENCE, ""
        else:
            self.where, self.xml = TEXT, ""
        self.value: str = raw.get("value", "map")
        self.enum: list[str] = raw.get("enum", [])
        self.open: bool = raw.get("open", False)
        self.also: list[str] = raw.get("also", [])
        self.many: bool = raw.get("list", False)
        self.required: bool = raw.get("required", False)
        self.pair: bool = raw.get("pair", False)
        self.unit: str = raw.get("unit", "")
        self.sequence: str | None = raw.get("sequence")
        self.stands_for: str | None = raw.get("for")
        self.identity: str | None = raw.get("identity")
        self.order = order
        self.beside: dict[str, Field] = {
            name: Field(table, {**attribute, "attribute": name}, order)
            for name, attribute in raw.get("attributes", {}).items()
        }
        self.owner: Field | None = None
        for field in self.beside.values():
            field.owner = self

    @property
    def type(self) -> Type:
        """The type of a ``map`` field."""
        if self._type is None:
            raise TypeError(f"{self.key} is a {self.value}")
        return self._table.type(self._type)

    @property
    def type_name(self) -> str | None:
        """The name of the type of a ``map`` field, None for others."""
        return self._type


class Type:
    """The shape of the elements at one or more grammar paths; ``name`` is the shortest of them."""

    def __init__(self, table: Table, name: str, raw: list[dict[str, Any]]) -> None:
        self.name = name
        self.fields = [Field(table, field, order) for order, field in enumerate(raw)]

    @cached_property
    def by_key(self) -> dict[str, Field]:
        """Every field by its YAML key, those beside a size included."""
        found = {field.key: field for field in self.fields if not field.sequence}
        for field in self.fields:
            found |= {beside.key: beside for beside in field.beside.values()}
        return found

    @cached_property
    def sequences(self) -> dict[str, dict[str, Field]]:
        """The lists whose order means something across names: list key -> entry key -> field."""
        found: dict[str, dict[str, Field]] = {}
        for field in self.fields:
            if field.sequence:
                found.setdefault(field.sequence, {})[field.key] = field
        return found

    @cached_property
    def text(self) -> Field | None:
        """The field of the element's own text."""
        return next((field for field in self.fields if field.where is TEXT), None)

    @cached_property
    def attributes(self) -> dict[str, Field]:
        """The attributes by their name in XML."""
        return {field.xml: field for field in self.fields if field.where is ATTRIBUTE}

    @cached_property
    def references(self) -> dict[str, Field]:
        """The keys of ours that name other objects, by their key."""
        return {field.key: field for field in self.fields if field.where is REFERENCE}

    @cached_property
    def elements(self) -> dict[str, Field]:
        """The child elements by their name in XML."""
        return {field.xml: field for field in self.fields if field.where is ELEMENT}


class Root:
    """How a root element becomes an object: its ``kind``, and the key of ``spec`` that holds it (None: spec itself)."""

    def __init__(self, table: Table, element: str, raw: dict[str, Any]) -> None:
        self.element = element
        self.kind: str = raw["kind"]
        self.field: str | None = raw.get("field")
        self.type = table.type(raw["type"])


class Table:
    """All types and roots; types are made when first asked for."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw: dict[str, list[dict[str, Any]]] = raw["types"]
        self._types: dict[str, Type] = {}
        self.namespaces: dict[str, str] = raw["namespaces"]
        """Prefix by namespace."""
        self.roots = {name: Root(self, name, root) for name, root in raw["roots"].items()}

    def type(self, name: str) -> Type:
        """Return the type called *name*; raises KeyError."""
        found = self._types.get(name)
        if found is None:
            found = self._types[name] = Type(self, name, self._raw[name])
        return found

    def type_names(self) -> list[str]:
        """Return the names of all types."""
        return list(self._raw)


def load(path: Path) -> Table:
    """Return the tables in the file *path*."""
    with path.open("rb") as file:
        return Table(json.load(file))


@cache
def table() -> Table:
    """Return the project's tables."""
    return load(PATH)
