"""Devices in and out of a guest, live, in its definition, or both, and waited for where the guest must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree

from executor.hypervisor.errors import Conflict, NotFound, WrongState
from executor.hypervisor.handle import Affect
from executor.node import devices
from executor.node.life import until
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor


def detach(
    hypervisor: Hypervisor,
    domain: Domain,
    find: Callable[[], Mapping[Affect, Any]],
    *,
    affect: Affect = Affect.CURRENT,
    timeout: float = 60.0,
) -> None:
    """Take out what *find* finds in each document, live and in the definition, or in *affect* alone.

    Live, waits *timeout* seconds (0: not at all) for the guest to let it go. Raises Conflict if it does not.
    """
    found = {where: element for where, element in find().items() if not affect or where & affect}
    if not found:
        raise NotFound(f"domain {domain.name}: it has no such device there", hint="leave out --live and --config")
    # What runs first: where that is refused, the definition stays as it was.
    for where, element in sorted(found.items()):
        domain.detach_device(etree.tostring(element, encoding="unicode"), where)
    if Affect.LIVE not in found or timeout <= 0:
        return

    def gone() -> bool:
        try:
            return Affect.LIVE not in find()
        except NotFound:
            return True

    if not until(hypervisor, domain, gone, timeout):
        raise Conflict(
            f"domain {domain.name}: the guest has not let the device go in {timeout:g} s",
            hint="it may use it still, or be too early in its boot; it is asked again when this is repeated",
        )


def change_media(domain: Domain, source: str | None, target: str | None, *, form: str | None = None) -> str:
    """Put *source* into the CD or floppy drive *target* (None: the only one), or empty it; return the drive's name."""
    drives = [disk for disk in devices.disks(domain) if disk.device in {"cdrom", "floppy"}]
    if not drives:
        raise NotFound(
            f"domain {domain.name}: it has no CD or floppy drive",
            hint="`virtctl edit` gives it one, a disk with `device: cdrom`, for its next start",
        )
    if target is None:
        if len(drives) != 1:
            have = ", ".join(disk.target for disk in drives)
            raise KubevmmError(f"domain {domain.name}: which drive?", hint=f"--target; it has {have}")
        target = drives[0].target
    if target not in {disk.target for disk in drives}:
        have = ", ".join(disk.target for disk in drives)
        raise NotFound(f"domain {domain.name}: it has no drive {target}", hint=f"it has {have}")
    for affect, element in devices.disk_elements(domain, target).items():
        for tag in ("source", "backingStore"):
            for old in element.findall(tag):
                element.remove(old)
        if source is not None:
            new = devices.parsed(
                devices.disk_document(source, target, "scsi", form=form, block=source.startswith("/dev/"))
            )
            element.set("type", new.get("type"))
            if (driver := element.find("driver")) is not None:
                element.remove(driver)
            element.insert(0, new.find("driver"))
            element.insert(1, new.find("source"))
        elif element.get("type") != "file":
            element.set("type", "file")
        domain.update_device(etree.tostring(element, encoding="unicode"), affect, force=True)
    return target


def resize(hypervisor: Hypervisor, domain: Domain, target: str, size: int) -> None:
    """Give the disk *target* *size* bytes, also while it is in use. Raises WrongState rather than make it smaller."""
    elements = devices.disk_elements(domain, target)
    capacity, _, _ = domain.block_info(target)
    if size < capacity:
        raise WrongState(
            f"domain {domain.name}: disk {target} has {capacity} bytes, and would lose what is beyond {size}",
            hint="disks only grow; copy it to a smaller one instead",
        )
    if size == capacity:
        return
    if Affect.LIVE in elements:
        domain.block_resize(target, size)
        return
    source = elements[Affect.CONFIG].find("source")
    if source is not None and source.get("pool"):
        volume = hypervisor.pools.by_name(source.get("pool")).volume(source.get("volume"))
    else:
        path = devices.source_of(elements[Affect.CONFIG])
        try:
            volume = hypervisor.pools.volume_by_path(path)
        except NotFound:
            raise WrongState(
                f"{path}: in no storage pool that runs, so libvirt resizes it only while the guest runs",
                hint="start it first, or use `qemu-img resize`",
            ) from None
    volume.resize(size)
