"""VirtualMachineDisks: blank volumes made in their pools, taken as they are where they exist, and grown."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from analyser import sizes
from analyser.codec.encode import encode
from executor.engine import resolve, state
from executor.engine.guests import Outcome, Result
from executor.hypervisor.errors import NotFound
from schemas.errors import KubevmmError
from schemas.table import table

if TYPE_CHECKING:
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume

KIND = "VirtualMachineDisk"


def apply(hypervisor: Hypervisor, declared: Declared, every: Declarations, *, dry_run: bool = False) -> Result:
    """Make the volume, or let it grow. Raises KubevmmError where it is somebody else's, or would lose data."""
    spec = declared.object.get("spec") or {}
    pool = _pool(hypervisor, declared, every, dry_run=dry_run)
    name = str((spec.get("volume") or {}).get("name") or declared.ref.name)
    volume = _volume(pool, name) if pool is not None else None
    if pool is None or volume is None:
        _check_new(declared, spec)
        if pool is not None and not dry_run:
            made = pool.create_volume(_xml(spec, name))
            state.save(hypervisor, declared, _key(pool, made.name), active=True)
        return Result(Outcome.CREATED)
    kept = state.load(hypervisor, KIND, _key(pool, name))
    if kept is not None and kept.ref != declared.ref:
        raise KubevmmError(f"{declared.ref}: the volume {name} of the pool {pool.name} belongs to {kept.ref}")
    if kept is None and spec.get("source"):
        raise KubevmmError(
            f"{declared.ref}: the pool {pool.name} has a volume {name} already, which is not managed",
            hint="without spec.source it is taken as it is",
        )
    wanted, has = _capacity(spec), volume.info().capacity
    if wanted is not None and wanted < has:
        raise KubevmmError(f"{declared.ref}: the volume has {has} bytes: to shrink it to {wanted} would cut off data")
    grows = wanted is not None and wanted > has
    if kept is None and grows:
        raise KubevmmError(f"{declared.ref}: the volume {name} is here, is not managed, and differs: capacity")
    if not dry_run:
        if grows and wanted is not None:
            volume.resize(wanted)
        state.save(hypervisor, declared, _key(pool, name), active=True)
    if kept is None:
        return Result(Outcome.ADOPTED)
    return Result(Outcome.CONFIGURED if grows else Outcome.UNCHANGED)


def _pool(hypervisor: Hypervisor, declared: Declared, every: Declarations, *, dry_run: bool) -> Pool | None:
    reference = (declared.object.get("spec") or {}).get("poolRef")
    if not reference:
        raise KubevmmError(f"{declared.ref}: which pool is it in?", hint="name it in spec.poolRef")
    name = resolve.named(reference, declared.ref, every, "VirtualMachineStoragePool", "pool", ("spec", "poolRef"))
    try:
        return hypervisor.pools.by_name(name)
    except NotFound:
        if dry_run and name in _declared_pools(every):
            return None
        raise


def _declared_pools(every: Declarations) -> set[str]:
    pools = [each for each in every.objects if each.ref.kind == "VirtualMachineStoragePool"]
    return {str((each.object["spec"].get("pool") or {}).get("name") or each.ref.name) for each in pools}


def _volume(pool: Pool, name: str) -> Volume | None:
    try:
        return pool.volume(name)
    except NotFound:
        return None


def _check_new(declared: Declared, spec: dict[str, Any]) -> None:
    other = [key for key in spec.get("source") or {} if key != "blank"]
    if other:
        raise KubevmmError(f"{declared.ref}: a node by itself makes blank volumes only so far, not from {other[0]}")
    if _capacity(spec) is None:
        raise KubevmmError(f"{declared.ref}: a new volume needs spec.capacity")


def _capacity(spec: dict[str, Any]) -> int | None:
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


def _xml(spec: dict[str, Any], name: str) -> str:
    root = table().roots["volume"]
    node = {"name": name, **(spec.get("volume") or {}), "capacity": f"{_capacity(spec)} bytes"}
    return encode(node, root.type, root.element, table().namespaces, path=("spec", "volume"), libvirt_order=True)


def _key(pool: Pool, name: str) -> str:
    # A volume has no UUID, and its name may be any file's.
    return hashlib.sha256(f"{pool.uuid}/{name}".encode()).hexdigest()[:32]
