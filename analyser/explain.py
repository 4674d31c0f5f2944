"""What stands at a path of an object: type, meaning, values, and what it is in libvirt's XML; no cluster is asked.

Our own fields come from the structs of ``schemas.api``, native ones from the binding tables; both as trees of `Entry`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping  # noqa: TC003  (the dataclasses below are read at run time)
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from schemas.api.common import GROUP, VERSION
from schemas.api.common import Kind as OwnKind
from schemas.api.kinds import KINDS
from schemas.crd import Own
from schemas.descriptions import descriptions
from schemas.errors import KubevmmError
from schemas.table import ATTRIBUTE, ELEMENT, EXTRA, REFERENCE, Field, Root, Type, table

LIBVIRT_GROUP = f"libvirt.{GROUP}"
"""The group of documents that have no kind in our API."""

_SCALARS = {"yesno": "boolean", "onoff": "boolean", "enum": "string", "xml": "XML"}
Path: TypeAlias = tuple[str, ...]

_NAMESPACE = re.compile(r"\{([^}]*)\}")
_INDEX = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Entry:
    """One key of an object.

    ``type`` reads as in kubectl (``[]Object``, ``string``); ``xml`` is what the key is in libvirt's XML, empty for what
    is ours; ``enum`` the values that it can have; ``entries`` makes the keys below it.
    """

    key: str
    type: str
    description: str = ""
    xml: str = ""
    enum: tuple[str, ...] = ()
    required: bool = False
    recursive: bool = False
    """It is of the same type as something that it stands in."""
    entries: Callable[[], tuple[Entry, ...]] = tuple


@dataclass(frozen=True)
class Kind:
    """A kind of object: its names, and the entry that is the whole object."""

    name: str
    group: str
    names: tuple[str, ...]
    """What a path may begin with, in lower case."""
    short: str
    plural: str
    namespaced: bool
    whole: Entry


@dataclass(frozen=True)
class Explanation:
    """What a path leads to."""

    kind: Kind
    path: tuple[str, ...]
    """The keys below the kind."""
    entry: Entry


@cache
def kinds() -> tuple[Kind, ...]:
    """Return all kinds: those of the API, then those that documents of libvirt without one convert to."""
    ours = {kind.name for kind in KINDS}
    return (
        *(_own(kind) for kind in KINDS),
        *(_foreign(root) for root in table().roots.values() if root.kind not in ours),
    )


def explain(path: str) -> Explanation:
    """Return what *path* (``vm.spec.domain.devices.disks``) leads to; its first part is a kind's name, short or plural.

    Raises KubevmmError for a kind or a key that there is not, with the nearest that there is.
    """
    first, *keys = _INDEX.sub("", path.strip().strip(".")).split(".")
    by_name = {name: kind for kind in reversed(kinds()) for name in kind.names}
    kind = by_name.get(first.lower())
    if kind is None:
        raise _unknown("kind", first, "", by_name)
    entry = kind.whole
    for depth, key in enumerate(keys):
        below = {inner.key: inner for inner in entry.entries()}
        found = below.get(key)
        if found is None:
            raise _unknown("key", key, ".".join([first, *keys[:depth]]), below)
        entry = found
    return Explanation(kind, tuple(keys), entry)


def _unknown(what: str, name: str, place: str, known: dict[str, Any]) -> KubevmmError:
    lowered = {key.lower(): key for key in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    message = f"unknown {what} {name!r}" + (f" in {place}" if place else "")
    if near:
        return KubevmmError(f"{message}; did you mean {lowered[near[0]]}?")
    if what == "key" and not known:
        return KubevmmError(f"{message}, which has no keys")
    shown = sorted(known)
    return KubevmmError(f"{message}; known: {', '.join(shown[:12])}{' ...' if len(shown) > 12 else ''}")  # noqa: PLR2004  (what fits on a line)


def completions(incomplete: str) -> list[str]:
    """Return the paths that *incomplete* may become, one key further."""
    place, _, start = incomplete.rpartition(".")
    if not place:
        return [kind.names[-1] for kind in kinds() if kind.names[-1].startswith(start.lower())]
    try:
        found = explain(place)
    except KubevmmError:
        return []
    return [f"{place}.{entry.key}" for entry in found.entry.entries() if entry.key.startswith(start)]


class _Marker:
    """Stands in for native schemas, so that the walk can go over to the tables there."""

    def root(self, element: str) -> dict[str, Any]:
        return {"type": "object", "native": element}


def _own(kind: OwnKind) -> Kind:
    own = Own(_Marker())

    def whole() -> tuple[Entry, ...]:
        return (
            *_head(),
            _schema_entry(
                "spec", {"description": kind.spec.__doc__, **own.struct(kind.spec)}, required=kind.needs_spec
            ),
            _schema_entry("status", {"description": kind.status.__doc__, **own.struct(kind.status)}),
        )

    return Kind(
        name=kind.name,
        group=GROUP,
        names=(kind.name.lower(), kind.plural, kind.short),
        short=kind.short,
        plural=kind.plural,
        namespaced=kind.namespaced,
        whole=Entry(kind.name, "Object", kind.description, entries=cache(whole)),
    )


def _foreign(root: Root) -> Kind:
    def whole() -> tuple[Entry, ...]:
        return (*_head(), _root_entry("spec", root, f"libvirt's <{root.element}>, one to one."))

    name = root.kind
    return Kind(
        name=name,
        group=LIBVIRT_GROUP,
        names=(name.lower(), f"{name.lower()}s", root.element.lower()),
        short="",
        plural="",
        namespaced=False,
        whole=Entry(
            name, "Object", f"libvirt's <{root.element}> document; for files, not kept in a cluster.", entries=whole
        ),
    )


def _head() -> tuple[Entry, ...]:
    return (
        Entry("apiVersion", "string", "Group and version of the kind."),
        Entry("kind", "string", "The kind of object."),
        Entry(
            "metadata", "Object", "The object's name, namespace, labels and annotations, as of every Kubernetes object."
        ),
    )


def _root_entry(key: str, root: Root, description: str) -> Entry:
    return Entry(
        key,
        "Object",
        description,
        xml=f"<{root.element}>",
        entries=lambda: _native(root.type, root.element, (root.element,), {}),
    )


def _schema_entry(key: str, schema: dict[str, Any], *, required: bool = False) -> Entry:
    """Return the entry of one of our own fields, from its CRD schema."""
    description = schema.get("description", "")
    if "native" in schema:
        return _root_entry(key, table().roots[schema["native"]], description)
    inner = schema["items"] if schema.get("type") == "array" else schema
    properties = inner.get("properties", {})
    needed = inner.get("required", [])
    return Entry(
        key,
        _schema_type(schema),
        description,
        enum=tuple(inner.get("enum", ())),
        required=required,
        entries=lambda: tuple(
            _schema_entry(name, below, required=name in needed) for name, below in properties.items()
        ),
    )


def _schema_type(schema: dict[str, Any]) -> str:
    if "x-kubernetes-int-or-string" in schema:
        return "integer or string"
    if schema.get("type") == "array":
        return "[]" + _schema_type(schema["items"])
    if "additionalProperties" in schema:
        return f"map[string]{_schema_type(schema['additionalProperties'])}"
    return {"object": "Object"}.get(schema["type"], str(schema["type"]))


def _native(kind: Type, element: str, path: Path, outer: Mapping[Type, Path]) -> tuple[Entry, ...]:
    """Return the entries of *element* (a *kind*) at *path*; *outer* are the types that it stands in, by their paths."""
    return tuple(_native_entries(kind, element, path, {**outer, kind: path}))


def _native_entries(kind: Type, element: str, path: Path, outer: Mapping[Type, Path]) -> Iterator[Entry]:
    for key, fields in kind.sequences.items():
        names = ", ".join(f"<{field.xml}>" for field in fields.values())
        inner = tuple(_field(field, element, (*path, key, field.key), outer) for field in fields.values())
        yield Entry(
            key,
            "[]Object",
            f"What stands here in order; each entry has one key ({', '.join(fields)}).",
            xml=names,
            entries=lambda inner=inner: inner,  # type: ignore[misc]
        )
    for field in kind.fields:
        if field.sequence:
            continue
        yield _field(field, element, (*path, field.key), outer)
        for beside in field.beside.values():
            yield Entry(
                beside.key, _SCALARS.get(beside.value, beside.value), descriptions().find((*path, beside.key)) or "",
                xml=f"<{_name(field.xml)} {beside.xml}='...'>", enum=_values(beside),
            )  # fmt: skip
    yield Entry(
        EXTRA, "XML", "What the tables do not know of this element: the element itself, reduced to that.",
        xml=f"<{element}>",
    )  # fmt: skip


def _field(field: Field, element: str, path: Path, outer: Mapping[Type, Path]) -> Entry:
    name = _name(field.xml)
    if field.where is ATTRIBUTE:
        xml = f"<{element} {name}='...'>" if field.value != "size" else f"<{element} {name}='...' unit='{field.unit}'>"
    elif field.where is ELEMENT:
        xml = f"<{name}>" if field.value in ("map", "xml") else f"<{name}>...</{name}>"
        if field.value == "size":
            xml = f"<{name} unit='{field.unit}'>...</{name}>"
    else:
        xml = f"<{element}>...</{element}>" if field.where is not REFERENCE else ""
    kind = "Object" if field.value == "map" else _SCALARS.get(field.value, field.value)
    description = descriptions().find(path) or ""
    if field.where is REFERENCE and not description:
        description = "Names an object of the API; an executor puts what it stands for into the XML."
    return Entry(
        field.key,
        f"[]{kind}" if field.many else kind,
        description,
        xml=xml,
        enum=_values(field),
        required=field.required,
        recursive=field.value == "map" and field.type in outer,
        entries=(lambda: _below(field, name, path, outer)) if field.value == "map" else tuple,
    )


def _below(field: Field, name: str, path: Path, outer: Mapping[Type, Path]) -> tuple[Entry, ...]:
    if field.type in outer:
        # What contains itself is described where it stands first.
        path = outer[field.type]
    if field.where is REFERENCE:
        return tuple(
            Entry(f.key, "string", descriptions().find((*path, f.key)) or "", required=f.required)
            for f in field.type.fields
        )
    return _native(field.type, name, path, outer)


def _values(field: Field) -> tuple[str, ...]:
    return tuple(field.enum)


def _name(xml: str) -> str:
    """Return the element's or attribute's name with its prefix."""
    return _NAMESPACE.sub(lambda match: table().namespaces[match[1]] + ":", xml)


__all__ = ["LIBVIRT_GROUP", "VERSION", "Entry", "Explanation", "Kind", "completions", "explain", "kinds"]
