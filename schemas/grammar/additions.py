"""Adds to the tables what is ours: references to objects of the API, what identifies the entries of a list, open enums.

All are named in ``overrides.yaml`` by their path from the root, in libvirt's element names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from schemas.grammar.overrides import Overrides

REFERENCES = "references/"
"""What the names of reference types begin with; no root element is called so."""


def add(tables: dict[str, Any], overrides: Overrides) -> None:
    """Add references and list keys to *tables*; a path of an element that this grammar does not have is passed over.

    Raises KubevmmError where what stands in the overrides does not fit the element that it names.
    """
    types = tables["types"]
    references = overrides.raw.get("references", [])
    shapes = overrides.raw.get("referenceTypes", {})
    for name in sorted({reference["type"] for reference in references}):
        types[REFERENCES + name] = [
            {"reference": True, "key": key, "value": "string", **({"required": True} if required else {})}
            for key, required in shapes[name].items()
        ]
    for reference in references:
        field = _field(tables, reference["path"])
        if field is None:
            continue
        fields = types[field["type"]]
        entry = {"reference": True, "key": reference["key"], "type": REFERENCES + reference["type"]}
        if "for" in reference:
            entry["for"] = reference["for"]
            _known(fields, reference["for"], reference["path"])
        if entry in fields:
            continue
        if any(reference["key"] == f["key"] for f in fields):
            raise KubevmmError(
                f"{reference['path']} already has a key {reference['key']}", hint="rename it under references"
            )
        fields.append(entry)
    for path, key in overrides.raw.get("listKeys", {}).items():
        field = _field(tables, path)
        if field is None:
            continue
        if not field.get("list"):
            raise KubevmmError(f"{path} is no list", hint="correct it in schemas/overrides.yaml, under listKeys")
        if not _known(types[field["type"]], key, path).get("required"):
            raise KubevmmError(f"{path}: {key} is not always there", hint="remove it from listKeys")
        field["identity"] = key
    for path in overrides.raw.get("openEnums", []):
        if (found := _attribute(tables, path)) is not None:
            if "enum" not in found:
                raise KubevmmError(f"{path} is no enum", hint="correct it in schemas/overrides.yaml, under openEnums")
            found["open"] = True
    for path in overrides.raw.get("leftOut", []):
        if (found := _attribute(tables, path)) is not None and not found.pop("required", False):
            raise KubevmmError(f"{path} need not be there", hint="remove it from leftOut in schemas/overrides.yaml")


def _attribute(tables: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the field of the attribute at the end of *path*; None where the grammar has no such element."""
    element, _, attribute = path.rpartition("/@")
    field = _field(tables, element)
    if field is None:
        return None
    fields: list[dict[str, Any]] = tables["types"][field["type"]]
    found = next((each for each in fields if each.get("attribute") == attribute), None)
    if found is None:
        raise KubevmmError(f"{path}: there is no such attribute", hint="correct it in schemas/overrides.yaml")
    return found


def _field(tables: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the field that *path*, from the root in element names, leads to; None where there is no such element."""
    root, *steps = path.split("/")
    if root not in tables["roots"]:
        return None
    field: dict[str, Any] = tables["roots"][root]
    namespaces = {prefix: uri for uri, prefix in tables["namespaces"].items()}
    for name in steps:
        prefix, colon, local = name.partition(":")
        step = f"{{{namespaces[prefix]}}}{local}" if colon else name
        found = next((f for f in tables["types"].get(field.get("type"), []) if f.get("element") == step), None)
        if found is None:
            return None
        field = found
    return field


def _known(fields: list[dict[str, Any]], key: str, path: str) -> dict[str, Any]:
    for field in fields:
        if field["key"] == key:
            return field
    raise KubevmmError(f"{path} has no key {key}", hint="correct it in schemas/overrides.yaml")
