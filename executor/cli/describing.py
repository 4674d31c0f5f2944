"""An object that is no guest, described: what it asks for, how it is, its conditions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from analyser.yamlwriter import dump
from executor.cli import messages
from executor.cli.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.hypervisor import Hypervisor

_WIDTH = 18


def find(hypervisor: Hypervisor, kind: str, name: str, namespace: str) -> dict[str, Any]:
    """Return the object, with all of its status. Raises NotFound."""
    from executor.engine.listing import Query, listing
    from executor.hypervisor.errors import NotFound

    found = listing(hypervisor, Query(kind, namespace, (name,), detail=True)).objects
    if not found:
        where = "" if kind == "VirtualMachineNode" else f" in the namespace {namespace}"
        raise NotFound(f"{kind.lower()}/{name}: not found{where}", hint="`virtctl get` lists what is there")
    return found[0]


def text(obj: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe *obj*."""
    metadata, status = obj["metadata"], dict(obj.get("status") or {})
    conditions = status.pop("conditions", ())
    yield _line("Name", metadata["name"])
    yield _line("Namespace", metadata.get("namespace") or "<none>")
    yield _line("Kind", obj["kind"])
    for key in ("labels", "annotations"):
        if metadata.get(key):
            yield _line(_words(key), ", ".join(f"{name}={value}" for name, value in metadata[key].items()))
    if metadata.get("creationTimestamp"):
        yield _line("Created", metadata["creationTimestamp"])
    for key, value in status.items():
        yield from _field(key, value)
    yield from _part("Spec", obj.get("spec") or {})
    if conditions:
        yield "Conditions:"
        rows = [
            [each.get(key) or "" for key in ("type", "status", "reason", "lastTransitionTime", "message")]
            for each in conditions
        ]
        for line in table(("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"), rows).splitlines():
            yield f"  {line}"


def _field(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _part(_words(key), value)
    elif not isinstance(value, list):
        yield _line(_words(key), str(value).lower() if isinstance(value, bool) else value)
    elif all(isinstance(each, dict) and each.keys() <= {"kind", "name"} for each in value):
        yield _line(_words(key), ", ".join(f"{each.get('kind')}/{each.get('name')}" for each in value) or "<none>")
    elif any(isinstance(each, dict | list) for each in value):
        yield from _part(_words(key), value)
    else:
        yield _line(_words(key), ", ".join(map(str, value)) or "<none>")


def _part(heading: str, value: Any) -> Iterator[str]:
    if not value:
        yield _line(heading, "<none>")
        return
    yield f"{heading}:"
    # The first line names it once more.
    for line in dump({"part": value}).splitlines()[1:]:
        yield f"{'' if isinstance(value, dict) else '  '}{messages.one_line(line)}"


def _line(heading: str, value: Any) -> str:
    return f"{heading + ':':<{_WIDTH - 1}} {messages.one_line(str(value))}"


def _words(key: str) -> str:
    """Return a key as people write it.

    >>> _words("usedBy")
    'Used by'
    """
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: " " + found[0].lower(), key).capitalize()
