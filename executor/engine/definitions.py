"""Networks and pools: looked at, planned by the same three-way merge as guests, carried out, deleted.

libvirt keeps no metadata for pools, nor older ones for networks: what was applied last lies in a state folder.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from executor.engine import act, credentials, resolve, state
from executor.engine.guests import Outcome, Result, now
from executor.engine.source import Declared
from executor.hypervisor.errors import NotFound
from executor.plan import actions, actual
from executor.plan import definition as planner
from executor.plan.actions import listed
from executor.plan.definition import Kind, Lifecycle
from executor.plan.domain import Difference
from executor.plan.merge import Cause
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.engine.credentials import Credential
    from executor.engine.objects import Ref
    from executor.engine.source import Declarations
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.networks import Network, Networks
    from executor.hypervisor.pools import Pool, Pools
    from executor.plan.actual import Actual

KINDS: Final[dict[str, Kind]] = {"VirtualMachineNetwork": "network", "VirtualMachineStoragePool": "pool"}
"""By kind: where in the spec libvirt's document is, which is the name of its root element, too."""

_NAMES: Final = uuid.UUID("0d7f4d0e-68c2-5a44-8a3e-0d5a2b8e7c31")
"""What the UUIDs of new networks and pools are made in, where the spec does not give one."""


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
    content = (declared.object.get("spec") or {}).get(KINDS[declared.ref.kind]) or {}
    return {"name": declared.ref.name, **content}


def observe(found: Network | Pool) -> Actual:
    """Return *found* as the planner reads it."""
    live = found.xml() if found.active else None
    persistent = found.persistent
    inactive = found.xml(inactive=True) if persistent or live is None else live
    return actual.read(inactive, live, persistent=persistent, autostart=found.autostart)


@dataclass(frozen=True)
class Case:
    """One object and what there is of it.

    ``found`` and ``there`` are None where that is nothing, ``kept`` where it is not ours.
    """

    declared: Declared
    wanted: dict[str, Any]
    lifecycle: Lifecycle
    found: Network | Pool | None = None
    there: Actual | None = None
    kept: state.Kept | None = None
    credential: Credential | None = None

    @property
    def kind(self) -> Kind:
        """Return libvirt's word for the kind."""
        return KINDS[self.declared.ref.kind]

    @property
    def last(self) -> dict[str, Any] | None:
        """Return what was applied last, None where nothing was."""
        return (self.kept.object.get("spec") or {}).get(self.kind) if self.kept is not None else None

    @property
    def answers(self) -> tuple[tuple[str, str], ...]:
        """Return what libvirt made of it then."""
        return self.kept.answers if self.kept is not None else ()

    def steps(self) -> list[actions.Action]:
        """Return the plan."""
        spec = self.declared.object.get("spec") or {}
        return planner.plan(
            self.kind,
            self.wanted,
            self.there,
            self.last,
            lifecycle=self.lifecycle,
            answers=self.answers,
            repair=spec.get("driftPolicy") != "Report",
        )

    def differences(self) -> list[Difference]:
        """Return where what is there is not what is wanted; nothing where there is nothing."""
        if self.there is None:
            return []
        out = planner.diff(self.kind, self.wanted, self.there, self.last, self.answers)
        cause = Cause.FIRST if self.kept is None else Cause.OUTSIDE
        for key, is_so, should in (
            ("active", self.there.running, self.lifecycle.active),
            ("autostart", self.there.autostart, self.lifecycle.autostart),
        ):
            if should is not None and is_so != should:
                out.append(Difference(key, is_so, should, cause))
        if self.credential is not None:
            out += self.credential.differences(known=self.kept is not None)
        return out


def look(hypervisor: Hypervisor, declared: Declared, every: Declarations) -> Case:
    """Return *declared*, one of *every*, with what there is of it. Raises KubevmmError where that is another's."""
    wanted = credentials.put_in(declared.ref, declared.object.get("spec") or {}, wanted_of(declared))
    credential = credentials.look(hypervisor, declared, every, wanted)
    found = find(hypervisor, declared.ref.kind, str(wanted["name"]))
    if found is None:
        return Case(declared, wanted, _lifecycle(declared, None, None), credential=credential)
    kept = state.load(hypervisor, declared.ref.kind, found.uuid)
    if kept is not None and kept.ref != declared.ref:
        raise KubevmmError(
            f"{declared.ref}: the {KINDS[declared.ref.kind]} {found.name} belongs to {kept.ref} in the namespace "
            f"{kept.ref.namespace}"
        )
    there = observe(found)
    return Case(declared, wanted, _lifecycle(declared, there, kept), found, there, kept, credential)


def _lifecycle(declared: Declared, there: Actual | None, kept: state.Kept | None) -> Lifecycle:
    """Return how it should be: up and started with the node, unless the object says or it was adopted otherwise."""
    spec = declared.object.get("spec") or {}
    active, autostart = True, True
    if there is not None:
        active = kept.active if kept is not None else there.running
        autostart = kept.autostart if kept is not None and kept.autostart is not None else bool(there.autostart)
    return Lifecycle(
        active=bool(spec.get("active", active)),
        autostart=bool(spec.get("autostart", autostart)),
        # Not of one that was up before: its folder may be missing because a disk is not mounted.
        build=declared.ref.kind == "VirtualMachineStoragePool"
        and spec.get("buildPolicy") != "Never"
        and (there is None or (kept is not None and kept.new)),
    )


def apply(hypervisor: Hypervisor, declared: Declared, every: Declarations, *, dry_run: bool = False) -> Result:
    """Make the network or pool what *declared* says, and note it as ours. Raises KubevmmError where it is not ours."""
    case = look(hypervisor, declared, every)
    if case.found is None:
        if not dry_run:
            _create(hypervisor, case)
        return Result(Outcome.CREATED)
    if case.kept is None:
        different = tuple(dict.fromkeys(each.path for each in case.differences() if not each.running))
        if different:
            raise KubevmmError(
                f"{declared.ref}: {case.found.name} is here, is not managed, and differs: {listed(different)}",
                hint=f"`virtctl diff -f {declared.file}` shows how; it is adopted once the file says what is there",
            )
    done = case.steps() if case.kept is not None else []
    signed = case.credential is not None and not case.credential.same
    unsigned = case.credential is None and case.kept is not None and _signs_in(case.kept)
    if not dry_run:
        if case.credential is not None:
            case.credential.set(hypervisor)
        act.run_definition(all_of(hypervisor, declared.ref.kind), case.found, done)
        changed = any(step.changes for step in done)
        _keep(
            hypervisor,
            case,
            case.found,
            planner.settle(case.kind, case.wanted, observe(case.found)) if changed else case.answers,
        )
        if unsigned:
            credentials.forget(hypervisor, declared.ref)
    if case.kept is None:
        return Result(Outcome.ADOPTED)
    notes = tuple(step.describe() for step in done if isinstance(step, actions.RestartRequired))
    changed_it = signed or unsigned or any(step.changes for step in done)
    return Result(Outcome.CONFIGURED if changed_it else Outcome.UNCHANGED, notes)


def _signs_in(kept: state.Kept) -> bool:
    return bool((kept.object.get("spec") or {}).get("secretRef"))


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
            persistent = found.persistent
            if found.active:
                found.destroy()
            if persistent:
                found.undefine()
            if _signs_in(kept):
                credentials.forget(hypervisor, ref)
        state.forget(hypervisor, ref.kind, found.uuid)
        return "released" if retain else "deleted"
    raise NotFound(f"{ref}: not found in the namespace {ref.namespace}", hint="what is not managed is never deleted")


def _create(hypervisor: Hypervisor, case: Case) -> None:
    ref = case.declared.ref
    identity = resolve.canonical(
        case.wanted.get("uuid") or uuid.uuid5(_NAMES, f"{ref.kind}/{ref.namespace}/{ref.name}")
    )
    wanted = {**case.wanted, "uuid": identity}
    steps = planner.plan(case.kind, wanted, None, lifecycle=case.lifecycle)
    # Noted first: should this end on the way, the next pass must know whose it is.
    _keep(hypervisor, case, identity, (), new=True)
    if case.credential is not None:
        case.credential.set(hypervisor)
    try:
        found = act.run_definition(all_of(hypervisor, ref.kind), None, steps)
    except KubevmmError:
        if case.credential is not None and find(hypervisor, ref.kind, str(wanted["name"])) is None:
            # Nothing would ever take it away.
            credentials.forget(hypervisor, ref)
        raise
    if found is None:
        raise AssertionError(steps)
    _keep(hypervisor, case, found, planner.settle(case.kind, case.wanted, observe(found)))


def _keep(
    hypervisor: Hypervisor,
    case: Case,
    found: Network | Pool | str,
    answers: tuple[tuple[str, str], ...],
    *,
    new: bool = False,
) -> None:
    before = case.kept.object["metadata"] if case.kept is not None else {}
    metadata = {"creationTimestamp": before.get("creationTimestamp") or now(), **case.declared.object["metadata"]}
    state.save(
        hypervisor,
        Declared(case.declared.ref, {**case.declared.object, "metadata": metadata}, case.declared.file),
        found if isinstance(found, str) else found.uuid,
        active=case.lifecycle.active is not False,
        autostart=case.lifecycle.autostart,
        new=new,
        answers=answers,
    )
