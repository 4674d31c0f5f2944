"""A guest made from another: what it writes to is cloned, and its name, UUID and MAC addresses are its own."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from analyser.names import GROUP, object_name
from executor.engine import disks, making, origins, state, store, volumes
from executor.engine import kept as keeping
from executor.engine.guests import now
from executor.engine.objects import Ref
from executor.engine.origins import Origin
from executor.engine.source import Declared
from executor.hypervisor.errors import Conflict, NotFound
from executor.node.devices import new_mac, parsed
from executor.plan import actual
from executor.plan import mark as marks
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.engine.landing import Progress
    from executor.engine.store import Guest
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.volumes import Volume

_SHARED: Final = {"cdrom", "floppy"}
"""Devices whose media the clone has as well."""


@dataclass(frozen=True)
class Cloned:
    """What came of it: the new domain's name, and what a person should know besides."""

    domain: str
    notes: tuple[str, ...] = ()


def clone(
    hypervisor: Hypervisor,
    guest: Guest,
    name: str,
    *,
    namespace: str,
    linked: bool = False,
    progress: Progress | None = None,
) -> Cloned:
    """Make the guest *name* from *guest*, which must be off; an object in *namespace* where *guest* is one.

    *linked* clones have the guest's volumes as their backing store; *progress* is told how far the copies of others
    are. Raises KubevmmError, leaving nothing behind; what a kill leaves, the same call makes good.
    """
    domain = guest.domain
    if object_name(name) != name:
        raise KubevmmError(
            f"{name} cannot be a guest's name", hint=f"such as {object_name(name) or 'web-2'}: a-z, 0-9 and -"
        )
    ref = Ref("VirtualMachine", namespace, name)
    if domain.active:
        raise Conflict(
            f"the guest {domain.name} runs, and writes to its disks", hint=f"`virtctl stop {guest.ref.name}`"
        )
    prefix = (
        f"{guest.ref.namespace}_"
        if guest.mark is not None and domain.name == f"{guest.ref.namespace}_{guest.ref.name}"
        else ""
    )
    new = f"{namespace}_{name}" if prefix else name
    if store.by_name(hypervisor, new) is not None and making.whole(hypervisor, new):
        # A kill came between the last two steps.
        return Cloned(new)
    if store.by_name(hypervisor, new) is not None or (
        guest.mark is not None and store.lookup(hypervisor, ref) is not None
    ):
        raise Conflict(f"there is a guest {name} already", hint="take another name")
    tree = parsed(domain.xml(inactive=True, secure=True))
    found = list(_written(hypervisor, tree, domain.name))
    made: list[tuple[Ref, Any, Volume]] = []
    with keeping.alone(hypervisor, ref):
        try:
            for element, origin in found:
                disk, volume = _disk(hypervisor, element, origin, ref, new, progress, linked=linked)
                made.append((disk, element, volume))
            for _, element, volume in made:
                _point(element, volume, linked=linked)
            _rename(tree, new)
            _mark(tree, guest, ref)
            hypervisor.domains.define(etree.tostring(tree, encoding="unicode"))
        except KubevmmError:
            for disk, _, _ in made:
                with contextlib.suppress(KubevmmError):
                    disks.delete(hypervisor, disk)
            raise
        making.whole(hypervisor, new)
    return Cloned(new, tuple(_notes(tree, guest, linked=linked)))


def _written(hypervisor: Hypervisor, tree: Any, name: str) -> Iterator[tuple[Any, Origin]]:
    """Yield the disks that the guest writes to, each with the volume that it is."""
    for element in tree.iterfind("devices/disk"):
        source = element.find("source")
        apart = element.get("device") in _SHARED or any(
            element.find(tag) is not None for tag in ("readonly", "shareable")
        )
        if apart or source is None:
            continue
        target = element.find("target").get("dev", "")
        try:
            volume = origins.volume_at(hypervisor, source)
        except NotFound:
            raise KubevmmError(
                f"the disk {target} of {name} is no volume of a pool that runs, so libvirt cannot copy it",
                hint="define a pool for its folder: kind VirtualMachineStoragePool",
            ) from None
        pool = hypervisor.pools.of(volume)
        driver = element.find("driver")
        form = driver.get("type", "raw") if driver is not None else "raw"
        kept = state.load(hypervisor, volumes.DISK, volumes.key(pool, volume.name))
        facts = kept.facts if kept is not None and "format" in kept.facts else {}
        backing = facts.get("backing") if facts else volumes.content(volume).backing if form != "raw" else ""
        content = volumes.trusted(pool, volume, {"format": form, "backing": backing})
        yield element, Origin(pool, volume, content.format, volume.info().capacity)


def _disk(
    hypervisor: Hypervisor,
    element: Any,
    origin: Origin,
    ref: Ref,
    new: str,
    progress: Progress | None,
    *,
    linked: bool,
) -> tuple[Ref, Volume]:
    """Return the clone of a disk, an object of its own that `get` shows and `delete` deletes."""
    target = element.find("target").get("dev", "")
    told = None if progress is None else lambda what, done, size: progress(f"{what} {target}", done, size)
    name = f"{new}-{target}{PurePosixPath(origin.volume.name).suffix if not linked else '.qcow2'}"
    form = "qcow2" if linked else origin.format
    disk = Ref(disks.KIND, ref.namespace, f"{ref.name}-{target}")
    volume: dict[str, Any] = {"name": name, "target": {}}
    if volumes.in_files(origin.pool):
        volume["target"]["format"] = {"type": form}
    elif linked:
        raise KubevmmError(f"the pool {origin.pool.name} has no files, so nothing in it can be linked")
    spec = {"poolRef": {"name": origin.pool.name}, "volume": volume}
    obj = {
        "apiVersion": GROUP,
        "kind": disks.KIND,
        "metadata": {"name": disk.name, "namespace": disk.namespace},
        "spec": spec,
    }
    document = volumes.new(spec, name, origin.capacity, None, origin.pool)
    if linked:
        document["backingStore"] = {"path": origin.volume.path(), "format": {"type": origin.format}}
    volumes.check_owner(hypervisor, origin.pool, name, disk)
    declared = Declared(disk, obj, "virtctl clone")
    copied = None if linked else origin
    return disk, making.fill(
        hypervisor, declared, origin.pool, document, copied, origin.capacity, guest=new, progress=told,
        still=lambda: origins.check_still(hypervisor, origin.pool, origin.volume, disk),
    )  # fmt: skip


def _point(element: Any, volume: Volume, *, linked: bool) -> None:
    """Let a disk's element name *volume*."""
    source = element.find("source")
    for key in ("file", "dev", "volume"):
        if source.get(key):
            source.set(key, volume.name if key == "volume" else volume.path())
    for below in element.findall("backingStore"):
        element.remove(below)
    if linked:
        driver = element.find("driver")
        if driver is None:
            driver = etree.SubElement(element, "driver", name="qemu")
        driver.set("type", "qcow2")


def _rename(tree: Any, name: str) -> None:
    """Give the document a name, a UUID, MAC addresses and all else that no two guests may share."""
    made = str(uuid.uuid4())
    tree.find("name").text = name
    tree.find("uuid").text = made
    for entry in tree.iterfind("sysinfo/system/entry[@name='uuid']"):
        # libvirt refuses a guest whose two UUIDs differ.
        entry.text = made
    for generation in tree.iterfind("genid"):
        generation.text = None
    for nvram in tree.iterfind("os/nvram"):
        nvram.text = None
        for child in list(nvram):
            nvram.remove(child)
    for interface in tree.iterfind("devices/interface"):
        for address in interface.findall("mac"):
            address.set("address", new_mac())
        for target in interface.findall("target"):
            interface.remove(target)
    for channel in tree.iterfind("devices/channel"):
        for source in channel.findall("source[@mode='bind']"):
            channel.remove(source)


def _mark(tree: Any, guest: Guest, ref: Ref) -> None:
    """Put the clone's own mark in place of the guest's; without one it is plain libvirt's, as the guest is."""
    metadata = tree.find("metadata")
    if metadata is not None:
        for element in metadata.findall(f"{{{marks.URI}}}applied"):
            metadata.remove(element)
    if guest.mark is None:
        return
    spec = {key: each for key, each in (guest.object.get("spec") or {}).items() if key not in ("running", "cloudInit")}
    spec |= {"runStrategy": "Manual", "deletionPolicy": "Delete", "domain": actual.document(etree.tostring(tree))[0]}
    obj = {
        "apiVersion": GROUP,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "creationTimestamp": now()},
        "spec": spec,
    }
    if metadata is None:
        metadata = etree.Element("metadata")
        tree.find("uuid").addnext(metadata)
    made = marks.make(ref.namespace, ref.name, tree.findtext("uuid"), obj)
    metadata.append(etree.fromstring(made.element()))


def _notes(tree: Any, guest: Guest, *, linked: bool) -> Iterator[str]:
    if linked:
        yield f"{guest.ref.name} must not run as long as this clone stands on its disks: that would destroy the clone"
    if tree.find("os/nvram") is not None:
        yield "its firmware starts with fresh variables"
    if tree.find("devices/hostdev") is not None:
        yield "it has the same host devices: only one of the two can run"
    if any(each.get("autoport") == "no" for each in tree.iterfind("devices/graphics")):
        yield "its screen has the same port: only one of the two can run"
