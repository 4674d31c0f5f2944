"""The CRDs: our own fields from the structs of ``schemas.api``, native ones from the binding tables.

What the grammar calls valid is never refused. So nothing native is required (but what identifies the entries of a
list), sizes and texts have no patterns, an integer may be text as well (hexadecimal, padded), and every map may carry
``extraXML``; what is checked is values of enums and the names of keys. Subtrees that ``overrides.yaml`` lists under
``cuts``, and types inside themselves, are left open.
"""

from __future__ import annotations

import json
import types
import typing
from enum import Enum
from typing import Any, Literal, Protocol, Union

import msgspec

from schemas.api.common import CATEGORY, GROUP, VERSION, Kind, Struct
from schemas.table import EXTRA, REFERENCE, Field, Table, Type

if typing.TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.descriptions import Descriptions

Schema = dict[str, Any]

MOST_BYTES = 240_000
"""The most that a CRD may have as JSON: kubectl keeps it in an annotation, and annotations end at 262,144 bytes."""

OPEN: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

_SCALARS: dict[str, Schema] = {
    "string": {"type": "string"},
    "size": {"type": "string"},
    "xml": {"type": "string"},
    "integer": {"x-kubernetes-int-or-string": True},
    "yesno": {"type": "boolean"},
    "onoff": {"type": "boolean"},
}
_PYTHON: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    Any: {"x-kubernetes-preserve-unknown-fields": True},
}


class Native:
    """Schemas of libvirt's own documents."""

    def __init__(self, table: Table, descriptions: Descriptions, cuts: typing.Collection[str]) -> None:
        self._table = table
        self._descriptions = descriptions
        self._cuts = set(cuts)

    def root(self, element: str) -> Schema:
        """Return the schema of the documents whose root is *element*."""
        return self._map(self._table.roots[element].type, (element,), ())

    def _map(self, kind: Type, path: tuple[str, ...], outer: tuple[Type, ...]) -> Schema:
        properties: Schema = {}
        for field in kind.fields:
            place = (*path, field.key)
            properties[field.key] = self._field(field, place, (*outer, kind))
            for beside in field.beside.values():
                properties[beside.key] = self._described(self._scalar(beside), (*path, beside.key))
        if any(field.where is not REFERENCE for field in kind.fields) or not kind.fields:
            properties[EXTRA] = {"type": "string"}
        return {"type": "object", "properties": properties}

    def _field(self, field: Field, path: tuple[str, ...], outer: tuple[Type, ...]) -> Schema:
        schema = self._scalar(field) if field.value != "map" else self._branch(field, path, outer)
        if field.many:
            if field.identity:
                schema["required"] = [field.identity]
            schema = {"type": "array", "items": schema}
            if field.identity:
                schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field.identity]}
        return self._described(schema, path)

    def _branch(self, field: Field, path: tuple[str, ...], outer: tuple[Type, ...]) -> Schema:
        if "/".join(path) in self._cuts or field.type in outer:
            return dict(OPEN)
        schema = self._map(field.type, path, outer)
        if field.where is REFERENCE:
            schema["required"] = [inner.key for inner in field.type.fields if inner.required]
        return schema

    def _scalar(self, field: Field) -> Schema:
        if field.value == "enum":
            if field.open:
                return {"type": "string"}
            return {"type": "string", "enum": list(field.enum)}
        return dict(_SCALARS[field.value])

    def _described(self, schema: Schema, path: tuple[str, ...]) -> Schema:
        text = self._descriptions.find(path)
        return {"description": text, **schema} if text else schema


class NativeSchemas(Protocol):
    """What makes the schemas of libvirt's documents."""

    def root(self, element: str) -> Schema:
        """Return the schema of the documents whose root is *element*."""


class Own:
    """Schemas of our own structs."""

    def __init__(self, native: NativeSchemas) -> None:
        self._native = native

    def struct(self, kind: type[Struct]) -> Schema:
        """Return the schema of *kind*."""
        hints = typing.get_type_hints(kind, include_extras=True)
        properties = {field.encode_name: self._value(hints[field.name]) for field in msgspec.structs.fields(kind)}
        schema: Schema = {"type": "object"}
        if properties:
            schema["properties"] = properties
        if kind.needed:
            schema["required"] = list(kind.needed)
        if kind.rules:
            schema["x-kubernetes-validations"] = [{"rule": rule.cel, "message": rule.message} for rule in kind.rules]
        return schema

    def _value(self, hint: Any) -> Schema:
        origin = typing.get_origin(hint)
        arguments = typing.get_args(hint)
        if origin is typing.Annotated:
            schema = self._value(arguments[0])
            for meta in arguments[1:]:
                schema = self._constrained(schema, meta)
            return schema
        if origin in (Union, types.UnionType):
            members = [a for a in arguments if a is not type(None)]
            if set(members) == {int, str}:
                return {"x-kubernetes-int-or-string": True}
            return self._value(members[0])
        if origin is list:
            return {"type": "array", "items": self._value(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self._value(arguments[1])}
        if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        if isinstance(hint, type) and issubclass(hint, Struct):
            return self.struct(hint)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return {"type": "string", "enum": [member.value for member in hint]}
        return dict(_PYTHON[hint])

    def _constrained(self, schema: Schema, meta: msgspec.Meta) -> Schema:
        extra: Mapping[str, Any] = meta.extra_json_schema or {}
        schema = self._native.root(extra["native"]) if "native" in extra else {**schema, **extra}
        if meta.description:
            schema = {"description": meta.description, **{k: v for k, v in schema.items() if k != "description"}}
        return schema


def crd(kind: Kind, native: Native) -> Schema:
    """Return the CRD of *kind*."""
    own = Own(native)
    spec = {"description": kind.spec.__doc__, **own.struct(kind.spec)}
    status = {"description": kind.status.__doc__, **own.struct(kind.status)}
    whole: Schema = {
        "description": kind.description,
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }
    if kind.needs_spec:
        whole["required"] = ["spec"]
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": c.name, "type": c.type, "jsonPath": c.path, **({"priority": 1} if c.wide else {})}
            for c in kind.columns
        ],
        "schema": {"openAPIV3Schema": whole},
    }
    if kind.scale:
        version["subresources"]["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.labelSelector",
        }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": [CATEGORY],
            },
            "versions": [version],
        },
    }


def size(definition: Schema) -> int:
    """Return how many bytes *definition* has as compact JSON, the form in which kubectl keeps it."""
    return len(json.dumps(definition, separators=(",", ":"), ensure_ascii=False).encode())
