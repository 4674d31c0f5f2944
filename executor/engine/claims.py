"""What an object has for itself alone: a domain, a UUID, MAC addresses, disks that it writes to.

Two that claim the same are an error before anything is changed: two guests that write to one disk destroy it.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from executor.engine import definitions, resolve, state
from executor.engine.guests import observe
from executor.engine.objects import Ref
from executor.hypervisor.errors import LibvirtError, NotFound
from executor.plan.same import identity
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from executor.engine.guests import Case
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

_READ: Final = frozenset({"cdrom", "floppy"})
"""Devices whose media several guests may have."""


@dataclass(frozen=True)
class Claim:
    """One thing that only one may have; ``what`` is people's word for it."""

    what: str
    value: str

    def __str__(self) -> str:
        return f"{self.what} {self.value}"


@dataclass(frozen=True)
class Conflict:
    """Two objects that claim the same."""

    one: Declared
    two: Declared
    claim: Claim

    def error(self) -> KubevmmError:
        """Return the one line that says so."""
        one, two = self.one, self.two
        return KubevmmError(
            f"{two.file}: {_named(two.ref)} and {_named(one.ref)} ({one.file}) name one {self.claim}",
            hint=_hint(self.claim, "nothing was changed"),
        )


def conflicts(declared: Declarations) -> Iterator[Conflict]:
    """Yield the pairs of objects that claim the same, of those that could be on one node."""
    known: dict[Claim, list[Declared]] = {}
    pools = _declared_pools(declared)
    for each in declared.objects:
        for claim in set(_of_object(each, declared, pools)):
            others = known.setdefault(claim, [])
            yield from (Conflict(other, each, claim) for other in others if _may_meet(each, other))
            others.append(each)


def check(declared: Declarations) -> None:
    """Raise KubevmmError where two objects claim the same."""
    known = declared.known()
    if known.free_of_conflicts:
        return
    found = min(conflicts(declared), key=lambda each: each.claim.what, default=None)
    if found is not None:
        raise found.error()
    known.free_of_conflicts = True


class Node:
    """What the node's domains claim, read when the first object asks. Good for one pass."""

    def __init__(self, hypervisor: Hypervisor, declared: Declarations) -> None:
        self._hypervisor = hypervisor
        self._declared = declared
        self._refs = {each.ref for each in declared.objects}
        self._known: dict[Claim, list[Domain]] | None = None
        self._paths: dict[str, str] = {}
        self._bases: frozenset[str] | None = None

    def check(self, case: Case) -> None:
        """Raise KubevmmError where *case* would take what another domain has. What it has already, it may keep."""
        new = set(self._of(case.wanted))
        if case.there is not None:
            new -= {*self._of(case.there.inactive), *self._of(case.there.live or {})}
        if not new:
            return
        uuid = case.domain.uuid if case.domain is not None else case.wanted["uuid"]
        known = self._read()
        for claim in sorted(new, key=str):
            if claim.what == "disk" and claim.value in self._below():
                raise KubevmmError(
                    f"{case.declared.ref}: a linked clone is based on the {claim}, which writing to it would destroy",
                    hint="nothing was changed: have it readonly, or make a clone of it",
                )
            for domain in known.get(claim, ()):
                # It may have let go of it in this very pass.
                if domain.uuid != uuid and claim in self._of_domain(domain):
                    raise KubevmmError(
                        f"{case.declared.ref}: the {claim} is the domain {domain.name}'s already",
                        hint=_hint(claim, "nothing was changed"),
                    )

    def _below(self) -> frozenset[str]:
        """Return what the node's linked clones are based on."""
        if self._bases is None:
            backings = (kept.facts.get("backing") for _, kept in state.every(self._hypervisor, "VirtualMachineDisk"))
            self._bases = frozenset(posixpath.normpath(str(each)) for each in backings if each)
        return self._bases

    def _read(self) -> dict[Claim, list[Domain]]:
        if self._known is None:
            self._known = {}
            for domain in self._hypervisor.domains.all():
                for claim in self._of_domain(domain):
                    self._known.setdefault(claim, []).append(domain)
        return self._known

    def _of_domain(self, domain: Domain) -> set[Claim]:
        try:
            there = observe(domain, secure=False)
        except (NotFound, InputError):
            return set()
        found = set(self._of(there.live or {}))
        mark = there.mark
        # What the definition of an object of this input says is that object's own to give up.
        if mark is None or Ref("VirtualMachine", mark.namespace, mark.name) not in self._refs:
            found |= set(self._of(there.inactive))
        return found

    def _of(self, domain: Mapping[str, Any]) -> Iterator[Claim]:
        return of_domain(domain, self._path)

    def _path(self, pool: str) -> str:
        """Return the folder of *pool*, empty where it has none."""
        if pool not in self._paths:
            try:
                found = definitions.find(self._hypervisor, "VirtualMachineStoragePool", pool)
                self._paths[pool] = _folder(definitions.observe(found).inactive) if found is not None else ""
            except (LibvirtError, InputError):
                self._paths[pool] = ""
        return self._paths[pool]


def of_domain(domain: Mapping[str, Any], path: Any) -> Iterator[Claim]:
    """Yield what the document *domain* claims besides its name and UUID; *path* returns a pool's folder."""
    devices = domain.get("devices") or {}
    for interface in devices.get("interfaces") or ():
        address = (interface.get("mac") or {}).get("address")
        if address:
            yield Claim("MAC address", str(identity(str(address))))
    for disk in devices.get("disks") or ():
        if disk.get("device") not in _READ and not {"readonly", "shareable", "transient"} & disk.keys():
            yield from _of_source(disk.get("source") or {}, path)
    nvram = (domain.get("os") or {}).get("nvram") or {}
    if isinstance(nvram, dict):
        yield from _of_source({"file": nvram.get("value"), **(nvram.get("source") or {})}, path)


def _of_source(source: Mapping[str, Any], path: Any) -> Iterator[Claim]:
    if source.get("pool") and source.get("volume"):
        folder = path(str(source["pool"]))
        named = posixpath.join(folder, str(source["volume"])) if folder else f"{source['pool']}/{source['volume']}"
        yield Claim("disk", posixpath.normpath(named))
    elif source.get("file") or source.get("dev"):
        yield Claim("disk", posixpath.normpath(str(source.get("file") or source["dev"])))
    elif source.get("protocol") and source.get("name"):
        hosts = sorted(str(host.get("name") or host.get("socket") or "") for host in source.get("hosts") or ())
        yield Claim("disk", f"{source['protocol']}://{','.join(hosts)}/{source['name']}")


def _of_object(each: Declared, declared: Declarations, pools: Mapping[str, str]) -> Iterator[Claim]:
    kind = each.ref.kind
    if kind == "VirtualMachine":
        name, uuid = resolve.names(each.object, each.ref)
        yield Claim("domain", name)
        if uuid is not None:
            yield Claim("UUID", uuid)
        domain = (each.object.get("spec") or {}).get("domain") or {}
        yield from of_domain(_with_volumes(domain, each.ref, declared), lambda pool: pools.get(pool, ""))
    elif kind in ("VirtualMachineDisk", "VirtualMachineImage"):
        yield from (Claim("volume", volume) for volume in _volumes(each, declared))
    elif kind in definitions.KINDS:
        wanted = definitions.wanted_of(each)
        yield Claim(definitions.KINDS[kind], str(wanted["name"]))
        if wanted.get("uuid"):
            yield Claim("UUID", resolve.canonical(wanted["uuid"]))


def _volumes(each: Declared, declared: Declarations) -> Iterator[str]:
    """Yield the volumes that a disk or an image is, by pool and name."""
    spec = each.object.get("spec") or {}
    name = str((spec.get("volume") or {}).get("name") or each.ref.name)
    for reference in [spec["poolRef"]] if spec.get("poolRef") else spec.get("poolRefs") or ():
        try:
            pool = resolve.named(reference, each.ref, declared, "VirtualMachineStoragePool", "pool", ())
        except InputError:
            continue  # said later
        yield f"{pool}/{name}"


def _with_volumes(domain: dict[str, Any], ref: Ref, declared: Declarations) -> dict[str, Any]:
    """Return *domain* with the volumes that its diskRefs stand for; what leads nowhere is said later."""
    devices = domain.get("devices") or {}
    disks = devices.get("disks") or ()
    if not any("diskRef" in (disk.get("source") or {}) for disk in disks):
        return domain
    out = []
    for disk in disks:
        source = disk.get("source") or {}
        if "diskRef" in source:
            try:
                source = resolve.volume(source["diskRef"], ref, declared, ())
            except InputError:
                source = {}
        out.append({**disk, "source": source})
    return {**domain, "devices": {**devices, "disks": out}}


def _declared_pools(declared: Declarations) -> dict[str, str]:
    """Return the folders of the pools that *declared* has, by libvirt's names."""
    pools = (each for each in declared.objects if each.ref.kind == "VirtualMachineStoragePool")
    wanted = map(definitions.wanted_of, pools)
    return {str(pool["name"]): _folder(pool) for pool in wanted}


def _folder(pool: Mapping[str, Any]) -> str:
    target = pool.get("target") or {}
    return str(target.get("path") or "") if pool.get("type") in ("dir", "fs", "netfs") else ""


def _may_meet(one: Declared, two: Declared) -> bool:
    nodes = [(each.object.get("spec") or {}) for each in (one, two)]
    sets = [{spec["nodeName"]} if spec.get("nodeName") else set(spec.get("nodeNames") or ()) for spec in nodes]
    return not all(sets) or bool(sets[0] & sets[1])


def _named(ref: Ref) -> str:
    return f"{ref} in {ref.namespace}"


def _hint(claim: Claim, otherwise: str) -> str:
    if claim.what == "disk":
        return f"{otherwise}: a disk is written by one guest alone, unless it is shareable or readonly in both"
    return otherwise
