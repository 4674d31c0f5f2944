"""What a volume is made from: an image, a disk, or a disk as a snapshot keeps it; found, whole, and safe to read."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from executor.engine import kept as keeping
from executor.engine import snapshots, state, usage, volumes
from executor.engine.objects import Ref
from executor.hypervisor.errors import Conflict, NotFound
from executor.node.devices import parsed
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume


@dataclass(frozen=True)
class Origin:
    """The volume to make another one from, what is in it, and how many bytes a guest sees of it."""

    pool: Pool
    volume: Volume
    format: str
    capacity: int


def image(hypervisor: Hypervisor, reference: Mapping[str, Any], owner: Ref, pool: Pool | None) -> Origin:
    """Return the copy of an image that is nearest to *pool*. Raises NotFound where none is whole."""
    ref = Ref(volumes.IMAGE, str(reference.get("namespace") or owner.namespace), str(reference.get("name")))
    found = []
    for _, kept in keeping.kept_of(hypervisor, ref):
        there = None if kept.new else keeping.volume_of(hypervisor, kept)
        if there is not None:
            found.append((pool is None or there[0].uuid != pool.uuid, *there, kept))
    if not found:
        raise NotFound(
            f"{owner}: there is no {ref} in {ref.namespace} that is ready", hint="give its file with -f, too"
        )
    _, where, volume, kept = min(found, key=lambda each: each[0])
    return _of(where, volume, kept)


def disk(hypervisor: Hypervisor, ref: Ref, owner: Ref, *, linked: bool = False) -> Origin:
    """Return the volume of the disk *ref*.

    Raises NotFound where it is not there, Conflict where a guest is writing to it, and for a *linked* clone also where
    one could.
    """
    for _, kept in keeping.kept_of(hypervisor, ref):
        there = None if kept.new else keeping.volume_of(hypervisor, kept)
        if there is not None:
            check_still(hypervisor, *there, owner, linked=linked)
            return _of(*there, kept)
    raise NotFound(f"{owner}: there is no {ref} in {ref.namespace} that is ready", hint="give its file with -f, too")


def check_still(hypervisor: Hypervisor, pool: Pool, volume: Volume, owner: Ref, *, linked: bool = False) -> None:
    """Raise Conflict where a guest writes to *volume* now, or where *linked* whenever it runs."""
    writers = [use for use in usage.guests_of(hypervisor, pool, volume) if use.writes and (use.running or linked)]
    if not writers:
        return
    name = writers[0].domain.name
    if writers[0].running or any(use.running for use in writers):
        raise Conflict(
            f"{owner}: the guest {name} is writing to {pool.name}/{volume.name}", hint="stop it, or take a snapshot"
        )
    raise Conflict(
        f"{owner}: the guest {name} may write to {pool.name}/{volume.name}, which would destroy what is based on it",
        hint="make a full clone (clone: Full), or take the disk out of the guest",
    )


def snapshot(hypervisor: Hypervisor, reference: Mapping[str, Any], owner: Ref) -> Origin:
    """Return the volume that keeps a disk as it was at a snapshot.

    Only an external snapshot leaves one: the file that the guest wrote to until then. Raises NotFound and KubevmmError.
    """
    ref = Ref(snapshots.KIND, owner.namespace, str(reference.get("name")))
    kept = state.load(hypervisor, snapshots.KIND, snapshots.place(ref))
    taken = snapshots.snapshot_of(hypervisor, kept) if kept is not None and not kept.new else None
    if taken is None:
        raise NotFound(
            f"{owner}: there is no {ref} in {ref.namespace} that was taken",
            hint="give its file with -f, too; the next apply goes on, when it is taken",
        )
    document = parsed(taken.xml())
    target = str(reference.get("target") or "")
    if not target:
        first = document.find("domain/devices/disk[@device='disk']/target")
        target = first.get("dev", "") if first is not None else ""
    entry = next((each for each in document.iterfind("disks/disk") if each.get("name") == target), None)
    if entry is None or entry.get("snapshot") != "external":
        raise KubevmmError(
            f"{owner}: {ref} keeps {target or 'its disks'} inside the guest's own volume, where libvirt cannot copy it",
            hint="take a snapshot of the disks alone, with files of their own (snapshot: external)",
        )
    for each in document.iterfind("domain/devices/disk"):
        source = each.find("source")
        if each.find("target").get("dev") == target and source is not None:
            volume = volume_at(hypervisor, source)
            pool = hypervisor.pools.of(volume)
            driver = each.find("driver")
            form = driver.get("type", "raw") if driver is not None else "raw"
            backing = volumes.content(volume).backing
            return _of_facts(pool, volume, {"format": form, "backing": backing})
    raise NotFound(f"{owner}: {ref} has no disk {target}")


def volume_at(hypervisor: Hypervisor, source: Any) -> Volume:
    """Return the volume that the source element of a disk names. Raises NotFound where it is in no pool that runs."""
    if source.get("pool"):
        return hypervisor.pools.by_name(source.get("pool")).volume(source.get("volume"))
    return hypervisor.pools.volume_by_path(posixpath.normpath(source.get("file") or source.get("dev") or "/"))


def _of(pool: Pool, volume: Volume, kept: state.Kept) -> Origin:
    return _of_facts(pool, volume, kept.facts)


def _of_facts(pool: Pool, volume: Volume, facts: Mapping[str, Any]) -> Origin:
    found = volumes.trusted(pool, volume, facts)
    return Origin(pool, volume, found.format, volume.info().capacity)
