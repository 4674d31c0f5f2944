"""VirtualMachineImages: got from where they come from, judged, and landed in their pools, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final

from executor.engine import kept as keeping
from executor.engine import landing, making, obtaining, origins, state, usage, volumes
from executor.engine.guests import Outcome, Result, now
from executor.engine.landing import Judged
from executor.engine.objects import Ref
from executor.hypervisor.errors import Conflict, NotFound
from executor.plan.domain import Difference
from executor.plan.merge import Cause
from executor.storage import checksum, localfile
from executor.storage.headers import Refused, inspect
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from executor.engine.landing import Progress
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.storage.checksum import Digests
    from executor.storage.headers import Header

KIND: Final = volumes.IMAGE
LARGEST: Final = 1 << 40
"""The most bytes that the file of an image may have."""

WAITS: Final = "WaitingForUpload"


def apply(
    hypervisor: Hypervisor,
    declared: Declared,
    every: Declarations,
    *,
    dry_run: bool = False,
    content: BinaryIO | None = None,
    progress: Progress | None = None,
) -> Result:
    """Bring the image into those of its pools that do not have it; *content* is what was uploaded for it, if it was.

    Raises KubevmmError where it cannot be got, must not be used, or a volume is somebody else's: then that is kept for
    its status, and nothing else is changed.
    """
    try:
        return _apply(hypervisor, declared, every, dry_run=dry_run, content=content, progress=progress)
    except KubevmmError as error:
        if not dry_run:
            reason = "Refused" if isinstance(error, Refused | InputError) else "Failed"
            keeping.note(hypervisor, declared, reason, str(error))
        raise


def _apply(
    hypervisor: Hypervisor,
    declared: Declared,
    every: Declarations,
    *,
    dry_run: bool,
    content: BinaryIO | None,
    progress: Progress | None,
) -> Result:
    name = volumes.name_of(declared)
    source = (declared.object.get("spec") or {}).get("source") or {}
    pools = _pools(hypervisor, declared, every, dry_run=dry_run)
    there = [pool for pool in pools if pool is not None]
    missing = _missing(hypervisor, declared, there, name)
    if not missing and len(there) == len(pools):
        if content is not None:
            raise KubevmmError(f"{declared.ref}: it is there already", hint="delete it first, or upload another one")
        return _have(hypervisor, declared, there, name, dry_run=dry_run)
    if not source and content is None:
        where = missing[0].name if missing else "none"
        raise KubevmmError(
            f"{declared.ref}: the pool {where} has no volume {name}, and there is no source", hint="give spec.source"
        )
    if "upload" in source and content is None:
        waited = keeping.noted(hypervisor, declared.ref) is not None
        text = f"waits for `virtctl image upload {declared.ref.name} FILE -n {declared.ref.namespace}`"
        if not dry_run:
            keeping.note(hypervisor, declared, WAITS, text)
        return Result(Outcome.UNCHANGED if waited else Outcome.CREATED, (text,))
    if dry_run:
        _foretell(declared, source)
        return Result(Outcome.CREATED)
    with keeping.alone(hypervisor, declared.ref):
        if "diskRef" in source:
            _copy(hypervisor, declared, missing, name, progress)
        else:
            _bring(hypervisor, declared, every, missing, name, content, progress)
    keeping.forget_note(hypervisor, declared.ref)
    return Result(Outcome.CREATED)


def _pools(hypervisor: Hypervisor, declared: Declared, every: Declarations, *, dry_run: bool) -> list[Pool | None]:
    """Return the pools that are to have the image: those that it names, and those of disks that are made from it."""
    ref = declared.ref
    wanted = [(each, ref) for each in (declared.object.get("spec") or {}).get("poolRefs") or ()]
    if not wanted:
        for each in every.objects:
            spec = each.object.get("spec") or {}
            image = (spec.get("source") or {}).get("imageRef") or {}
            of = Ref(KIND, str(image.get("namespace") or each.ref.namespace), str(image.get("name")))
            if each.ref.kind == volumes.DISK and of == ref and spec.get("poolRef"):
                wanted.append((spec["poolRef"], each.ref))
    if not wanted:
        raise KubevmmError(f"{ref}: which pools is it for?", hint="name them in spec.poolRefs")
    found: dict[str, Pool | None] = {}
    for reference, owner in wanted:
        pool = volumes.pool_of(hypervisor, reference, owner, every, dry_run=dry_run)
        found[pool.uuid if pool is not None else str(reference)] = pool
    return list(found.values())


def _missing(hypervisor: Hypervisor, declared: Declared, pools: list[Pool], name: str) -> list[Pool]:
    """Return those of *pools* that do not have the image whole. Raises KubevmmError where what is there is not it."""
    spec = declared.object.get("spec") or {}
    missing = []
    for pool in pools:
        volumes.check_owner(hypervisor, pool, name, declared.ref)
        kept = state.load(hypervisor, KIND, volumes.key(pool, name))
        volume = volumes.find(pool, name)
        if kept is not None and not kept.new:
            _check_same(declared, kept)
        if volume is None or (kept is not None and kept.new) or (kept is None and landing.begun(pool, name)):
            missing.append(pool)
        elif kept is None and spec.get("source"):
            raise _taken(declared, pool, name)
    return missing


def _taken(declared: Declared, pool: Pool, name: str) -> KubevmmError:
    return Conflict(
        f"{declared.ref}: the pool {pool.name} has a volume {name} already, which is not managed",
        hint="without spec.source it is taken as it is",
    )


def _check_same(declared: Declared, kept: state.Kept) -> None:
    spec, before = declared.object.get("spec") or {}, kept.object.get("spec") or {}
    if (spec.get("source") or {}) != (before.get("source") or {}):
        raise InputError(
            f"{declared.ref}: source cannot change: disks may be based on it",
            path="spec.source",
            hint="make another VirtualMachineImage",
        )
    wanted = spec.get("checksum")
    digests = kept.facts.get("digests") or {}
    if wanted and digests and checksum.parse(wanted) not in digests.values():
        raise InputError(f"{declared.ref}: what was got has the checksum {digests.get('sha256')}", path="spec.checksum")


def _have(hypervisor: Hypervisor, declared: Declared, pools: list[Pool], name: str, *, dry_run: bool) -> Result:
    """Keep what is there as this object's."""
    adopted = False
    for pool in pools:
        key = volumes.key(pool, name)
        kept = state.load(hypervisor, KIND, key)
        adopted = adopted or kept is None
        if dry_run:
            continue
        facts = kept.facts if kept is not None else _facts_of(pool, name)
        state.save(hypervisor, declared, key, active=True, facts=facts)
    if not dry_run:
        keeping.forget_note(hypervisor, declared.ref)
    return Result(Outcome.ADOPTED if adopted else Outcome.UNCHANGED)


def _facts_of(pool: Pool, name: str) -> dict[str, Any]:
    volume = pool.volume(name)
    found = volumes.content(volume)
    if found.backing:
        raise Refused(
            f"the volume {name} of the pool {pool.name} is based on {found.backing}: no image stands on others"
        )
    return {
        "pool": pool.uuid, "volume": name, "format": found.format, "backing": "",
        "virtualSize": volume.info().capacity, "time": now(),
    }  # fmt: skip


def _foretell(declared: Declared, source: dict[str, Any]) -> None:
    if "http" in source:
        obtaining.check(source["http"])
    elif "file" in source:
        with localfile.open_below(str(source["file"].get("path"))) as file:
            _judge(declared, file, None)


def _bring(
    hypervisor: Hypervisor,
    declared: Declared,
    every: Declarations,
    missing: list[Pool],
    name: str,
    content: BinaryIO | None,
    progress: Progress | None,
) -> None:
    limit = min(LARGEST, *(pool.info().available for pool in missing))
    while True:
        with obtaining.obtained(hypervisor, declared, every, content, limit, progress) as got:
            try:
                header, digests = _judge(declared, got.file, progress)
            except Refused:
                if got.refuse():
                    # What an earlier process got may have been of another file.
                    continue
                raise
            for pool in missing:
                _land(hypervisor, declared, pool, name, Judged(got.file, header, digests), progress)
            got.done()
            return


def _land(
    hypervisor: Hypervisor, declared: Declared, pool: Pool, name: str, judged: Judged, progress: Progress | None
) -> None:
    key = volumes.key(pool, name)
    facts = _begin(hypervisor, declared, pool, name)
    try:
        volume = landing.land(pool, declared.object.get("spec") or {}, name, judged, progress)
    except KubevmmError as error:
        _failed(hypervisor, pool, name, error)
        raise
    digests = judged.digests
    facts |= {
        "format": volumes.content(volume).format, "backing": "", "size": digests.length,
        "virtualSize": judged.header.virtual_size, "time": now(),
        "digests": {each: digests[each] for each in ("sha256", "sha512")},
    }  # fmt: skip
    state.save(hypervisor, declared, key, active=True, facts=facts)


def _begin(hypervisor: Hypervisor, declared: Declared, pool: Pool, name: str) -> dict[str, Any]:
    """Throw away what an earlier try left, and write down that one is being made; return what is known of it."""
    key = volumes.key(pool, name)
    before = state.load(hypervisor, KIND, key)
    pool.settle()
    # Another node of a shared pool may have begun it, and be down.
    unfinished = (before is not None and before.new) or landing.begun(pool, name)
    if not unfinished and volumes.find(pool, name) is not None:
        raise _taken(declared, pool, name)
    landing.discard(pool, name, whole=unfinished)
    facts: dict[str, Any] = {"pool": pool.uuid, "volume": name}
    state.save(hypervisor, declared, key, active=False, new=True, facts=facts)
    return facts


def _failed(hypervisor: Hypervisor, pool: Pool, name: str, error: KubevmmError) -> None:
    """Write down that none is being made, unless something of it may be left."""
    if making.nothing_left(pool, (name, landing.part_of(name)), error):
        state.forget(hypervisor, KIND, volumes.key(pool, name))


def _judge(declared: Declared, file: BinaryIO, progress: Progress | None) -> tuple[Header, Digests]:
    """Return what the file is. Raises Refused where it is not what the spec says, or points outside."""
    spec = declared.object.get("spec") or {}
    header = inspect(file, spec.get("format"))
    size = file.seek(0, 2)
    told = None if progress is None else (lambda done: progress("reading", done, size))
    digests = checksum.of(file, told)
    wanted = spec.get("checksum")
    if wanted and checksum.parse(wanted) not in (digests["sha256"], digests["sha512"]):
        algorithm = str(wanted).partition(":")[0].strip().lower()
        raise Refused(f"its checksum is {digests[algorithm]}, and {checksum.parse(wanted)} is asked for")
    return header, digests


def _copy(
    hypervisor: Hypervisor, declared: Declared, missing: list[Pool], name: str, progress: Progress | None
) -> None:
    """Make the image from a disk, as it is now."""
    spec = declared.object.get("spec") or {}
    if spec.get("checksum"):
        raise InputError(f"{declared.ref}: a disk has no checksum", path="spec.checksum")
    target = Ref(volumes.DISK, declared.ref.namespace, str(spec["source"]["diskRef"].get("name")))
    origin = origins.disk(hypervisor, target, declared.ref)
    for pool in missing:
        key = volumes.key(pool, name)
        facts = _begin(hypervisor, declared, pool, name)
        try:
            document = volumes.new(spec, name, origin.capacity, origin.format, pool)
            volume = landing.made(pool, document, origin.volume, progress)
        except KubevmmError as error:
            _failed(hypervisor, pool, name, error)
            raise
        facts |= {
            "format": volumes.content(volume).format, "backing": "", "virtualSize": origin.capacity, "time": now(),
        }  # fmt: skip
        state.save(hypervisor, declared, key, active=True, facts=facts)


def differences(hypervisor: Hypervisor, declared: Declared, every: Declarations) -> list[Difference] | None:
    """Return which of its pools do not have the image; None where none has it."""
    name = volumes.name_of(declared)
    pools = [pool for pool in _pools(hypervisor, declared, every, dry_run=True) if pool is not None]
    missing = _missing(hypervisor, declared, pools, name)
    if len(missing) == len(pools):
        return None
    fresh = [pool for pool in pools if state.load(hypervisor, KIND, volumes.key(pool, name)) is None]
    out = [Difference(f"poolRefs.{pool.name}", None, name, Cause.SPEC) for pool in missing]
    return out + [Difference(f"poolRefs.{pool.name}", name, name, Cause.FIRST) for pool in fresh if pool not in missing]


def delete(hypervisor: Hypervisor, ref: Ref) -> str:
    """Delete the object *ref*, and its volumes unless it says Retain; return ``deleted`` or ``released``.

    Raises NotFound where there is none, KubevmmError where a guest or a linked clone uses it: then nothing is deleted.
    """
    found = list(keeping.kept_of(hypervisor, ref))
    trouble = keeping.noted(hypervisor, ref)
    if not found and trouble is None:
        raise NotFound(
            f"{ref}: not found in the namespace {ref.namespace}", hint="what is not managed is never deleted"
        )
    for _, kept in found:
        _discard_part(hypervisor, kept)
    retain = any((kept.object.get("spec") or {}).get("deletionPolicy") == "Retain" for _, kept in found)
    usage.remove(hypervisor, ref, found, retain=retain)
    keeping.forget_note(hypervisor, ref)
    obtaining.discard(hypervisor, ref)
    return "released" if retain else "deleted"


def _discard_part(hypervisor: Hypervisor, kept: state.Kept) -> None:
    try:
        pool = hypervisor.pools.by_uuid(str(kept.facts["pool"]))
    except NotFound:
        return
    landing.discard(pool, str(kept.facts["volume"]), whole=False)
