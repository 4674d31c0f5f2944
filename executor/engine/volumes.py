"""Volumes behind VirtualMachineDisks and VirtualMachineImages: found, named, owned, written, and trusted or not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from analyser import sizes
from analyser.codec.encode import encode
from executor.engine import resolve, state
from executor.engine.objects import Ref
from executor.hypervisor.errors import NotFound
from executor.plan import actual
from schemas.errors import InputError, KubevmmError
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume

DISK: Final = "VirtualMachineDisk"
IMAGE: Final = "VirtualMachineImage"
_POOL: Final = "VirtualMachineStoragePool"
_FILES: Final = {"dir", "fs", "netfs", "vstorage", "gluster"}
"""Pools whose volumes are files, which may have any format."""
_LONGEST: Final = 200
"""Bytes of a name; file systems take 255, and some of our own are longer by a suffix."""


def name_of(declared: Declared) -> str:
    """Return the volume's name. Raises InputError for one that could lead out of its pool."""
    spec = declared.object.get("spec") or {}
    name = str((spec.get("volume") or {}).get("name") or declared.ref.name)
    if "/" in name or name.startswith(".") or not name.isprintable() or len(name.encode()) > _LONGEST:
        raise InputError(
            f"{declared.ref}: {name!r} cannot be a volume's name",
            path="spec.volume.name",
            hint="write one of at most 200 printable characters, without a / and not beginning with a dot",
        )
    backing = (spec.get("volume") or {}).get("backingStore")
    if backing:
        raise InputError(
            f"{declared.ref}: what a volume is based on is not named by its path, which could be any file of the node",
            path="spec.volume.backingStore",
            hint="name an image, a disk or a snapshot in spec.source, with clone: Linked",
        )
    return name


def pool_of(
    hypervisor: Hypervisor, reference: Mapping[str, Any], ref: Ref, every: Declarations, *, dry_run: bool = False
) -> Pool | None:
    """Return the pool that *reference* of the object *ref* means; None where it is only declared yet, in a dry run."""
    name = resolve.named(reference, ref, every, _POOL, "pool", ("spec", "poolRef"))
    try:
        return hypervisor.pools.by_name(name)
    except NotFound:
        declared = {
            str((each.object["spec"].get("pool") or {}).get("name") or each.ref.name)
            for each in every.objects
            if each.ref.kind == _POOL
        }
        if dry_run and name in declared:
            return None
        raise


def find(pool: Pool, name: str) -> Volume | None:
    """Return the volume *name* of *pool*, None if there is none."""
    try:
        return pool.volume(name)
    except NotFound:
        return None


def key(pool: Pool, name: str) -> str:
    """Return what stands for a volume in the state folder: it has no UUID, and its name may be any file's."""
    return hashlib.sha256(f"{pool.uuid}/{name}".encode()).hexdigest()[:32]


def check_owner(hypervisor: Hypervisor, pool: Pool, name: str, ref: Ref) -> None:
    """Raise KubevmmError where the volume is another object's."""
    for kind in (DISK, IMAGE):
        kept = state.load(hypervisor, kind, key(pool, name))
        if kept is not None and kept.ref != ref:
            raise KubevmmError(
                f"{ref}: the volume {name} of the pool {pool.name} belongs to {kept.ref} in the namespace "
                f"{kept.ref.namespace}",
                hint="give one of them another spec.volume.name",
            )


def capacity(spec: Mapping[str, Any]) -> int | None:
    """Return how many bytes *spec* (of a disk) asks for, None if it says nothing. Raises KubevmmError."""
    text = str(spec.get("capacity") or (spec.get("volume") or {}).get("capacity") or "")
    if not text or text.isdigit():
        return int(text) if text else None
    try:
        number, unit = sizes.parse(text, "bytes")
    except ValueError as error:
        raise KubevmmError(f"spec.capacity: {error}") from None
    if unit not in (None, "bytes"):
        raise KubevmmError(f"spec.capacity: {text} is not a quantity such as 20Gi")
    return int(number)


def xml(node: Mapping[str, Any]) -> str:
    """Return the document of a volume."""
    root = table().roots["volume"]
    return encode(dict(node), root.type, root.element, table().namespaces, path=("spec", "volume"), libvirt_order=True)


def new(spec: Mapping[str, Any], name: str, size: int, form: str | None, pool: Pool) -> dict[str, Any]:
    """Return the volume that *spec* asks for, of *size* bytes; *form* is its format unless the spec says another."""
    node = {"name": name, "allocation": "0 bytes", **(spec.get("volume") or {}), "capacity": f"{size} bytes"}
    if form is not None and in_files(pool):
        target = dict(node.get("target") or {})
        target["format"] = {"type": form, **(target.get("format") or {})}
        node["target"] = target
    return node


def in_files(pool: Pool) -> bool:
    """Say whether the volumes of *pool* are files."""
    return actual.document(pool.xml())[0].get("type") in _FILES


def document(volume: Volume) -> dict[str, Any]:
    """Return the document of *volume*, decoded."""
    return actual.document(volume.xml())[0]


@dataclass(frozen=True)
class Content:
    """What libvirt sees in a volume: its format, and what it is based on (empty: nothing)."""

    format: str
    backing: str


def content(volume: Volume) -> Content:
    """Return what libvirt saw in *volume* when it looked last."""
    there = document(volume)
    form = str(((there.get("target") or {}).get("format") or {}).get("type") or "raw")
    return Content(form, str((there.get("backingStore") or {}).get("path") or ""))


def trusted(pool: Pool, volume: Volume, facts: Mapping[str, Any]) -> Content:
    """Return what is in *volume*, looked at anew. Raises KubevmmError where that is not what was put there.

    A guest writes what it likes to its raw disk, also a header that makes it look like an image which is based on any
    file of the node: whoever copies it by that header copies the file.
    """
    pool.settle()
    found = content(volume)
    wanted = Content(str(facts.get("format") or "raw"), str(facts.get("backing") or ""))
    if found.format == "iso" and wanted.format == "raw":
        found = Content("raw", found.backing)
    if found != wanted:
        based = f", based on {found.backing}" if found.backing else ""
        raise KubevmmError(
            f"the volume {volume.name} of the pool {pool.name} is {wanted.format}, and its content claims to be "
            f"{found.format}{based}: nothing is made from it",
            hint="whoever writes to it may have put another header there",
        )
    return found


def depths(declared: Declarations) -> dict[Ref, int]:
    """Return for each disk and image of *declared* how many others of it must be there first."""
    below = {each.ref: _made_from(each) for each in declared.objects if each.ref.kind in (DISK, IMAGE)}
    found: dict[Ref, int] = {}
    for ref, first in below.items():
        seen, at = {ref}, first
        while at in below and at not in seen:
            seen.add(at)
            at = below[at]
        found[ref] = len(seen) - 1
    return found


def _made_from(declared: Declared) -> Ref:
    source = (declared.object.get("spec") or {}).get("source") or {}
    key, kind = ("imageRef", IMAGE) if "imageRef" in source else ("diskRef", DISK)
    reference = source.get(key) or {}
    return Ref(kind, str(reference.get("namespace") or declared.ref.namespace), str(reference.get("name") or ""))


def with_formats(hypervisor: Hypervisor, domain: dict[str, Any], ref: Ref, every: Declarations) -> dict[str, Any]:
    """Return *domain*, of the guest *ref*, with the format of each disk that is an object's volume, where it says none.

    libvirt would take such a disk for raw; its content is never asked, since a guest may have written that. Of a volume
    that another node made, *every* has it in the status.
    """
    devices = domain.get("devices") or {}
    disks = devices.get("disks") or ()
    if not any("diskRef" in (each.get("source") or {}) for each in disks):
        return domain
    return {**domain, "devices": {**devices, "disks": [_with_format(hypervisor, each, ref, every) for each in disks]}}


def _with_format(hypervisor: Hypervisor, disk: dict[str, Any], ref: Ref, every: Declarations) -> dict[str, Any]:
    source, driver = disk.get("source") or {}, disk.get("driver") or {}
    if "diskRef" not in source or driver.get("type"):
        return disk
    try:
        pool = hypervisor.pools.by_name(str(source.get("pool")))
    except NotFound:
        return disk
    kept = state.load(hypervisor, DISK, key(pool, str(source.get("volume"))))
    declared = every.find(Ref(DISK, ref.namespace, str(source["diskRef"].get("name"))))
    told = (declared.object.get("status") or {}).get("format") if declared is not None else None
    form = kept.facts.get("format") if kept is not None else told
    return disk if form in (None, "raw") else {**disk, "driver": {**driver, "type": form}}
