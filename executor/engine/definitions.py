"""Networks and pools: defined, started, and their definitions changed, by the same three-way merge as guests.

libvirt keeps no metadata for pools, nor older ones for networks: what was applied last lies in a state folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from analyser.codec.encode import encode
from executor.engine import state
from executor.engine.guests import Outcome, Result
from executor.hypervisor.errors import NotFound, Unsupported
from executor.plan import actual
from executor.plan.actions import listed
from executor.plan.domain import Difference
from executor.plan.merge import Cause, Merged, merge, path_text
from schemas.errors import KubevmmError
from schemas.table import table

if TYPE_CHECKING:
    from executor.engine.objects import Ref
    from executor.engine.source import Declared
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.networks import Network, Networks
    from executor.hypervisor.pools import Pool, Pools


@dataclass(frozen=True)
class _Kind:
    field: str
    """Where in the spec libvirt's document is, and its root element."""
    root: str


KINDS: Final = {
    "VirtualMachineNetwork": _Kind("network", "network"),
    "VirtualMachineStoragePool": _Kind("pool", "pool"),
}


def all_of(hypervisor: Hypervisor, kind: str) -> Networks | Pools:
    """Return where the node has what is of *kind*."""
    return hypervisor.networks if kind == "VirtualMachineNetwork" else hypervisor.pools


def find(hypervisor: Hypervisor, kind: str, name: str) -> Network | Pool | None:
    """Return the network or pool that libvirt calls *name*, None if there is none."""
    try:
        return all_of(hypervisor, kind).by_name(name)
    except NotFound:
        return None


def wanted_of(declared: Declared) -> dict[str, Any]:
    """Return the document that *declared* says, with a name."""
    content = (declared.object.get("spec") or {}).get(KINDS[declared.ref.kind].field) or {}
    return {"name": declared.ref.name, **content}


def document(found: Network | Pool) -> dict[str, Any]:
    """Return the definition of *found*, decoded."""
    try:
        text = found.xml(inactive=found.persistent)
    except Unsupported:
        text = found.xml()
    return actual.document(text)[0]


@dataclass(frozen=True)
class Case:
    """A network or pool, what there is of it, and how that would change; ``kept`` is None where it is not ours."""

    found: Network | Pool
    merged: Merged
    kept: state.Kept | None
    is_active: bool
    active: bool
    """Whether it should be up."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Return what of its definition is not as it should be."""
        return tuple(path_text(each.path) for each in self.merged.changes)


def look(hypervisor: Hypervisor, declared: Declared) -> Case | None:
    """Return *declared* with what there is of it, None where that is nothing.

    Raises KubevmmError where it is another object's.
    """
    wanted = wanted_of(declared)
    kind = KINDS[declared.ref.kind]
    found = find(hypervisor, declared.ref.kind, str(wanted["name"]))
    if found is None:
        return None
    kept = state.load(hypervisor, declared.ref.kind, found.uuid)
    if kept is not None and kept.ref != declared.ref:
        raise KubevmmError(f"{declared.ref}: {found.name} belongs to {kept.ref} in the namespace {kept.ref.namespace}")
    last = (kept.object.get("spec") or {}).get(kind.field) if kept is not None else None
    merged = merge(document(found), wanted, last, table().roots[kind.root].type)
    is_active = found.active
    # What was down when it was adopted by an object that says nothing of it may stay so.
    active = bool((declared.object.get("spec") or {}).get("active", kept.active if kept is not None else is_active))
    return Case(found, merged, kept, is_active, active)


def differences(hypervisor: Hypervisor, declared: Declared) -> list[Difference] | None:
    """Return where the node's is not what *declared* says; None where there is none."""
    case = look(hypervisor, declared)
    if case is None:
        return None
    out = [Difference(path_text(each.path), each.old, each.new, each.cause) for each in case.merged.changes]
    if case.active != case.is_active:
        cause = Cause.FIRST if case.kept is None else Cause.OUTSIDE
        out.append(Difference("active", case.is_active, case.active, cause))
    return out


def apply(hypervisor: Hypervisor, declared: Declared, *, dry_run: bool = False) -> Result:
    """Define the network or pool, start it, and note it as ours. Raises KubevmmError where it is somebody else's."""
    case = look(hypervisor, declared)
    spec = declared.object.get("spec") or {}
    if case is None:
        if not dry_run:
            _define(hypervisor, declared, merge(None, wanted_of(declared), None, _type(declared.ref)).node)
        return Result(Outcome.CREATED)
    found, paths = case.found, case.paths
    moves = case.active != case.is_active
    if case.kept is None and (paths or moves):
        raise KubevmmError(
            f"{declared.ref}: {found.name} is here, is not managed, and differs: {listed(paths or ('active',))}",
            hint=f"`virtctl diff -f {declared.file}` shows how; it is adopted once the file says what is there",
        )
    autostart = "autostart" in spec and bool(spec["autostart"]) != found.autostart
    if not dry_run:
        if paths:
            all_of(hypervisor, declared.ref.kind).define(_xml(declared.ref, case.merged.node))
        if autostart:
            found.set_autostart(bool(spec["autostart"]))
        if moves and case.active:
            found.start()
        elif moves:
            found.destroy()
        state.save(hypervisor, declared, found.uuid, active=case.active)
    if case.kept is None:
        return Result(Outcome.ADOPTED)
    notes = (f"takes effect at its next start: {listed(paths)}",) if paths and case.is_active else ()
    return Result(Outcome.CONFIGURED if paths or moves or autostart else Outcome.UNCHANGED, notes)


def delete(hypervisor: Hypervisor, ref: Ref) -> str:
    """Delete the object *ref* as its deletionPolicy says; return ``deleted`` or ``released``. A pool's volumes stay.

    Raises NotFound where the node has no such object.
    """
    for found in all_of(hypervisor, ref.kind).all():
        kept = state.load(hypervisor, ref.kind, found.uuid)
        if kept is None or kept.ref != ref:
            continue
        retain = (kept.object.get("spec") or {}).get("deletionPolicy") == "Retain"
        if not retain:
            if found.active:
                found.destroy()
            if found.persistent:
                found.undefine()
        state.forget(hypervisor, ref.kind, found.uuid)
        return "released" if retain else "deleted"
    raise NotFound(f"{ref}: not found in the namespace {ref.namespace}", hint="what is not managed is never deleted")


def _define(hypervisor: Hypervisor, declared: Declared, node: dict[str, Any]) -> None:
    spec = declared.object.get("spec") or {}
    active = bool(spec.get("active", True))
    made = all_of(hypervisor, declared.ref.kind).define(_xml(declared.ref, node))
    state.save(hypervisor, declared, made.uuid, active=active)
    if spec.get("autostart"):
        made.set_autostart(True)
    if active:
        made.start()


def _type(ref: Ref) -> Any:
    return table().roots[KINDS[ref.kind].root].type


def _xml(ref: Ref, node: dict[str, Any]) -> str:
    root = table().roots[KINDS[ref.kind].root]
    path = ("spec", KINDS[ref.kind].field)
    return encode(node, root.type, root.element, table().namespaces, path=path, libvirt_order=True)
