"""Whether a server-side apply would change anything, told from an object's managedFields without asking the server.

The server answers an apply that changes nothing with the object as it was, but that costs it nearly as much as a write.
In doubt the answer here is that something would change: then the server decides. See KEP-555 for the field sets.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# What names the object, and is in nobody's field set.
IDENTITY: Final = frozenset({"apiVersion", "kind"})
METADATA_IDENTITY: Final = frozenset({"name", "namespace", "uid", "resourceVersion"})


def unchanged(desired: Mapping[str, Any], current: Mapping[str, Any], manager: str, subresource: str | None) -> bool:
    """Return whether *manager* applying *desired* to *current* would leave it as it is.

    That is so if *manager*, by applying (to *subresource*), owns just the fields that *desired* names, and each has its
    value already.
    """
    fields = owned(current, manager, subresource, desired.get("apiVersion", ""))
    if fields is None:
        return False
    wanted = {name: value for name, value in desired.items() if name not in IDENTITY}
    metadata = {name: value for name, value in wanted.pop("metadata", {}).items() if name not in METADATA_IDENTITY}
    if metadata:
        wanted["metadata"] = metadata
    return _same_map(wanted, current, fields)


def owned(current: Mapping[str, Any], manager: str, subresource: str | None, api_version: str) -> dict[str, Any] | None:
    """Return the field set (FieldsV1) that *manager* owns by applying, None if it owns none in this version."""
    for entry in current.get("metadata", {}).get("managedFields") or ():
        if (
            entry.get("manager") == manager
            and entry.get("operation") == "Apply"
            and (entry.get("subresource") or None) == subresource
        ):
            return entry.get("fieldsV1") if entry.get("apiVersion") == api_version else None
    return None


def _same(wanted: Any, found: Any, fields: Mapping[str, Any]) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict) and any(name.startswith("f:") for name in fields):
        return _same_map(wanted, found, fields)
    if isinstance(wanted, list) and isinstance(found, list) and any(name[:2] in {"k:", "v:"} for name in fields):
        return _same_list(wanted, found, fields)
    # A scalar, or a map or list that is owned as a whole; as text, since Python takes True for 1, and JSON does not.
    return json.dumps(wanted, sort_keys=True) == json.dumps(found, sort_keys=True)


def _same_map(wanted: Mapping[str, Any], found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    names = {f"f:{name}" for name in wanted}
    if names != {name for name in fields if name != "."}:
        return False
    return all(name in found and _same(value, found[name], fields[f"f:{name}"]) for name, value in wanted.items())


def _same_list(wanted: list[Any], found: list[Any], fields: Mapping[str, Any]) -> bool:
    selectors = {name: json.loads(name[2:]) for name in fields if name != "."}
    if len(selectors) != len(wanted):
        return False
    order = []
    for name, selector in selectors.items():
        if name.startswith("v:"):
            if selector not in wanted or selector not in found:
                return False
            order.append((wanted.index(selector), found.index(selector)))
            continue
        mine = _entry(wanted, selector)
        theirs = _entry(found, selector)
        if mine is None or theirs is None or not _same_map(wanted[mine], found[theirs], fields[name]):
            return False
        order.append((mine, theirs))
    # An apply moves entries into the order that it names them in.
    return [theirs for _, theirs in sorted(order)] == sorted(theirs for _, theirs in order)


def _entry(entries: list[Any], selector: Mapping[str, Any]) -> int | None:
    for number, entry in enumerate(entries):
        if isinstance(entry, dict) and all(entry.get(name) == value for name, value in selector.items()):
            return number
    return None
