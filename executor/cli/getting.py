"""Objects of a node as tables like kubectl's, or as YAML and JSON."""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from analyser.yamlwriter import dump
from executor.cli import messages
from executor.engine.listing import Query, listing
from executor.engine.objects import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.hypervisor.hypervisor import Hypervisor

_READY: Final = ("READY", "status.conditions.Ready", False)

# By kind: head, path, and whether it shows with -o wide only.
COLUMNS: Final[Mapping[str, tuple[tuple[str, str, bool], ...]]] = {
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
    "VirtualMachineNode": (
        _READY, ("CPU", "status.capacity.cpu", False), ("MEMORY", "status.capacity.memory", False),
        ("ARCH", "status.info.architecture", True), ("LIBVIRT", "status.info.libvirtVersion", True),
        ("HYPERVISOR", "status.info.hypervisorVersion", True),
    ),
}  # fmt: skip


def show(
    hypervisor: Hypervisor,
    asked: Mapping[str, tuple[str, ...]],
    namespace: str | None,
    selector: str,
    form: str,
    *,
    unmanaged: bool,
) -> int:
    """Write what is *asked* for (names by kind) to standard output; return the exit code."""
    code = 0
    documents: list[dict[str, Any]] = []
    for kind, names in asked.items():
        query = Query(kind, namespace, names, selector, unmanaged, detail=form not in ("table", "name"))
        found = listing(hypervisor, query)
        for name in names:
            if not any(obj["metadata"]["name"] == name for obj in found.objects):
                where = f" in the namespace {namespace}" if namespace and kind != "VirtualMachineNode" else ""
                messages.error(f"{kind.lower()}/{name} is not found{where}", hint=_hint(kind))
                code = 1
        if form in ("json", "yaml"):
            documents += found.objects
        elif form == "name":
            sys.stdout.writelines(f"{kind.lower()}/{obj['metadata']['name']}\n" for obj in found.objects)
        else:
            _kind(kind, found.objects, many=len(asked) > 1, wide=form == "wide", namespaces=namespace is None)
        if found.unmanaged and not names:
            _count(kind, found.unmanaged)
        elif not found.objects and not names and len(asked) == 1:
            messages.note(f"nothing found{f' in the namespace {namespace}' if namespace else ''}")
    if form in ("json", "yaml"):
        _print(documents, form, single=len(documents) == 1 and any(asked.values()))
    return code


def _hint(kind: str) -> str:
    return f"`virtctl get {_short(kind)} -A --unmanaged` lists all that is there"


def _short(kind: str) -> str:
    found = kind_of(kind)
    return found.short if found is not None else kind.lower()


def _count(kind: str, count: int) -> None:
    what = {"VirtualMachine": "guest", "VirtualMachineNetwork": "network"}.get(kind, "pool")
    text = f"{count} {what}{'s are' if count > 1 else ' is'} not managed: `virtctl get {_short(kind)} --unmanaged`"
    take = ", `virtctl adopt NAME` takes one over" if kind == "VirtualMachine" else ""
    messages.note(f"{text} lists {'them' if count > 1 else 'it'}{take}")


def _kind(kind: str, objects: list[dict[str, Any]], *, many: bool, wide: bool, namespaces: bool) -> None:
    if not objects:
        return
    columns = [column for column in COLUMNS[kind] if wide or not column[2]]
    with_namespace = (namespaces or any("namespace" not in obj["metadata"] for obj in objects)) and kind[-4:] != "Node"
    head = [*(["NAMESPACE"] if with_namespace else []), "NAME", *(column[0] for column in columns)]
    rows = [head]
    for obj in objects:
        name = obj["metadata"]["name"]
        row = [obj["metadata"].get("namespace", "<unmanaged>")] if with_namespace else []
        row.append(f"{kind.lower()}/{name}" if many else name)
        rows.append([*row, *(_cell(obj, column[1]) for column in columns)])
    table(rows)
    if many:
        sys.stdout.write("\n")


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
        _print(objects, form, single=len(objects) == 1)


def _print(documents: list[dict[str, Any]], form: str, *, single: bool) -> None:
    whole = documents[0] if single else {"apiVersion": "v1", "kind": "List", "items": documents}
    if form == "json":
        sys.stdout.write(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(dump(whole))
