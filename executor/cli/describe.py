"""`virtctl describe`: all that there is to say of guests, or of any other objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli import messages
from executor.cli.completing import objects
from executor.cli.declared import Files, Recursive, declared
from executor.cli.options import Report
from executor.cli.tables import Output, as_json, size, table
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, find, hypervisor_at, mark_of
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.hypervisor import Hypervisor

GUEST = "VirtualMachine"


def describe(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND] NAME...", help="web-1, vm web-1, vmdisk root, or vmimage/debian.", autocompletion=objects
        ),
    ] = None,
    *,
    filename: Files = None,
    recursive: Recursive = False,
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
      virtctl describe -f web-1.yaml
    """
    from executor.cli.refs import parse

    if bool(words) == bool(filename):
        raise typer.BadParameter("name either objects or files")
    if filename:
        asked = declared(filename, namespace, recursive)
    else:
        asked = [(kind, namespace, names) for kind, names in parse(words or (), bare=GUEST).items()]
    wanted = [(kind, place, name) for kind, place, names in asked for name in names]
    if not wanted:
        raise typer.BadParameter("a name is missing")
    texts: list[str] = []
    found: list[dict[str, Any]] = []
    code = 0
    with hypervisor_at(connect) as hypervisor:
        for kind, place, name in wanted:
            try:
                told, text = _guest(hypervisor, name, place) if kind == GUEST else _other(hypervisor, kind, name, place)
            except KubevmmError as error:
                if len(wanted) == 1:
                    raise
                messages.failure(error)
                code = 1
                continue
            found.append(told)
            texts.append("\n".join(text))
    if output is Report.json:
        typer.echo(as_json(found[0] if len(wanted) == 1 else found))
    elif texts:
        typer.echo("\n\n\n".join(texts))
    raise typer.Exit(code)


def _guest(hypervisor: Hypervisor, name: str, namespace: str | None) -> tuple[dict[str, Any], Iterator[str]]:
    from executor.node.facts import facts

    domain = find(hypervisor, name, namespace)
    found = facts(domain, mark_of(domain))
    return found, _text(found)


def _other(hypervisor: Hypervisor, kind: str, name: str, namespace: str | None) -> tuple[dict[str, Any], Iterator[str]]:
    from executor.cli import describing

    found = describing.find(hypervisor, kind, name, namespace or DEFAULT_NAMESPACE)
    return found, describing.text(found)


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
