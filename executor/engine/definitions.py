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
from executor.plan.merge import Merged, merge, path_text
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


def compare(hypervisor: Hypervisor, declared: Declared) -> tuple[Network | Pool | None, Merged | None, bool]:
    """Return what there is of *declared*, how it would change, and whether it is ours.

    Raises KubevmmError where it is another object's.
    """
    wanted = wanted_of(declared)
    kind = KINDS[declared.ref.kind]
    found = find(hypervisor, declared.ref.kind, str(wanted["name"]))
    if found is None:
        return None, None, False
    kept = state.load(hypervisor, declared.ref.kind, found.uuid)
    if kept is not None and kept.ref != declared.ref:
        raise KubevmmError(f"{declared.ref}: {found.name} belongs to {kept.ref} in the namespace {kept.ref.namespace}")
    last = (kept.object.get("spec") or {}).get(kind.field) if kept is not None else None
    return found, merge(document(found), wanted, last, table().roots[kind.root].type), kept is not None


def differences(hypervisor: Hypervisor, declared: Declared) -> list[Difference] | None:
    """Return where the node's is not what *declared* says; None where there is none."""
    found, merged, _ = compare(hypervisor, declared)
    if found is None or merged is None:
        return None
    return [Difference(path_text(each.path), each.old, each.new, each.cause) for each in merged.changes]


def apply(hypervisor: Hypervisor, declared: Declared, *, dry_run: bool = False) -> Result:
    """Define the network or pool, start it, and note it as ours. Raises KubevmmError where it is somebody else's."""
    found, merged, ours = compare(hypervisor, declared)
    spec = declared.object.get("spec") or {}
    active = spec.get("active", True)
    if found is None or merged is None:
        if not dry_run:
            _define(hypervisor, declared, merge(None, wanted_of(declared), None, _type(declared.ref)).node, active)
        return Result(Outcome.CREATED)
    paths = tuple(path_text(each.path) for each in merged.changes)
    if not ours and (paths or found.active != active):
        where = listed(paths or ("active",))
        raise KubevmmError(
            f"{declared.ref}: {found.name} is here, is not managed, and differs: {where}",
            hint=f"`virtctl diff -f {declared.file}` shows how; it is adopted once the file says what is there",
        )
    notes = (f"takes effect at its next start: {listed(paths)}",) if paths and found.active else ()
    starts = active and not found.active
    stops = not active and found.active
    autostart = "autostart" in spec and bool(spec["autostart"]) != found.autostart
    if not dry_run:
        if paths:
            xml = _xml(declared.ref, merged.node)
            all_of(hypervisor, declared.ref.kind).define(xml)
        if autostart:
            found.set_autostart(bool(spec["autostart"]))
        if starts:
            found.start()
        if stops:
            found.destroy()
        state.save(hypervisor, declared, found.uuid)
    if not ours:
        return Result(Outcome.ADOPTED)
    changed = paths or starts or stops or autostart
    return Result(Outcome.CONFIGURED if changed else Outcome.UNCHANGED, notes)


def _define(hypervisor: Hypervisor, declared: Declared, node: dict[str, Any], active: bool) -> None:
    made = all_of(hypervisor, declared.ref.kind).define(_xml(declared.ref, node))
    state.save(hypervisor, declared, made.uuid)
    if (declared.object.get("spec") or {}).get("autostart"):
        made.set_autostart(True)
    if active:
        made.start()


def _type(ref: Ref) -> Any:
    return table().roots[KINDS[ref.kind].root].type


def _xml(ref: Ref, node: dict[str, Any]) -> str:
    root = table().roots[KINDS[ref.kind].root]
    path = ("spec", KINDS[ref.kind].field)
    return encode(node, root.type, root.element, table().namespaces, path=path, libvirt_order=True)
