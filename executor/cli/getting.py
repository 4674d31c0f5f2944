"""Objects of a node as tables like kubectl's, or as YAML and JSON."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from executor.cli import messages
from executor.cli.forms import Form, cells, text_of
from executor.engine.objects import kind_of, labels_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from executor.cli.jsonpath import Path
    from executor.engine.listing import Query
    from executor.hypervisor.hypervisor import Hypervisor

Column: TypeAlias = tuple[str, str, bool]

_READY: Final = ("READY", "status.conditions.Ready", False)

# By kind: head, path, and whether it shows with -o wide only.
COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    "VirtualMachine": (
        ("AGE", "age", False), ("STATUS", "status.printableStatus", False), _READY,
        ("NODE", "status.nodeName", True), ("IP", "status.interfaces.0.ipAddress", True),
        ("CPU", "status.vcpus", True), ("MEMORY", "status.memory", True), ("DOMAIN", "status.domain.name", True),
    ),
    "VirtualMachineNetwork": (
        ("AGE", "age", False), ("STATE", "status.state", False), _READY,
        ("BRIDGE", "status.bridge", True), ("AUTOSTART", "status.autostart", True),
    ),
    "VirtualMachineStoragePool": (
        ("AGE", "age", False), ("STATE", "status.state", False), _READY,
        ("CAPACITY", "status.capacity", False), ("AVAILABLE", "status.available", False),
        ("AUTOSTART", "status.autostart", True),
    ),
    "VirtualMachineDisk": (
        ("AGE", "age", False), ("PHASE", "status.phase", False), _READY, ("CAPACITY", "status.capacity", False),
        ("POOL", "status.pool", False), ("NODE", "status.nodeName", True), ("PATH", "status.path", True),
    ),
    "VirtualMachineImage": (
        ("AGE", "age", False), ("PHASE", "status.phase", False), _READY, ("SIZE", "status.virtualSize", False),
        ("FORMAT", "status.format", True), ("OS", "spec.os", True),
    ),
    "VirtualMachineSnapshot": (
        ("AGE", "age", False), ("VM", "spec.virtualMachineRef.name", False), ("PHASE", "status.phase", False), _READY,
        ("TAKEN", "status.creationTime", True), ("STATE", "status.state", True), ("PARENT", "status.parent", True),
        ("CURRENT", "status.current", True), ("NODE", "status.nodeName", True),
    ),
    "VirtualMachineNode": (
        _READY, ("CPU", "status.allocatable.cpu", False), ("MEMORY", "status.allocatable.memory", False),
        ("GUESTS", "status.domains.running", False), ("ARCH", "status.arch", True),
        ("HYPERVISOR", "status.hypervisor.version", True), ("LIBVIRT", "status.hypervisor.libvirtVersion", True),
        ("MODEL", "status.cpu.model", True),
    ),
}  # fmt: skip
_OTHERS: Final = (("AGE", "age", False),)


def show(
    hypervisor: Hypervisor,
    queries: Sequence[Query],
    form: Form,
    *,
    sort_by: Path | None = None,
    heads: bool = True,
    labels: bool = False,
) -> int:
    """Write what *queries* find to standard output, and what has no object to standard error; return the exit code."""
    from executor.engine.listing import listing

    code = shown = 0
    documents: list[dict[str, Any]] = []
    brief = sort_by is None and not form.detail
    named, many = any(query.names for query in queries), len(queries) > 1
    namespaces = {query.namespace for query in queries}
    for query in queries:
        kind, namespace = query.kind, query.namespace
        found = listing(hypervisor, replace(query, brief=brief))
        if sort_by is not None:
            found.objects.sort(key=lambda obj: sortable(sort_by.values(obj)))
        for name in query.names:
            if not any(obj["metadata"]["name"] == name for obj in found.objects):
                missing(kind, name, namespace)
                code = 1
        if form.whole:
            documents += found.objects
        elif form.word == "name":
            sys.stdout.writelines(f"{kind.lower()}/{obj['metadata']['name']}\n" for obj in found.objects)
        elif found.objects:
            loose = any("namespace" not in obj["metadata"] for obj in found.objects)
            columns = Columns(kind, form, namespace is None or len(namespaces) > 1 or loose, many=many, labels=labels)
            table([*([columns.head] if heads else []), *map(columns.row, found.objects)])
            if many:
                sys.stdout.write("\n")
        if found.unmanaged and not query.names:
            _count(kind, found.unmanaged)
        shown += len(found.objects) + found.unmanaged * (not query.names)
    if not shown and not named and not form.whole:
        where = f" in the namespace {namespaces.pop()}" if len(namespaces) == 1 and None not in namespaces else ""
        messages.note(f"nothing found{where}")
    if form.whole and (documents or not code):
        sys.stdout.write(text_of(documents, form, single=len(documents) == 1 and named))
    return code


def missing(kind: str, name: str, namespace: str | None) -> None:
    """Say that there is no such object."""
    where = f" in the namespace {namespace}" if namespace and kind != "VirtualMachineNode" else ""
    hint = f"`virtctl get {_short(kind)} -A --unmanaged` lists all that is there"
    messages.error(f"{kind.lower()}/{name} is not found{where}", hint=hint)


def sortable(values: list[Any]) -> tuple[bool, str, Any]:
    """Return a key that puts numbers in their order, text in its own, and what has no value first."""
    first = values[0] if values else None
    number = isinstance(first, (int, float))
    return first is not None, "" if number else str(first), first if number else 0


def _short(kind: str) -> str:
    found = kind_of(kind)
    return found.short if found is not None else kind.lower()


def _count(kind: str, count: int) -> None:
    what = {"VirtualMachine": "guest", "VirtualMachineNetwork": "network"}.get(kind, "pool")
    text = f"{count} {what}{'s are' if count > 1 else ' is'} not managed: `virtctl get {_short(kind)} --unmanaged`"
    take = ", `virtctl adopt NAME` takes one over" if kind == "VirtualMachine" else ""
    messages.note(f"{text} lists {'them' if count > 1 else 'it'}{take}")


class Columns:
    """The columns of a table of one kind; ``many`` kinds in one output have theirs before the name.

    ``columns`` are those that there are, as in `COLUMNS`.
    """

    def __init__(
        self,
        kind: str,
        form: Form,
        namespaces: bool,
        *,
        many: bool = False,
        labels: bool = False,
        columns: Mapping[str, tuple[Column, ...]] = COLUMNS,
    ) -> None:
        self._kind = kind
        self._custom = form.columns
        self._columns = [each for each in columns.get(kind, _OTHERS) if form.word == "wide" or not each[2]]
        self._namespaces = namespaces and kind != "VirtualMachineNode"
        self._many = many
        self._labels = labels

    @property
    def head(self) -> list[str]:
        """The names of the columns."""
        if self._custom:
            return [head for head, _ in self._custom]
        first = ["NAMESPACE"] if self._namespaces else []
        return [*first, "NAME", *(each[0] for each in self._columns), *(["LABELS"] if self._labels else [])]

    def row(self, obj: dict[str, Any]) -> list[str]:
        """Return the row of *obj*."""
        if self._custom:
            return cells(obj, self._custom)
        metadata = obj["metadata"]
        first = [metadata.get("namespace", "<unmanaged>")] if self._namespaces else []
        name = f"{self._kind.lower()}/{metadata['name']}" if self._many else metadata["name"]
        row = [*first, name, *(_cell(obj, each[1]) for each in self._columns)]
        if self._labels:
            row.append(",".join(f"{key}={value}" for key, value in labels_of(obj).items()) or "<none>")
        return row


def table(rows: list[list[str]]) -> None:
    """Write *rows*, the head first, in columns as wide as need be."""
    rows = [[messages.one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        sys.stdout.write("   ".join(map(str.ljust, row, widths)).rstrip() + "\n")


def _cell(obj: dict[str, Any], path: str) -> str:
    if path == "age":
        return age(obj["metadata"].get("creationTimestamp"))
    found: Any = obj
    for step in path.split("."):
        if isinstance(found, dict):
            found = found.get(step)
        elif step.isdigit():
            found = found[int(step)] if found else None
        elif found is not None:
            found = next((each["status"] for each in found if each.get("type") == step), None)
    return "<none>" if found is None else str(found).lower() if isinstance(found, bool) else str(found)


def age(since: str | None) -> str:
    """Return how long ago *since* (RFC 3339) was, as kubectl says it: ``5m``, ``3d``."""
    if not since:
        return "<unknown>"
    try:
        passed = int((dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(since)).total_seconds())
    except (ValueError, TypeError):
        return "<unknown>"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if passed >= 2 * size:
            return f"{passed // size}{unit}"
    return f"{max(passed, 0)}s"


def write(objects: list[dict[str, Any]], form: str) -> None:
    """Write *objects* as ``name``, ``json`` or ``yaml``; one alone is no list."""
    if form == "name":
        sys.stdout.writelines(f"{obj['kind'].lower()}/{obj['metadata']['name']}\n" for obj in objects)
    else:
        sys.stdout.write(text_of(objects, Form(form), single=len(objects) == 1))
