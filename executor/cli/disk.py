"""`virtctl disk`: a guest's disks, attached, detached, listed and grown by hand."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from executor.cli.completing import guests
from executor.cli.durations import Timeout
from executor.cli.options import Report
from executor.cli.tables import Output, as_json, size, table
from executor.cli.targets import Connect, Name, Namespace, find, hypervisor_at, name_and, note_drift, target

app = typer.Typer(name="disk", help="List, attach, detach and grow a guest's disks.", no_args_is_help=True)

Live: TypeAlias = Annotated[bool, typer.Option("--live", help="Only what runs, not the definition.")]
Config: TypeAlias = Annotated[bool, typer.Option("--config", help="Only the definition, not what runs.")]


@app.command("list", no_args_is_help=True)
def list_disks(name: Name, *, output: Output = Report.text, namespace: Namespace = None, connect: Connect = "") -> None:
    """List a guest's disks, with sizes.

    \b
    Examples:
      virtctl disk list web-1
      virtctl disk list vm web-1 -o json
    """
    from executor.node import devices

    with target(name, namespace, connect) as (_, domain):
        disks = devices.disks(domain, sizes=True)
    if output is Report.json:
        typer.echo(as_json([devices.table(disk) for disk in disks]))
        return
    rows = ((d.target, d.device, d.bus, d.format, size(d.capacity), size(d.allocation), d.source) for d in disks)
    typer.echo(table(("TARGET", "DEVICE", "BUS", "FORMAT", "CAPACITY", "ALLOCATION", "SOURCE"), rows))


@app.command("attach", no_args_is_help=True)
def attach(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[vm] NAME SOURCE", help="A guest; a path, or POOL/VOLUME.", autocompletion=guests),
    ],
    *,
    to: Annotated[str | None, typer.Option("--target", help="The disk's name, such as vdb.")] = None,
    bus: Annotated[str, typer.Option("--bus", help="virtio, scsi, sata, usb ...")] = "virtio",
    form: Annotated[
        str | None,
        typer.Option("--format", help="raw, qcow2 ...; without it, as the name ends (.qcow2), else raw."),
    ] = None,
    readonly: Annotated[bool, typer.Option("--readonly", help="The guest may not write it.")] = False,
    serial: Annotated[str | None, typer.Option("--serial", help="The serial number that the guest sees.")] = None,
    cache: Annotated[str | None, typer.Option("--cache", help="none, writeback, writethrough ...")] = None,
    live: Live = False,
    config: Config = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Attach a disk to a guest: at once if it runs, and for its next starts.

    What an image's content says of itself is never believed: the format is what is asked for, or how the name ends.

    \b
    Examples:
      virtctl disk attach web-1 /images/data.qcow2
      virtctl disk attach vm web-1 default/data.qcow2 --target vdb
      virtctl disk attach web-1 /dev/vg/data --bus scsi --live
    """
    from executor.node import devices

    name, source = name_and(words, "SOURCE")
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        disk = to or devices.free_target(domain, bus)
        xml = devices.disk_document(
            source, disk, bus, form=form, readonly=readonly, serial=serial, cache=cache,
            block=source.startswith("/dev/"),
        )  # fmt: skip
        domain.attach_device(xml, devices.affect_of(domain, live=live, config=config))
        typer.echo(f"disk/{disk} attached")
        note_drift(domain)


@app.command("detach", no_args_is_help=True)
def detach(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[vm] NAME TARGET", help="A guest; its disk, such as vdb.", autocompletion=guests),
    ],
    *,
    live: Live = False,
    config: Config = False,
    timeout: Timeout = 60.0,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Detach a disk from a guest, and wait until the guest has let it go. What is on it stays.

    \b
    Examples:
      virtctl disk detach web-1 vdb
      virtctl disk detach vm web-1 vdb --config
    """
    from executor.hypervisor.handle import Affect
    from executor.node import devices, hotplug

    name, disk = name_and(words, "TARGET")
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        affect = devices.affect_of(domain, live=live, config=config) if live or config else Affect.CURRENT
        hotplug.detach(hypervisor, domain, lambda: devices.disk_elements(domain, disk), affect=affect, timeout=timeout)
        typer.echo(f"disk/{disk} detached")
        note_drift(domain)


@app.command("resize", no_args_is_help=True)
def resize(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[vm] NAME TARGET SIZE", help="A guest; its disk; a size such as 20Gi.", autocompletion=guests
        ),
    ],
    *,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Make a guest's disk larger, also while it runs; disks never shrink.

    \b
    Examples:
      virtctl disk resize web-1 vda 20Gi
    """
    from analyser.sizes import parse
    from executor.node import hotplug

    name, disk, wanted = name_and(words, "TARGET", "SIZE")
    try:
        count, _ = parse(wanted, "bytes")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not count.isdigit():
        raise typer.BadParameter(f"{wanted!r} is not a size; write a quantity such as 512Mi or 4Gi")
    with hypervisor_at(connect) as hypervisor:
        domain = find(hypervisor, name, namespace)
        hotplug.resize(hypervisor, domain, disk, int(count))
        typer.echo(f"disk/{disk} resized")
