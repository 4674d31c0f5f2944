"""VirtualMachineSnapshots: taken once, taken over where they exist, told apart from what their files say, deleted.

What was applied lies in the state folder, since libvirt's snapshots have no metadata. A snapshot shows one moment: it
is never changed, and one that is gone is never quietly taken again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from analyser import xmlreader
from analyser.codec.decode import decode
from analyser.codec.encode import encode
from executor.engine import snapshotfiles, state, store
from executor.engine.guests import Outcome, Result, now
from executor.engine.objects import Ref
from executor.hypervisor.errors import NotFound, WrongState
from executor.hypervisor.handle import Affect
from executor.hypervisor.snapshots import Making, Snapshots
from executor.plan import mark as marks
from executor.plan.actions import listed
from executor.plan.domain import Difference
from executor.plan.merge import Cause
from schemas.errors import KubevmmError
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from executor.engine.source import Declarations, Declared
    from executor.engine.state import Kept
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.snapshots import Snapshot

KIND: Final = "VirtualMachineSnapshot"

SAID: Final = ("name", "description", "memory", "disks")
"""What of libvirt's document a person says; all else libvirt says of what it made."""


@dataclass(frozen=True)
class _Case:
    """One object, its guest, and the snapshot if it is there."""

    declared: Declared
    domain: Domain
    name: str
    found: Snapshot | None
    kept: Kept | None

    def differences(self) -> list[Difference]:
        """Return where the snapshot that is there is not what is wanted."""
        if self.found is None:
            return []
        return list(_differences(_wanted(self.declared), document(self.found), "domainSnapshot"))


def apply(hypervisor: Hypervisor, declared: Declared, every: Declarations, *, dry_run: bool = False) -> Result:
    """Take the snapshot, unless it is there. Raises KubevmmError where it is another one, or its guest is missing."""
    case = _look(hypervisor, declared)
    if case is None:
        if dry_run and _guest(declared) in {each.ref for each in every.objects}:
            return Result(Outcome.CREATED)
        raise NotFound(
            f"{declared.ref}: its guest {_guest(declared)} is not there, or not managed, in {declared.ref.namespace}",
            hint="the next apply takes it, when the guest is there",
        )
    if case.found is None:
        xml, how = request(declared, case.name, active=case.domain.active)
        again = case.kept is not None and case.kept.object.get("spec") == declared.object.get("spec")
        snapshotfiles.check(hypervisor, declared.ref, case.domain, _wanted(declared), again=again)
        if not dry_run:
            # Should this end on the way, the next pass knows that what it finds is ours.
            _keep(hypervisor, case, new=True)
            Snapshots(case.domain).create(xml, how)
            _keep(hypervisor, case)
        return Result(Outcome.CREATED)
    paths = tuple(each.path for each in case.differences())
    if paths and case.kept is not None:
        raise KubevmmError(f"{declared.ref}: a snapshot cannot change: {listed(paths)}", hint="take another one")
    if case.kept is None:
        _check_foreign(hypervisor, case, paths)
    changed = case.kept is not None and case.kept.object.get("spec") != declared.object.get("spec")
    if not dry_run:
        _keep(hypervisor, case)
    if case.kept is None:
        return Result(Outcome.ADOPTED)
    return Result(Outcome.CREATED if case.kept.new else Outcome.CONFIGURED if changed else Outcome.UNCHANGED)


def differences(hypervisor: Hypervisor, declared: Declared) -> list[Difference] | None:
    """Return where the snapshot is not what *declared* says; None where it is not there yet."""
    case = _look(hypervisor, declared)
    return case.differences() if case is not None and case.found is not None else None


def delete(hypervisor: Hypervisor, ref: Ref) -> str:
    """Delete the snapshot *ref* as its deletionPolicy says; return ``deleted`` or ``released``.

    Its guest stays as it is now, and later snapshots stay whole. Raises NotFound where nothing is known of it,
    KubevmmError where its guest is no longer ours.
    """
    kept = state.load(hypervisor, KIND, place(ref))
    if kept is None:
        raise NotFound(
            f"{ref}: not found in the namespace {ref.namespace}", hint="what is not managed is never deleted"
        )
    if (kept.object.get("spec") or {}).get("deletionPolicy") == "Retain":
        state.forget(hypervisor, KIND, place(ref))
        return "released"
    found = snapshot_of(hypervisor, kept)
    if found is not None:
        mark = store.mark_of(found.domain)
        if mark is None:
            raise KubevmmError(
                f"{ref}: its guest {found.domain.name} is no longer managed, so that nothing is deleted",
                hint=f"`virtctl snapshot delete {found.domain.name} {found.name}` deletes it by hand",
            )
        found.delete()
    state.forget(hypervisor, KIND, place(ref))
    return "deleted"


def forget(hypervisor: Hypervisor, uuid: str) -> None:
    """Keep nothing more of the snapshots of the guest *uuid*, which has been deleted."""
    for where, kept in state.every(hypervisor, KIND):
        if kept.facts.get("domain") == uuid:
            state.forget(hypervisor, KIND, where)


def revert(snapshot: Snapshot, *, running: bool | None = None, force: bool = False) -> None:
    """Put the guest back to *snapshot*; ours stays ours, though its definition of then says otherwise.

    Raises WrongState where libvirt would lose the guest as it tries, unless with *force*.
    """
    domain = snapshot.domain
    if not force:
        check(snapshot)
    mark = store.mark_of(domain)
    snapshot.revert(running=running, force=force)
    if mark is not None and store.mark_of(domain) != mark:
        affect = Affect.LIVE if domain.active else Affect.CURRENT
        affect |= Affect.CONFIG if domain.persistent else Affect.CURRENT
        domain.set_metadata(mark.xml(), namespace=marks.URI, prefix=marks.KEY, affect=affect)


def check(snapshot: Snapshot) -> None:
    """Raise WrongState where libvirt would lose the guest as it tries to go back to *snapshot*.

    It has QEMU load the memory as it starts, and plugs in the vCPUs that QEMU does not start with only after that.
    """
    (root,) = xmlreader.parse(snapshot.xml().encode())
    memory = root.find("memory")
    plugged = root.findall("domain/vcpus/vcpu[@enabled='yes'][@hotpluggable='yes']")
    if plugged and memory is not None and memory.get("snapshot") == "internal":
        raise WrongState(
            f"snapshot {snapshot.name}: it has the memory of a guest into which vCPUs were plugged while it ran, and"
            " libvirt ends the guest when it tries to go back to that",
            hint="--force tries; a snapshot that is taken after the guest's next start can be gone back to",
        )


def snapshot_of(hypervisor: Hypervisor, kept: Kept) -> Snapshot | None:
    """Return the snapshot that *kept* is about; None where it, or its guest, is gone."""
    try:
        domain = hypervisor.domains.by_uuid(str(kept.facts.get("domain")))
        return Snapshots(domain).by_name(str(kept.facts.get("name")))
    except NotFound:
        return None


def place(ref: Ref) -> str:
    """Return what the object *ref* is kept under."""
    return hashlib.sha256(f"{ref.namespace}/{ref.name}".encode()).hexdigest()[:32]


def document(snapshot: Snapshot) -> dict[str, Any]:
    """Return libvirt's document of *snapshot*, decoded, without those of its domain."""
    (root,) = xmlreader.parse(snapshot.xml().encode())
    for name in ("domain", "inactiveDomain"):
        for element in root.findall(name):
            root.remove(element)
    return decode(root, table().roots["domainsnapshot"].type)


def request(declared: Declared, name: str, *, active: bool) -> tuple[str, Making]:
    """Return the document and the way in which libvirt is asked for the snapshot *name* of a guest, *active* or not."""
    spec = declared.object.get("spec") or {}
    node = {**{key: value for key, value in _wanted(declared).items() if key in SAID}, "name": name}
    memory = str((node.get("memory") or {}).get("snapshot") or "")
    quiesce = bool(spec.get("quiesce"))
    if quiesce and memory not in ("", "no"):
        raise KubevmmError(
            f"{declared.ref}: with the guest's memory there is nothing to quiesce: it holds what is not written yet",
            hint='leave out spec.quiesce, or say snapshot: "no" in spec.domainSnapshot.memory',
        )
    how = Making.PLAIN
    if memory == "no" or quiesce:
        how |= Making.DISK_ONLY | Making.ATOMIC
    elif memory == "external" and active:
        how |= Making.LIVE
    if quiesce and active:
        how |= Making.QUIESCE
    root = table().roots["domainsnapshot"]
    xml = encode(node, root.type, root.element, table().namespaces, path=("spec", "domainSnapshot"), libvirt_order=True)
    return xml, how


def _look(hypervisor: Hypervisor, declared: Declared) -> _Case | None:
    kept = state.load(hypervisor, KIND, place(declared.ref))
    guest = store.lookup(hypervisor, _guest(declared))
    if guest is None:
        return None
    name = _name(declared)
    case = _Case(declared, guest.domain, name, _by_name(guest.domain, name), kept)
    if kept is not None and (kept.facts.get("domain"), kept.facts.get("name")) != (guest.domain.uuid, name):
        raise KubevmmError(
            f"{declared.ref}: it is the snapshot {kept.facts.get('name')} already, and stays of its guest and its name",
            hint="make another VirtualMachineSnapshot",
        )
    if kept is not None and case.found is None and not kept.new:
        raise NotFound(
            f"{declared.ref}: it was taken, and {guest.domain.name} has it no more",
            hint=f"`virtctl delete vmsnapshot {declared.ref.name}` forgets it; then apply takes another one",
        )
    return case


def _check_foreign(hypervisor: Hypervisor, case: _Case, paths: tuple[str, ...]) -> None:
    """Raise KubevmmError where the snapshot that is there is another object's, or is not as the file says."""
    for _, kept in state.every(hypervisor, KIND):
        if (kept.facts.get("domain"), kept.facts.get("name")) == (case.domain.uuid, case.name):
            raise KubevmmError(f"{case.declared.ref}: the snapshot {case.name} is {kept.ref} in {kept.ref.namespace}")
    if paths:
        raise KubevmmError(
            f"{case.declared.ref}: {case.domain.name} has a snapshot {case.name}, which is not managed, and differs: "
            f"{listed(paths)}",
            hint="give the object another name, or leave out what differs",
        )


def _keep(hypervisor: Hypervisor, case: _Case, *, new: bool = False) -> None:
    time = case.kept.facts.get("time") if case.kept is not None else None
    facts = {"domain": case.domain.uuid, "name": case.name, "time": time or now()}
    state.save(hypervisor, case.declared, place(case.declared.ref), active=True, new=new, facts=facts)


def _guest(declared: Declared) -> Ref:
    name = ((declared.object.get("spec") or {}).get("virtualMachineRef") or {}).get("name")
    if not name:
        raise KubevmmError(f"{declared.ref}: which guest is it of?", hint="name it in spec.virtualMachineRef")
    return Ref("VirtualMachine", declared.ref.namespace, str(name))


def _wanted(declared: Declared) -> dict[str, Any]:
    return dict((declared.object.get("spec") or {}).get("domainSnapshot") or {})


def _name(declared: Declared) -> str:
    name = str(_wanted(declared).get("name") or declared.ref.name)
    # libvirt makes names of files of it.
    if "/" in name or name in {".", ".."} or not name.isprintable():
        raise KubevmmError(f"{declared.ref}: {name!r} is no name for a snapshot", hint="it must not hold a slash")
    return name


def _by_name(domain: Domain, name: str) -> Snapshot | None:
    try:
        return Snapshots(domain).by_name(name)
    except NotFound:
        return None


def _differences(wanted: Mapping[str, Any], there: Mapping[str, Any], path: str) -> Iterator[Difference]:
    """Yield where *there* is not what *wanted* says; what it does not say is no difference."""
    for key, value in wanted.items():
        if path == "domainSnapshot" and key not in SAID:
            continue
        found = there.get(key)
        where = f"{path}.{key}"
        if isinstance(value, dict):
            yield from _differences(value, found if isinstance(found, dict) else {}, where)
        elif isinstance(value, list):
            known = {str(each.get("name")): each for each in found or () if isinstance(each, dict)}
            for each in value:
                name = str(each.get("name"))
                yield from _differences(each, known.get(name, {}), f"{where}[{name}]")
        elif found is None or str(found) != str(value):
            yield Difference(where, found, value, Cause.SPEC)
