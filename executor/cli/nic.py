"""`virtctl nic`: a guest's network interfaces, attached, detached and listed by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.completing import guests
from executor.cli.disk import Config, Live
from executor.cli.durations import Timeout
from executor.cli.options import Report
from executor.cli.tables import Output, as_json, table
from executor.cli.targets import Connect, Name, Namespace, find, hypervisor_at, name_and, note_drift, target

app = typer.Typer(name="nic", help="List, attach and detach a guest's network interfaces.", no_args_is_help=True)


@app.command("list", no_args_is_help=True)
def list_nics(name: Name, *, output: Output = Report.text, namespace: Namespace = None, connect: Connect = "") -> None:
    """List a guest's network interfaces, with the addresses that are known.

    \b
    Examples:
      virtctl nic list web-1
      virtctl nic list vm web-1 -o json
    """
    from executor.hypervisor.guest import Guest
    from executor.node import devices

    with target(name, namespace, connect) as (_, domain):
        nics = devices.nics(domain)
        known = {each.mac: list(each.addresses) for each in Guest(domain).best_addresses()} if domain.active else {}
    if output is Report.json:
        typer.echo(as_json([devices.table(nic) | {"addresses": known.get(nic.mac, [])} for nic in nics]))
        return
    rows = ((n.mac, n.type, n.source, n.model, n.target, n.link, ",".join(known.get(n.mac, ()))) for n in nics)
    typer.echo(table(("MAC", "TYPE", "SOURCE", "MODEL", "TARGET", "LINK", "ADDRESSES"), rows))


@app.command("attach", no_args_is_help=True)
def attach(
    name: Name,
    *,
    network: Annotated[str | None, typer.Option("--network", help="A network of libvirt's.")] = None,
    bridge: Annotated[str | None, typer.Option("--bridge", help="A bridge of the host's.")] = None,
    direct: Annotated[str | None, typer.Option("--direct", help="A host interface, through macvtap.")] = None,
    user: Annotated[bool, typer.Option("--user", help="QEMU's own network, that needs no rights.")] = False,
    model: Annotated[str, typer.Option("--model", help="virtio, e1000e ...")] = "virtio",
    mac: Annotated[str | None, typer.Option("--mac", help="Its address, instead of a new one.")] = None,
    link: Annotated[str | None, typer.Option("--link", help="up or down.")] = None,
    live: Live = False,
    config: Config = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Attach a network interface to a guest: at once if it runs, and for its next starts.

    \b
    Examples:
      virtctl nic attach web-1 --network default
      virtctl nic attach vm web-1 --bridge br0 --mac 52:54:00:12:34:56
    """
    from executor.node import devices

    given = [(kind, source) for kind, source in
             (("network", network), ("bridge", bridge), ("direct", direct), ("user", "" if user else None))
             if source is not None]  # fmt: skip
    if len(given) != 1:
        raise typer.BadParameter("one of --network, --bridge, --direct and --user is needed")
    if link not in {None, "up", "down"}:
        raise typer.BadParameter(f"--link {link}: it is up or down")
    kind, source = given[0]
    with target(name, namespace, connect) as (_, domain):
        mac = (mac or devices.new_mac()).lower()
        xml = devices.nic_document(kind, source, model=model, mac=mac, link=link)
        domain.attach_device(xml, devices.affect_of(domain, live=live, config=config))
        typer.echo(f"nic/{mac} attached")
        note_drift(domain)


@app.command("detach", no_args_is_help=True)
def detach(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[vm] NAME MAC", help="A guest; an address, or the host's end (vnet0).", autocompletion=guests
        ),
    ],
    *,
    live: Live = False,
    config: Config = False,
    timeout: Timeout = 60.0,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Detach a network interface from a guest, and wait until the guest has let it go.

    \b
    Examples:
      virtctl nic detach web-1 52:54:00:12:34:56
    """
    from executor.hypervisor.handle import Affect
    from executor.node import devices, hotplug

    name, nic = name_and(words, "MAC")
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        affect = devices.affect_of(domain, live=live, config=config) if live or config else Affect.CURRENT
        # The host's end goes with it, the address does not.
        mac = next(iter(devices.nic_elements(domain, nic).values())).find("mac").get("address")
        hotplug.detach(hypervisor, domain, lambda: devices.nic_elements(domain, mac), affect=affect, timeout=timeout)
        typer.echo(f"nic/{mac} detached")
        note_drift(domain)
