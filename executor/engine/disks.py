"""VirtualMachineDisks: volumes made once, blank or from something else, taken where they exist, grown, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from executor.engine import kept as keeping
from executor.engine import making, origins, state, usage, volumes
from executor.engine.guests import Outcome, Result, now
from executor.engine.objects import Ref
from executor.hypervisor.errors import Conflict, NotFound
from executor.plan import actions
from executor.plan import volume as planner
from executor.plan.actions import listed
from executor.plan.domain import Difference
from executor.plan.merge import Cause, merge, path_text
from executor.storage.headers import Refused
from schemas.errors import InputError, KubevmmError
from schemas.table import table

if TYPE_CHECKING:
    from executor.engine.landing import Progress
    from executor.engine.origins import Origin
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume

KIND: Final = volumes.DISK


@dataclass(frozen=True)
class Case:
    """One object and what there is of it: ``pool`` is None where that is only declared yet, in a dry run.

    ``volume`` is None where there is none, or only a part; ``kept`` where the volume is not ours.
    """

    declared: Declared
    name: str
    pool: Pool | None
    volume: Volume | None
    kept: state.Kept | None

    @property
    def spec(self) -> dict[str, Any]:
        """What the object asks for."""
        return self.declared.object.get("spec") or {}

    @property
    def wanted(self) -> dict[str, Any]:
        """Return the volume that the spec asks for, as far as it says it."""
        size = volumes.capacity(self.spec)
        node = {"name": self.name, **(self.spec.get("volume") or {})}
        return node if size is None else {**node, "capacity": f"{size} bytes"}

    def steps(self) -> list[actions.Action]:
        """Return the plan for a volume that is there."""
        assert self.pool is not None and self.volume is not None  # noqa: S101, PT018  (asked for such a one alone)
        return planner.plan(self.pool.name, self.wanted, volumes.document(self.volume))


def look(hypervisor: Hypervisor, declared: Declared, every: Declarations, *, dry_run: bool = False) -> Case:
    """Return *declared* with what there is of it. Raises KubevmmError where that is somebody else's."""
    spec = declared.object.get("spec") or {}
    name = volumes.name_of(declared)
    if not spec.get("poolRef"):
        raise KubevmmError(f"{declared.ref}: which pool is it in?", hint="name it in spec.poolRef")
    pool = volumes.pool_of(hypervisor, spec["poolRef"], declared.ref, every, dry_run=dry_run)
    if pool is None:
        return Case(declared, name, None, None, None)
    volumes.check_owner(hypervisor, pool, name, declared.ref)
    kept = state.load(hypervisor, KIND, volumes.key(pool, name))
    if kept is not None and kept.new:
        return Case(declared, name, pool, None, kept)
    if kept is not None and (kept.object.get("spec") or {}).get("source") and spec.get("source"):
        _check_same(declared, kept)
    volume = volumes.find(pool, name)
    if volume is None and "status" in declared.object:
        # Another node made it in a pool that both have: libvirt here knows what was there when it looked last.
        pool.settle()
        volume = volumes.find(pool, name)
    if kept is None and volume is not None and spec.get("source"):
        raise KubevmmError(
            f"{declared.ref}: the pool {pool.name} has a volume {name} already, which is not managed",
            hint="without spec.source it is taken as it is",
        )
    return Case(declared, name, pool, volume, kept)


def _check_same(declared: Declared, kept: state.Kept) -> None:
    if declared.object["spec"]["source"] != kept.object["spec"]["source"]:
        raise InputError(
            f"{declared.ref}: source cannot change: it says what the volume was made from",
            path="spec.source",
            hint="make another VirtualMachineDisk",
        )


def apply(
    hypervisor: Hypervisor,
    declared: Declared,
    every: Declarations,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Make the volume, or let it grow; *progress* is told how far a copy is.

    Raises KubevmmError where it is somebody else's, or would lose data. Why it failed is kept for its status.
    """
    try:
        case = look(hypervisor, declared, every, dry_run=dry_run)
        result = (
            _make(hypervisor, case, every, progress, dry_run=dry_run)
            if case.volume is None
            else _change(hypervisor, case, dry_run=dry_run)
        )
    except KubevmmError as error:
        if not dry_run:
            reason = "Refused" if isinstance(error, Refused | InputError) else "Failed"
            keeping.note(hypervisor, declared, reason, str(error))
        raise
    if not dry_run:
        keeping.forget_note(hypervisor, declared.ref)
    return result


def _make(
    hypervisor: Hypervisor, case: Case, every: Declarations, progress: Progress | None, *, dry_run: bool
) -> Result:
    declared, pool, spec = case.declared, case.pool, case.spec
    linked = (spec.get("source") or {}).get("clone") == "Linked"
    asked = volumes.capacity(spec)
    if dry_run and volumes.depths(every).get(declared.ref):
        return Result(Outcome.CREATED)
    origin = _origin(hypervisor, case, linked=linked)
    if origin is None and asked is None:
        raise KubevmmError(f"{declared.ref}: a new volume needs spec.capacity")
    if origin is not None and asked is not None and asked < origin.capacity:
        raise KubevmmError(
            f"{declared.ref}: what it is made from has {origin.capacity} bytes: {asked} would cut off data"
        )
    size = asked if asked is not None else origin.capacity if origin is not None else 0
    if dry_run or pool is None:
        return Result(Outcome.CREATED)
    document = _document(case, pool, origin, size, linked=linked)
    with keeping.alone(hypervisor, declared.ref):
        making.fill(
            hypervisor, declared, pool, document, None if linked else origin, size,
            still=lambda: _origin(hypervisor, case, linked=linked), progress=progress,
        )  # fmt: skip
    return Result(Outcome.CREATED)


def _origin(hypervisor: Hypervisor, case: Case, *, linked: bool) -> Origin | None:
    ref, source = case.declared.ref, case.spec.get("source") or {}
    if "imageRef" in source:
        return origins.image(hypervisor, source["imageRef"], ref, case.pool)
    if "diskRef" in source:
        target = Ref(KIND, ref.namespace, str(source["diskRef"].get("name")))
        return origins.disk(hypervisor, target, ref, linked=linked and not source.get("keepGuestOff"))
    if "snapshotRef" in source:
        return origins.snapshot(hypervisor, source["snapshotRef"], ref)
    if linked:
        raise InputError(f"{ref}: a blank volume is linked to nothing", path="spec.source.clone")
    return None


def _document(case: Case, pool: Pool, origin: Origin | None, size: int, *, linked: bool) -> dict[str, Any]:
    form = "qcow2" if linked else origin.format if origin is not None else None
    document = volumes.new(case.spec, case.name, size, form, pool)
    if linked and origin is not None:
        if not volumes.in_files(pool) or document["target"]["format"]["type"] != "qcow2":
            raise InputError(
                f"{case.declared.ref}: a linked clone is a qcow2 volume in a pool of files", path="spec.source.clone"
            )
        document["backingStore"] = {"path": origin.volume.path(), "format": {"type": origin.format}}
    return document


def _change(hypervisor: Hypervisor, case: Case, *, dry_run: bool) -> Result:
    declared, pool, volume, kept = case.declared, case.pool, case.volume, case.kept
    if pool is None or volume is None:
        raise AssertionError(case)
    steps = case.steps()
    for step in steps:
        if isinstance(step, actions.Unchangeable):
            raise _unchangeable(case, step)
    if kept is None and steps:
        raise KubevmmError(f"{declared.ref}: the volume {case.name} is here, is not managed, and differs: capacity")
    if not dry_run:
        for step in steps:
            if isinstance(step, actions.ResizeVolume):
                grow(hypervisor, pool, volume, step.capacity)
        facts = dict(kept.facts) if kept is not None else {}
        if "format" not in facts:
            found = volumes.content(volume)
            facts = {
                "pool": pool.uuid, "volume": case.name, "format": found.format, "backing": found.backing, "time": now(),
            }  # fmt: skip
        state.save(hypervisor, declared, volumes.key(pool, case.name), active=True, facts=facts)
    if kept is None:
        return Result(Outcome.ADOPTED)
    return Result(Outcome.CONFIGURED if steps else Outcome.UNCHANGED)


def _unchangeable(case: Case, step: actions.Unchangeable) -> KubevmmError:
    ref, volume = case.declared.ref, case.volume
    wanted = volumes.capacity(case.spec)
    has = volume.info().capacity if volume is not None else 0
    if step.paths == ("capacity",):
        return KubevmmError(f"{ref}: the volume has {has} bytes: to shrink it to {wanted} would cut off data")
    if case.kept is None:
        return KubevmmError(
            f"{ref}: the volume {case.name} is here, is not managed, and differs: {listed(step.paths)}",
            hint=f"`virtctl diff -f {case.declared.file}` shows how; it is taken once the file says what is there",
        )
    return KubevmmError(f"{ref}: {step.describe()}", hint="make another VirtualMachineDisk from this one")


def grow(hypervisor: Hypervisor, pool: Pool, volume: Volume, size: int) -> None:
    """Give *volume* *size* bytes, through the guest that runs with it if there is one, which then sees them at once."""
    users = usage.Users(hypervisor)
    based = users.volumes(volume)
    if based:
        raise Conflict(
            f"{pool.name}/{volume.name} must not change: {based[0][0].name}/{based[0][1].name} is based on it",
            hint="grow that one, or make a full clone (clone: Full)",
        )
    running = [use for use in users.guests(pool, volume) if use.running and use.writes]
    if not running:
        volume.resize(size)
        return
    for use in running:
        use.domain.block_resize(use.target, size)
    pool.settle()


def differences(hypervisor: Hypervisor, declared: Declared, every: Declarations) -> list[Difference] | None:
    """Return where the volume is not what *declared* says; None where there is none, or it is not whole."""
    case = look(hypervisor, declared, every, dry_run=True)
    if case.volume is None:
        return None
    merged = merge(volumes.document(case.volume), case.wanted, case.wanted, table().roots["volume"].type)
    before = (case.kept.object.get("spec") or {}) if case.kept is not None else {}
    outside = case.kept is not None and before == case.spec
    cause = Cause.FIRST if case.kept is None else Cause.OUTSIDE if outside else Cause.SPEC
    return [
        Difference(path_text(each.path), each.old, each.new, cause)
        for each in merged.changes
        if not any(each.path[: len(first)] == first for first in planner.FIRST)
    ]


def delete(hypervisor: Hypervisor, ref: Ref) -> str:
    """Delete the object *ref*, and its volume unless it says Retain; return ``deleted`` or ``released``.

    Raises NotFound where there is none, Conflict where a guest or a linked clone uses the volume.
    """
    found = list(keeping.kept_of(hypervisor, ref))
    if not found and keeping.noted(hypervisor, ref) is None:
        raise NotFound(
            f"{ref}: not found in the namespace {ref.namespace}", hint="what is not managed is never deleted"
        )
    retain = any((kept.object.get("spec") or {}).get("deletionPolicy") == "Retain" for _, kept in found)
    usage.remove(hypervisor, ref, found, retain=retain)
    keeping.forget_note(hypervisor, ref)
    return "released" if retain else "deleted"
