"""A disk's volume made so that what a kill leaves on the way is known for a part, and made anew."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from executor.engine import copying, state, usage, volumes
from executor.engine.guests import now
from executor.engine.source import Declared
from executor.hypervisor.errors import Conflict, WrongState
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from executor.engine.landing import Progress
    from executor.engine.objects import Ref
    from executor.engine.origins import Origin
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume


def fill(
    hypervisor: Hypervisor,
    declared: Declared,
    pool: Pool,
    document: dict[str, Any],
    copied: Origin | None,
    size: int,
    *,
    guest: str = "",
    still: Callable[[], object] = lambda: None,
    progress: Progress | None = None,
) -> Volume:
    """Make the volume *document* of *size* bytes, a copy of *copied* if given, as *declared*'s; return it.

    That it is whole is written down last: what a kill leaves is made anew. For a *guest* that is to be made with it
    that is left to `whole`. A guest that would write to *copied* is not started from when that is noted on; *still* is
    called then, and raises where one runs already. *progress* is told how far a copy is. Raises KubevmmError.
    """
    name = str(document["name"])
    key = volumes.key(pool, name)
    facts: dict[str, Any] = {"pool": pool.uuid, "volume": name}
    if copied is not None:
        facts["origin"] = copied.volume.path()
    before = state.load(hypervisor, volumes.DISK, key)
    if before is not None and before.new:
        _discard(hypervisor, declared.ref, pool, name)
    if volumes.find(pool, name) is not None:
        raise Conflict(
            f"{declared.ref}: the pool {pool.name} has a volume {name} already",
            hint="take another name, or delete what is there",
        )
    state.save(hypervisor, declared, key, active=False, new=True, facts=facts)
    source = copied.volume if copied is not None else None
    try:
        still()
        with copying.told(pool, name, source, progress):
            volume = pool.create_volume(volumes.xml(document), source=source)
    except KubevmmError as error:
        if nothing_left(pool, (name,), error):
            state.forget(hypervisor, volumes.DISK, key)
        if isinstance(error, WrongState):
            # Something of that name is there that libvirt does not know of yet: the next pass finds it.
            with contextlib.suppress(KubevmmError):
                pool.settle()
        raise
    if volume.info().capacity < size:
        volume.resize(size)
    found = volumes.content(volume)
    facts |= {"format": found.format, "backing": found.backing, "time": now()}
    if guest:
        facts["guest"] = guest
    state.save(hypervisor, declared, key, active=not guest, new=bool(guest), facts=facts)
    return volume


def nothing_left(pool: Pool, names: Iterable[str], error: KubevmmError) -> bool:
    """Say whether what *error* ended left none of the volumes *names*, or left them to whoever has them.

    Where that cannot be told, since the connection is lost, there may be a part, which the next pass has to know of.
    """
    if isinstance(error, Conflict):
        return True
    try:
        return all(volumes.find(pool, name) is None for name in names)
    except KubevmmError:
        return False


def whole(hypervisor: Hypervisor, guest: str) -> int:
    """Write down that the volumes made for the domain *guest* are whole, since it is there; return how many."""
    waiting = [(place, kept) for place, kept in state.every(hypervisor, volumes.DISK) if kept.new]
    mine = [(place, kept) for place, kept in waiting if kept.facts.get("guest") == guest]
    for place, kept in mine:
        facts = {key: value for key, value in kept.facts.items() if key != "guest"}
        state.save(hypervisor, Declared(kept.ref, kept.object, ""), place, active=True, facts=facts)
    return len(mine)


def _discard(hypervisor: Hypervisor, ref: Ref, pool: Pool, name: str) -> None:
    volume = volumes.find(pool, name)
    if volume is None:
        return
    users = usage.guests_of(hypervisor, pool, volume)
    if users:
        raise Conflict(
            f"{ref}: the volume {pool.name}/{name} was not made whole, and the guest {users[0].domain.name} has it",
            hint="take the disk out of the guest",
        )
    volume.delete()
