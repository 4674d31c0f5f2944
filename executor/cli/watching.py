"""`virtctl get --watch`: what is there, and then each change as it comes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Protocol

from executor.cli import messages
from executor.cli.forms import text_of
from executor.cli.getting import Columns, missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from executor.cli.forms import Form
    from executor.engine.listing import Query
    from executor.hypervisor.hypervisor import Hypervisor


class Change(Protocol):
    """One object that changed, as it is now, or as it was last where it is gone."""

    @property
    def what(self) -> str:
        """``ADDED``, ``MODIFIED`` or ``DELETED``."""

    @property
    def object(self) -> dict[str, Any]:
        """The object."""


def watch(
    hypervisor: Hypervisor,
    queries: Sequence[Query],
    form: Form,
    *,
    only: bool = False,
    events: bool = False,
    heads: bool = True,
    labels: bool = False,
) -> int:
    """Write what *queries* find, and what changes of it, to standard output; return the exit code, if ever.

    With *only* what is there at first is left out; with *events* each change says what it is.
    """
    from executor.engine.watching import changes

    told = changes(hypervisor, queries, lost=lambda error: messages.note(f"{error}; trying again"))
    first = next(told)
    absent = [(query, name) for query in queries for name in query.names if not _has(first, query, name)]
    if absent:
        for query, name in absent:
            missing(query.kind, name, query.namespace)
        return 1
    printer = Printer(columns_of(queries, form, labels=labels), form, events=events, heads=heads)
    _write(printer.text([] if only else first))
    for batch in told:
        _write(printer.text(batch))
    return 0


def _has(batch: Iterable[Change], query: Query, name: str) -> bool:
    for metadata in (each.object["metadata"] for each in batch if each.object["kind"] == query.kind):
        place = metadata.get("namespace")
        # What is not managed has no namespace.
        if metadata["name"] == name and (place == query.namespace or None in (place, query.namespace)):
            return True
    return False


def _write(text: str) -> None:
    sys.stdout.write(text)
    # Somebody waits for it at the other end of a pipe.
    sys.stdout.flush()


def columns_of(queries: Sequence[Query], form: Form, *, labels: bool = False) -> dict[str, Columns]:
    """Return the columns of the tables of *queries*, by kind."""
    many = len(queries) > 1
    return {
        each.kind: Columns(each.kind, form, each.namespace is None or each.unmanaged, many=many, labels=labels)
        for each in queries
    }


class Printer:
    """Changes as text; *columns*, by kind, are as wide as what was in them so far."""

    def __init__(self, columns: Mapping[str, Columns], form: Form, *, events: bool = False, heads: bool = True) -> None:
        self._form = form
        self._events = events
        self._heads = heads
        self._headed: set[str] = set()
        self._widths: dict[str, list[int]] = {}
        self._columns = columns

    def text(self, batch: Sequence[Change]) -> str:
        """Return what is written for *batch*."""
        if self._form.whole:
            return "".join(map(self._whole, batch))
        if self._form.word == "name":
            return "".join(f"{self._event(each)}{_name(each.object)}\n" for each in batch)
        return "".join(f"{line}\n" for line in self._lines(batch))

    def _event(self, change: Change) -> str:
        return f"{change.what} " if self._events else ""

    def _whole(self, change: Change) -> str:
        if self._form.template is not None:
            return f"{self._event(change)}{text_of([change.object], self._form, single=True)}"
        obj: dict[str, Any] = change.object
        if self._events:
            obj = {"type": str(change.what), "object": obj}
        if self._form.word == "json":
            return json.dumps(obj, indent=2, ensure_ascii=False) + "\n"
        return "---\n" + text_of([obj], self._form, single=True)

    def _lines(self, batch: Sequence[Change]) -> Iterator[str]:
        rows: list[tuple[str, list[str]]] = []
        for each in batch:
            kind = str(each.object["kind"])
            if self._heads and kind not in self._headed:
                rows.append((kind, [*(["EVENT"] if self._events else []), *self._columns[kind].head]))
            self._headed.add(kind)
            rows.append((kind, [*([str(each.what)] if self._events else []), *self._columns[kind].row(each.object)]))
        for kind, row in rows:
            before = self._widths.get(kind, [0] * len(row))
            self._widths[kind] = [max(width, len(cell)) for width, cell in zip(before, row, strict=True)]
        for kind, row in rows:
            cells = (messages.one_line(cell).ljust(width) for cell, width in zip(row, self._widths[kind], strict=True))
            yield "   ".join(cells).rstrip()


def _name(obj: dict[str, Any]) -> str:
    return f"{obj['kind'].lower()}/{obj['metadata']['name']}"
