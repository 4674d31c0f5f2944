"""`virtctl explain`: what a key means and what it is in libvirt's XML, as `kubectl explain`, without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli.options import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analyser.explain import Entry, Explanation, Kind

_WIDTH = 80
_VALUES_SHOWN = 12


def _complete(incomplete: str) -> list[str]:
    from analyser.explain import completions

    return completions(incomplete)


def explain(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            autocompletion=_complete,
            help="A kind (by name, plural or short name) and keys below it, such as vm.spec.domain.devices.disks.",
            show_default=False,
        ),
    ] = "",
    *,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Show the keys at every depth, without words.")
    ] = False,
    output: Annotated[Report, typer.Option("-o", "--output", help="text for people, json for programs.")] = Report.text,
) -> None:
    """Show what a key means, its type and values, and what it is in libvirt's XML.

    Without PATH, lists the kinds.

    \b
    Examples:
      virtctl explain
      virtctl explain vm.spec.domain.devices.disks
      virtctl explain vmnet.spec.network --recursive
      virtctl explain NWFilter.spec -o json
    """
    import json

    from analyser import explain as explanations

    if not path:
        if output is Report.json:
            typer.echo(json.dumps([_kind_json(kind) for kind in explanations.kinds()], indent=2))
        else:
            typer.echo("\n".join(_kind_lines(explanations.kinds())))
        return
    found = explanations.explain(path)
    if output is Report.json:
        whole = {"group": found.kind.group, "version": explanations.VERSION, "kind": found.kind.name}
        whole |= {"path": ".".join(found.path), **_entry_json(found.entry, deep=recursive, top=True)}
        typer.echo(json.dumps(whole, indent=2))
    else:
        typer.echo("\n".join(_text(found, explanations.VERSION, recursive=recursive)))


def _kind_lines(kinds: tuple[Kind, ...]) -> Iterator[str]:
    rows = [("KIND", "SHORTNAME", "APIGROUP", "DESCRIPTION")]
    rows += [(kind.name, kind.short or "-", kind.group, kind.whole.description) for kind in kinds]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join([*(text.ljust(width) for text, width in zip(row[:3], widths, strict=True)), row[3]])


def _kind_json(kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "group": kind.group,
        "shortName": kind.short or None,
        "plural": kind.plural or None,
        "namespaced": kind.namespaced,
        "description": kind.whole.description,
    }


def _entry_json(entry: Entry, *, deep: bool, top: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"key": entry.key, "type": entry.type, "description": entry.description}
    if entry.xml:
        found["xml"] = entry.xml
    if entry.enum:
        found["enum"] = list(entry.enum)
    if entry.required:
        found["required"] = True
    if (top or deep) and not entry.recursive:
        fields = [_entry_json(inner, deep=deep) for inner in entry.entries()]
        if fields:
            found["fields"] = fields
    return found


def _text(found: Explanation, version: str, *, recursive: bool) -> Iterator[str]:
    entry = found.entry
    yield f"GROUP:      {found.kind.group}"
    yield f"KIND:       {found.kind.name}"
    yield f"VERSION:    {version}"
    yield ""
    if found.path:
        yield f"FIELD:      {'.'.join(found.path)} <{entry.type}>{_required(entry)}"
        if entry.xml:
            yield f"XML:        {entry.xml}"
        if entry.enum:
            yield f"VALUES:     {', '.join(entry.enum)}"
        yield ""
    yield "DESCRIPTION:"
    yield from _wrapped(entry.description or "<none>", 4)
    fields = entry.entries()
    if not fields:
        return
    yield ""
    yield "FIELDS:"
    if recursive:
        yield from _tree(fields, 2)
        return
    for field in sorted(fields, key=lambda inner: inner.key):
        yield f"  {field.key} <{field.type}>{_required(field)}"
        if field.xml:
            yield f"    XML: {field.xml}"
        if field.enum:
            shown = ", ".join(field.enum[:_VALUES_SHOWN])
            yield from _wrapped(f"Values: {shown}{', ...' if len(field.enum) > _VALUES_SHOWN else ''}", 4)
        if field.description:
            yield from _wrapped(field.description, 4)
        yield ""


def _tree(fields: tuple[Entry, ...], indent: int) -> Iterator[str]:
    for field in sorted(fields, key=lambda inner: inner.key):
        yield f"{' ' * indent}{field.key} <{field.type}>{' (as above)' if field.recursive else ''}"
        if not field.recursive:
            yield from _tree(field.entries(), indent + 2)


def _required(entry: Entry) -> str:
    return " -required-" if entry.required else ""


def _wrapped(text: str, indent: int) -> Iterator[str]:
    import textwrap

    margin = " " * indent
    yield from textwrap.wrap(text, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
