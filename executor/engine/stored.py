"""VirtualMachineDisks and VirtualMachineImages as objects with their status, for lists of what is on the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from analyser.names import GROUP
from executor.engine import images, state, usage, volumes
from executor.engine import kept as keeping
from executor.engine.nodename import node_name
from executor.hypervisor.errors import LibvirtError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.engine.objects import Ref
    from executor.engine.state import Kept
    from executor.engine.usage import Users
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume

KINDS: Final = (volumes.DISK, volumes.IMAGE)
_UNITS: Final = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")


def objects(
    hypervisor: Hypervisor, kind: str, *, detail: bool = False, unmanaged: bool = False
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield what of *kind* was applied, with its status, and with *unmanaged* the volumes that are no object's.

    The flag says whether it is managed. *detail* adds who uses it, which costs a look at all guests and volumes.
    """
    users = usage.Users(hypervisor) if detail else None
    found: dict[Ref, list[Kept]] = {}
    trouble: dict[Ref, Kept] = {}
    for _, kept in state.every(hypervisor, kind):
        if "trouble" in kept.facts:
            trouble[kept.ref] = kept
        else:
            found.setdefault(kept.ref, []).append(kept)
    for ref in sorted({*found, *trouble}):
        mine = found.get(ref, [])
        last = trouble.get(ref)
        # What was tried last is what its files say now, also where that failed.
        obj = dict((last or mine[0]).object)
        metadata = dict(obj.get("metadata") or {})
        made = min((str(each.facts["time"]) for each in mine if "time" in each.facts), default=None)
        if made:
            metadata.setdefault("creationTimestamp", made)
        obj["metadata"] = metadata
        status = _disk if kind == volumes.DISK else _image
        obj["status"] = _conditions(status(hypervisor, mine, users), last)
        yield obj, True
    if unmanaged and kind == volumes.DISK:
        yield from _unmanaged(hypervisor, users)


def _conditions(status: dict[str, Any], last: Kept | None) -> dict[str, Any]:
    said = dict(last.facts["trouble"]) if last is not None else {}
    ready = status["phase"] == "Ready"
    if said and not ready:
        status["phase"] = "Pending" if said.get("reason") == images.WAITS else "Failed"
    why = said if said and not ready else {"reason": status["phase"], "message": status.pop("message", "")}
    status.pop("message", None)
    out = [_condition("Ready", ready, why)]
    if said and ready:
        # What is there is whole, and it is not what the files ask for.
        out.append(_condition("Synchronized", False, said))
    return {**status, "conditions": out}


def _condition(kind: str, holds: bool, why: dict[str, Any]) -> dict[str, Any]:
    found = {"type": kind, "status": "True" if holds else "False"}
    found |= {"reason": str(why.get("reason") or ""), "message": str(why.get("message") or "")}
    return found | ({"lastTransitionTime": why["time"]} if why.get("time") else {})


def _there(hypervisor: Hypervisor, kept: Kept) -> tuple[tuple[Pool, Volume] | None, str, str]:
    """Return the volume, its phase, and why it is in that."""
    if kept.new:
        return None, "Provisioning", "it was not made whole; the next apply makes it anew"
    if "pool" not in kept.facts:
        return None, "Pending", "apply it once more"
    try:
        found = keeping.volume_of(hypervisor, kept)
    except LibvirtError as error:
        return None, "Unknown", str(error)
    if found is None:
        return None, "Failed", f"the volume {kept.facts.get('volume')} is gone"
    return found, "Ready", ""


def _disk(hypervisor: Hypervisor, kept: list[Kept], users: Users | None) -> dict[str, Any]:
    if not kept:
        return {"phase": "Failed"}
    found, phase, message = _there(hypervisor, kept[0])
    if found is None:
        return {"phase": phase, "message": message}
    return {"phase": phase, "nodeName": node_name(hypervisor), **_volume(*found, users)}


def _volume(pool: Pool, volume: Volume, users: Users | None) -> dict[str, Any]:
    info, there = volume.info(), volumes.content(volume)
    out: dict[str, Any] = {
        "pool": pool.name, "volumeName": volume.name, "path": volume.path(), "key": volume.key(),
        "format": there.format, "capacity": quantity(info.capacity), "allocation": quantity(info.allocation),
    }  # fmt: skip
    if users is not None:
        guests = sorted({use.domain.name for use in users.guests(pool, volume)})
        based = sorted(f"{where.name}/{other.name}" for where, other in users.volumes(volume))
        used = [{"kind": "domain", "name": name} for name in guests]
        used += [{"kind": "volume", "name": name} for name in based]
        if used:
            out["usedBy"] = used
    return out


def _image(hypervisor: Hypervisor, kept: list[Kept], _users: Users | None) -> dict[str, Any]:
    copies, phases, messages = [], [], []
    out: dict[str, Any] = {}
    for each in kept:
        found, phase, message = _there(hypervisor, each)
        copy = {"nodeName": node_name(hypervisor), "state": "Downloading" if phase == "Provisioning" else phase}
        if found is not None:
            facts = each.facts
            copy |= {"pool": found[0].name, "path": found[1].path()}
            out |= {"format": facts.get("format"), "virtualSize": quantity(int(facts.get("virtualSize") or 0))}
            if facts.get("digests"):
                out |= {"checksum": facts["digests"]["sha256"], "size": quantity(int(facts["size"]))}
            out["completionTime"] = max(str(out.get("completionTime", "")), str(facts.get("time", "")))
        else:
            copy["message"] = message
            messages.append(message)
        copies.append(copy)
        phases.append(phase)
    phase = "Ready" if phases and set(phases) == {"Ready"} else next((each for each in phases if each != "Ready"), "")
    whole = {"phase": phase.replace("Provisioning", "Downloading") or "Pending", **out, "copies": copies}
    return whole | ({"message": messages[0]} if messages else {})


def _unmanaged(hypervisor: Hypervisor, users: Users | None) -> Iterator[tuple[dict[str, Any], bool]]:
    for pool in hypervisor.pools.all():
        try:
            there = pool.volumes()
        except LibvirtError:
            continue
        for volume in there:
            key = volumes.key(pool, volume.name)
            if any(state.load(hypervisor, kind, key) is not None for kind in KINDS):
                continue
            try:
                status = {"phase": "Ready", "nodeName": node_name(hypervisor), **_volume(pool, volume, users)}
            except NotFound:
                continue
            spec = {"poolRef": {"name": pool.name}, "volume": {"name": volume.name}}
            metadata = {"name": volume.name}
            yield (
                {"apiVersion": GROUP, "kind": volumes.DISK, "metadata": metadata, "spec": spec, "status": status},
                False,
            )


def quantity(number: int) -> str:
    """Return bytes as the largest exact quantity.

    >>> quantity(3 << 30), quantity(1000)
    ('3Gi', '1000')
    """
    for place, unit in enumerate(_UNITS):
        factor = 1 << 10 * (len(_UNITS) - place)
        if number and number % factor == 0:
            return f"{number // factor}{unit}"
    return str(number)
