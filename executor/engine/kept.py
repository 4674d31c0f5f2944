"""What is kept of disks and images: their volumes; why one is not ready; and who is making one just now."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING

from executor.engine import state
from executor.engine.guests import now
from executor.hypervisor.errors import Conflict, NotFound
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.engine.objects import Ref
    from executor.engine.source import Declared
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume


def note(hypervisor: Hypervisor, declared: Declared, reason: str, message: str) -> None:
    """Keep that *declared* is not ready, and why, for its status."""
    place = _place(declared.ref)
    before = state.load(hypervisor, declared.ref.kind, place)
    said = {"reason": reason, "message": message}
    if before is not None and {**before.facts.get("trouble", {}), "time": ""} == {**said, "time": ""}:
        said = before.facts["trouble"]
    else:
        said["time"] = now()
    state.save(hypervisor, declared, place, active=False, facts={"trouble": said})


def forget_note(hypervisor: Hypervisor, ref: Ref) -> None:
    """Keep no longer that it was not ready."""
    state.forget(hypervisor, ref.kind, _place(ref))


def noted(hypervisor: Hypervisor, ref: Ref) -> state.Kept | None:
    """Return what is kept of why *ref* is not ready, if anything."""
    return state.load(hypervisor, ref.kind, _place(ref))


def kept_of(hypervisor: Hypervisor, ref: Ref) -> Iterator[tuple[str, state.Kept]]:
    """Yield what is kept of the volumes of *ref*, whole or in the making."""
    for place, kept in state.every(hypervisor, ref.kind):
        if kept.ref == ref and "pool" in kept.facts:
            yield place, kept


def volume_of(hypervisor: Hypervisor, kept: state.Kept) -> tuple[Pool, Volume] | None:
    """Return the volume that *kept* is about; None where it, or its pool, is gone. Raises where that cannot be told."""
    try:
        pool = hypervisor.pools.by_uuid(str(kept.facts["pool"]))
        return pool, pool.volume(str(kept.facts["volume"]))
    except NotFound:
        return None


@contextlib.contextmanager
def alone(hypervisor: Hypervisor, ref: Ref) -> Iterator[None]:
    """Keep all other processes of this node from making the volumes of *ref* meanwhile. Raises Conflict if one is."""
    path = state.folder(hypervisor) / "locks" / _place(ref)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise KubevmmError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Conflict(f"{ref}: another process is making it just now", hint="try again when it is done") from None
    finally:
        # The kernel lets go of it whatever becomes of this process.
        os.close(descriptor)


def _place(ref: Ref) -> str:
    return "object-" + hashlib.sha256(f"{ref.namespace}/{ref.name}".encode()).hexdigest()[:32]
