"""Objects of a cluster, listed, and shown as `virtctl get` shows a node's."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from executor.cli import getting, messages
from executor.cli.cluster.server import absent, key
from executor.cli.forms import text_of
from executor.cluster.resources import RESOURCES
from kube.errors import NotFound
from kube.pages import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from executor.cli.cluster.server import Server
    from executor.cli.forms import Form
    from executor.cli.getting import Column
    from executor.cli.jsonpath import Path
    from schemas.errors import KubevmmError

_SPEC: Final = (("CPU", "spec.domain.vcpu.value", True), ("MEMORY", "spec.domain.memory", True))

COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    **getting.COLUMNS,
    "VirtualMachine": (
        ("AGE", "age", False), ("STATUS", "status.printableStatus", False),
        ("READY", "status.conditions.Ready", False), ("NODE", "status.nodeName", False),
        ("IP", "status.interfaces.0.ipAddress", False), *_SPEC, ("DOMAIN", "status.domain.name", True),
        ("RESTART", "status.restartRequired", True),
    ),
}  # fmt: skip
"""The columns of the tables: on a cluster, where a guest is comes before much else."""


@dataclass(frozen=True)
class Query:
    """Which objects of a *kind* are asked for: those of the *names*, or all that the selectors let through."""

    kind: str
    names: tuple[str, ...] = ()
    everywhere: bool = False
    labels: str = ""
    fields: str = ""

    def selection(self, server: Server) -> Selection:
        """Return it as the API has it."""
        namespaced = RESOURCES[self.kind].namespaced and not self.everywhere
        return Selection(server.namespace if namespaced else None, self.labels, self.fields)


@dataclass
class Found:
    """What a query found, and an error for each name that is not there."""

    query: Query
    namespace: str
    objects: list[dict[str, Any]] = field(default_factory=list)
    missing: list[KubevmmError] = field(default_factory=list)


async def listed(server: Server, queries: Sequence[Query]) -> list[Found]:
    """Return what each query finds, by namespace and name. Raises ApiError."""
    out = []
    for query in queries:
        resource = RESOURCES[query.kind]
        found = Found(query, server.namespace)
        if query.names and not query.everywhere:
            for name in query.names:
                try:
                    found.objects.append((await server.client.get(resource, key(server, resource, name))).decode())
                except NotFound as error:
                    if "page not found" in str(error):
                        raise
                    found.missing.append(absent(server, query.kind, name))
        else:
            every = [each.decode() for each in await server.client.list(resource, query.selection(server))]
            found.objects = [each for each in every if not query.names or each["metadata"]["name"] in query.names]
        out.append(found)
    return out


def show(
    found: Sequence[Found], form: Form, *, sort_by: Path | None = None, heads: bool = True, labels: bool = False
) -> int:
    """Write what was *found* to standard output, and what is missing to standard error; return the exit code."""
    documents: list[dict[str, Any]] = []
    many = len(found) > 1
    for each in found:
        for error in each.missing:
            messages.failure(error)
        objects = [without_owners(obj) for obj in each.objects]
        if sort_by is not None:
            objects.sort(key=lambda obj: getting.sortable(sort_by.values(obj)))
        if form.whole:
            documents += objects
        elif form.word == "name":
            sys.stdout.writelines(f"{each.query.kind.lower()}/{obj['metadata']['name']}\n" for obj in objects)
        elif objects:
            columns = columns_of(each.query, form, many=many, labels=labels)
            getting.table([*([columns.head] if heads else []), *map(columns.row, objects)])
            if many:
                sys.stdout.write("\n")
        elif not each.missing and not many:
            where = "" if each.query.everywhere else f" in the namespace {each.namespace}"
            messages.note(f"nothing found{where}")
    code = 1 if any(each.missing for each in found) else 0
    if form.whole and (documents or not code):
        sys.stdout.write(
            text_of(documents, form, single=len(documents) == 1 and any(each.query.names for each in found))
        )
    return code


def columns_of(query: Query, form: Form, *, many: bool, labels: bool) -> getting.Columns:
    """Return the columns of the table of *query*."""
    return getting.Columns(query.kind, form, query.everywhere, many=many, labels=labels, columns=COLUMNS)


def without_owners(obj: dict[str, Any]) -> dict[str, Any]:
    """Return *obj* without its managedFields, as kubectl shows it."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}
