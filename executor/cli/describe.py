"""`virtctl describe`: all that there is to say of one guest, or of any other object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli import messages
from executor.cli.completing import objects
from executor.cli.options import Report
from executor.cli.tables import Output, as_json, size, table
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, hypervisor_at, mark_of, target

if TYPE_CHECKING:
    from collections.abc import Iterator


def describe(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[KIND] NAME", help="web-1, vm web-1, vmdisk root, or vmimage/debian.", autocompletion=objects
        ),
    ],
    *,
    output: Output = Report.text,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Show how a guest is, what it is made of, its addresses and its snapshots; or how another object is.

    \b
    Examples:
      virtctl describe web-1
      virtctl describe vm web-1 -o json
      virtctl describe vmdisk root
    """
    kind, name = _other(words)
    if kind:
        from executor.cli import describing

        with hypervisor_at(connect) as hypervisor:
            obj = describing.find(hypervisor, kind, name, namespace or DEFAULT_NAMESPACE)
        typer.echo(as_json(obj) if output is Report.json else "\n".join(describing.text(obj)))
        return
    from executor.node.facts import facts

    with target(words, namespace, connect) as (_, domain):
        found = facts(domain, mark_of(domain))
    typer.echo(as_json(found) if output is Report.json else "\n".join(_text(found)))


def _other(words: list[str]) -> tuple[str, str]:
    """Return the kind and the name of an object that is no guest; nothing where a guest is meant."""
    from executor.engine.objects import kind_of

    first, slash, rest = words[0].partition("/")
    kind = kind_of(first) if slash or len(words) > 1 else None
    if kind is None or kind.name == "VirtualMachine":
        return "", ""
    names = ([rest] if slash else []) + words[1:]
    if len(names) != 1 or not names[0]:
        raise typer.BadParameter(f"one {kind.short} is expected, not {len(names)}")
    return kind.name, names[0]


def _text(found: dict[str, Any]) -> Iterator[str]:
    lines = {
        "Name": found["name"],
        "Namespace": found["namespace"],
        "Domain": found["domain"],
        "UUID": found["uuid"],
        "Title": found["title"],
        "Description": found["description"],
        "State": f"{found['state']} ({found['reason']})",
        "Persistent": _yes(found["persistent"]),
        "Autostart": _yes(found["autostart"]),
        "Saved": _yes(found["managedSave"]),
        "Restart required": ", ".join(found["restartRequired"]),
        "Hypervisor": found["hypervisor"],
        "Machine": " ".join(filter(None, (found["architecture"], found["machine"]))),
        "vCPUs": _of(found["vcpus"], found["maxVcpus"]),
        "Memory": _of(size(found["memory"]), size(found["maxMemory"])),
    }
    for heading, value in lines.items():
        if value not in {None, ""} or heading == "Namespace":
            yield f"{heading + ':':<18}{messages.one_line(str(value)) if value else '<none>'}"
    for each in found["graphics"]:
        where = each["socket"] or (f"{each['address'] or ''}:{each['port']}" if each["port"] else "<none>")
        yield f"{'Graphics:':<18}{each['type']} {messages.one_line(where)}"
    addresses = {each["mac"]: ", ".join(each["addresses"]) for each in found["addresses"]}
    yield from _section(
        "Disks",
        ("TARGET", "DEVICE", "BUS", "FORMAT", "CAPACITY", "ALLOCATION", "SOURCE"),
        [
            (d["target"], d["device"], d["bus"], d["format"], size(d["capacity"]), size(d["allocation"]), d["source"])
            for d in found["disks"]
        ],
    )
    yield from _section(
        "Interfaces",
        ("MAC", "TYPE", "SOURCE", "MODEL", "TARGET", "LINK", "ADDRESSES"),
        [
            (n["mac"], n["type"], n["source"], n["model"], n["target"], n["link"], addresses.get(n["mac"]))
            for n in found["interfaces"]
        ],
    )
    yield from _section(
        "Devices",
        ("DEVICE", "MODEL", "ALIAS"),
        [(d["device"], d["model"], d["alias"]) for d in found["devices"]],
    )
    yield from _section(
        "Snapshots",
        ("NAME", "PARENT", "CREATED", "STATE", "CURRENT"),
        [(s["name"], s["parent"], s["created"], s["state"], _yes(s["current"])) for s in found["snapshots"]],
    )


def _section(heading: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Iterator[str]:
    if not rows:
        yield f"{heading + ':':<18}<none>"
        return
    yield f"{heading}:"
    for line in table(columns, rows).splitlines():
        yield f"  {line}"


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _of(now: object, most: object) -> str:
    return str(now or most or "") if now == most or not most else f"{now} of {most}"
