"""One VirtualMachine made so on the node: found, adopted or refused, planned, carried out, started or stopped."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from executor.engine import act, drive, overlays, power, resolve, seed, store, volumes
from executor.hypervisor.errors import LibvirtError, OutOfStep, Unanswered
from executor.plan import actions, actual
from executor.plan import domain as planner
from executor.plan import mark as marks
from executor.plan.actions import listed
from executor.plan.merge import Cause
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.engine.seed import Seed
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.plan.actual import Actual
    from executor.plan.domain import Difference
    from executor.plan.mark import Mark


class Outcome(StrEnum):
    """What became of an object, in kubectl's words, and two of ours."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    ADOPTED = "adopted"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """What was done for an object; ``notes`` are what a person should know besides."""

    outcome: Outcome
    notes: tuple[str, ...] = ()
    wait: float | None = None
    """In how many seconds a daemon has to look at it again; None for not before something happens."""
    held: str = ""
    """``on`` or ``off`` where a person wants a guest so, against its runStrategy."""
    drift: tuple[str, ...] = ()
    """The paths that somebody changed behind our back, and that the object's driftPolicy leaves so."""


@dataclass(frozen=True)
class Case:
    """One object and what there is of it. ``domain`` and ``there`` are None where there is nothing yet."""

    declared: Declared
    wanted: dict[str, Any]
    secrets: tuple[tuple[str | int, ...], ...]
    domain: Domain | None
    there: Actual | None
    mark: Mark | None
    """What the domain carries: None where there is none, or it is not ours."""
    seed: Seed | None = None
    """What cloud-init in the guest reads, which ``wanted`` has in a drive; None where the object asks for none."""
    followed: overlays.Follow = overlays.NOTHING
    """What the guest's disks go on in since snapshots."""

    @property
    def adopting(self) -> bool:
        """Whether it is somebody else's domain so far."""
        return self.domain is not None and self.mark is None

    @property
    def last(self) -> dict[str, Any] | None:
        """What was applied last, with the disks where they go on."""
        found = self.mark.last("spec", "domain") if self.mark is not None else None
        return self.followed(found) if found is not None else None

    @property
    def goal(self) -> dict[str, Any]:
        """What the guest shall be: ``wanted``, with the disks where they go on."""
        return self.followed(self.wanted)

    def differences(self) -> list[Difference]:
        """Return where what is there is not what is wanted; nothing where there is nothing."""
        return planner.diff(self.goal, self.there, self.last) if self.there is not None else []


LOOK_AGAIN: Final = 10.0
"""Seconds after which a daemon looks whether the guest has done what it was asked for: no event tells of a vCPU."""

_KEPT: Final = ("name", "namespace", "labels", "annotations", "uid")


def observe(domain: Domain, *, secure: bool = True) -> Actual:
    """Return *domain* as the planner reads it; passwords are in it with *secure* alone."""
    persistent = domain.persistent
    live = domain.xml(secure=secure) if domain.active else None
    inactive = domain.xml(secure=secure, inactive=True) if persistent or live is None else live
    return actual.read(inactive, live, persistent=persistent)


def look(hypervisor: Hypervisor, declared: Declared, every: Declarations, index: store.Index | None = None) -> Case:
    """Return *declared* with what there is of it. Raises KubevmmError where it would be somebody else's guest.

    *index* is one for all objects of a pass.
    """
    resolved = resolve.resolve(declared.object, declared.ref, every)
    domain, mark = _find(hypervisor, declared, resolved, index or store.Index(hypervisor))
    wanted = volumes.with_formats(hypervisor, resolved.domain, declared.ref, every)
    if domain is not None and not resolved.given_uuid:
        wanted = {**wanted, "uuid": domain.uuid}
    there = observe(domain) if domain is not None else None
    data = seed.look(hypervisor, declared, every, wanted, there)
    if data is not None:
        wanted = seed.put_in(data, wanted, there)
    followed = overlays.follow(domain, there, wanted) if domain is not None and there is not None else overlays.NOTHING
    return Case(declared, wanted, resolved.secrets, domain, there, mark, data, followed)


def _find(
    hypervisor: Hypervisor, declared: Declared, resolved: resolve.Resolved, index: store.Index
) -> tuple[Domain | None, Mark | None]:
    ref = declared.ref
    by_uuid = store.by_uuid(hypervisor, resolved.domain["uuid"])
    by_name = store.by_name(hypervisor, resolved.domain["name"])
    if by_uuid is not None and by_name is not None and by_uuid.uuid != by_name.uuid:
        raise KubevmmError(
            f"{ref}: the UUID {by_uuid.uuid} is the domain {by_uuid.name}'s, and the name {by_name.name} another one's",
            hint="give the spec the name or the UUID of one of them",
        )
    domain = by_uuid or by_name
    mark = store.mark_of(domain) if domain is not None else None
    if domain is not None and mark is not None:
        owner = store.Guest(domain, mark).ref
        if owner != ref:
            raise KubevmmError(
                f"{ref}: the domain {domain.name} belongs to {owner} in the namespace {owner.namespace}",
                hint="two objects cannot be one guest: give one of them another spec.domain.name and uuid",
            )
        return domain, mark
    ours = index.lookup(ref)
    if ours is None:
        return domain, None
    if domain is not None:
        raise KubevmmError(f"{ref} is the domain {ours.domain.name}; the domain {domain.name} is another one")
    return ours.domain, ours.mark


def check(case: Case) -> None:
    """Raise KubevmmError where *case* would change a guest that is not ours."""
    if not case.adopting or case.domain is None:
        return
    name = case.domain.name
    paths = tuple(each.path for each in case.differences() if not each.running and not each.runs)
    if power.would_change(case.declared.object, case.domain):
        paths = (*paths, "runStrategy")
    if paths:
        raise KubevmmError(
            f"{case.declared.ref}: the domain {name} is here, is not managed, and differs: {listed(paths)}",
            hint=f"`virtctl diff -f {case.declared.file}` shows how; `virtctl adopt -f {case.declared.file}` takes it "
            "over as it is, and the next apply changes it",
        )


def steps(case: Case, *, defined: bool = False) -> list[actions.Action]:
    """Return the plan for *case*."""
    spec = case.declared.object.get("spec") or {}
    return planner.plan(
        case.goal,
        case.there,
        case.last,
        mark=mark_for(case),
        live_updates=spec.get("updateStrategy") != "OnRestart",
        repair=spec.get("driftPolicy") != "Report",
        defined=defined,
    )


def apply(hypervisor: Hypervisor, case: Case, *, daemon: bool = False) -> Result:
    """Make the guest what *case* wants. Raises KubevmmError where libvirt refuses; the next pass goes on from there.

    For a *daemon*, which looks again and again, crashes are waited for, and what was done by hand counts.
    """
    check(case)
    adopting = case.adopting
    if case.seed is not None and case.seed.write:
        seed.write(hypervisor, case.seed)
    done = steps(case)
    at = next((n + 1 for n, step in enumerate(done) if isinstance(step, actions.Define)), 0)
    domain = act.run(hypervisor, case.domain, done[:at])
    if domain is None:
        raise AssertionError(done)
    grown: tuple[str, ...] = ()
    if at:
        if adopting:
            grown = tuple(path for step in done[:at] if isinstance(step, actions.Define) for path in step.paths)
        again = replace(case, domain=domain, there=observe(domain))
        done = done[:at] + steps(again, defined=True)
    asked = _act(hypervisor, domain, case, [step for step in done[at:] if not isinstance(step, actions.SetMark)])
    waits = _waits(done)
    if any(step.changes for step in done):
        left = planner.settle(case.goal, observe(domain), case.last, mark_for(case))
        act.run(hypervisor, domain, left)
        waits = _waits(left)
    obj, new = case.declared.object, case.domain is None
    settled = (
        power.keep(hypervisor, obj, domain, new=new)
        if daemon
        else power.Settled(power.settle(hypervisor, obj, domain, new=new))
    )
    _sweep(hypervisor, domain, case)
    says = f"its definition says now what runs: {listed(grown)}" if grown else ""
    of_seed = case.seed.notes if case.seed is not None else ()
    notes = tuple(note for note in (says, *asked, *waits, settled.note, *of_seed) if note)
    if case.domain is None:
        outcome = Outcome.CREATED
    elif adopting:
        outcome = Outcome.ADOPTED
    else:
        changed = any(step.changes for step in done) or settled.note or (case.seed is not None and case.seed.write)
        outcome = Outcome.CONFIGURED if changed else Outcome.UNCHANGED
    wait = min(settled.wait or LOOK_AGAIN, LOOK_AGAIN) if asked else settled.wait
    return Result(outcome, notes, wait, settled.held, _drift(case))


def _drift(case: Case) -> tuple[str, ...]:
    if (case.declared.object.get("spec") or {}).get("driftPolicy") != "Report":
        return ()
    return tuple(dict.fromkeys(each.path for each in case.differences() if each.cause is Cause.OUTSIDE))


def _act(hypervisor: Hypervisor, domain: Domain, case: Case, live: list[actions.Action]) -> list[str]:
    """Change the running guest; return what it was asked for and has not done yet, in words."""
    asked = []
    for step in live:
        # What is not done is in the definition, and is noted to wait for the guest's next start.
        try:
            act.run(hypervisor, domain, [step])
        except OutOfStep:
            continue
        except Unanswered:
            asked.append(f"the guest has not done its part yet: {step.describe()}")
        except LibvirtError:
            # A guest that has its CD mounted does not let go of it: its next start brings the new one.
            if case.seed is None or not isinstance(step, actions.UpdateDevice) or case.seed.path not in step.xml:
                raise
    return asked


def _sweep(hypervisor: Hypervisor, domain: Domain, case: Case) -> None:
    """Delete the seeds that the guest has no more."""
    if case.seed is not None and not case.seed.write:
        seed.sweep(hypervisor, case.seed, domain)
    elif case.mark is not None and (case.mark.applied.get("spec") or {}).get("cloudInit") is not None:
        before = case.there.inactive if case.there is not None else {}
        paths = tuple(drive.sources(before, seed.names(domain.uuid)))
        seed.remove(hypervisor, domain.uuid, paths, used=seed.paths_of(domain))


def foretell(case: Case) -> Result:
    """Return what `apply` would say, without doing anything."""
    check(case)
    if case.domain is None:
        return Result(Outcome.CREATED)
    done = steps(case)
    if case.adopting:
        return Result(Outcome.ADOPTED)
    changed = any(step.changes for step in done) or power.would_change(case.declared.object, case.domain)
    changed = changed or (case.seed is not None and case.seed.write)
    return Result(Outcome.CONFIGURED if changed else Outcome.UNCHANGED, _waits(done))


def mark_for(case: Case) -> Mark:
    """Return the mark that the guest carries when *case* is applied."""
    obj, ref = case.declared.object, case.declared.ref
    before = case.mark.applied.get("metadata", {}) if case.mark is not None else {}
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key in _KEPT}
    metadata["namespace"] = ref.namespace
    metadata["creationTimestamp"] = before.get("creationTimestamp") or now()
    spec = {**(obj.get("spec") or {}), "domain": _without(case.wanted, case.secrets)}
    applied = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata, "spec": spec}
    uid = str(metadata.get("uid") or case.wanted["uuid"])
    texts = seed.secret_texts(obj)
    for path in texts:
        applied = _cut(applied, path)
    made = marks.make(ref.namespace, ref.name, uid, applied)
    if case.seed is not None and case.seed.kept and case.mark is not None:
        texts = tuple(path for path in case.mark.secrets if path[:2] == ("spec", "cloudInit"))
    hidden = [path for path in (*case.secrets, *texts) if path not in made.secrets]
    return replace(made, secrets=(*made.secrets, *hidden))


def now() -> str:
    """Return the time, as Kubernetes writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without(domain: dict[str, Any], secrets: tuple[tuple[str | int, ...], ...]) -> dict[str, Any]:
    """Return *domain* without what stands at the paths *secrets*, which count from the object's root."""
    out: Any = domain
    for path in secrets:
        out = _cut(out, path[2:])
    return dict(out)


def _cut(node: Any, path: tuple[str | int, ...]) -> Any:
    step, rest = path[0], path[1:]
    if isinstance(node, list) and isinstance(step, int):
        return [*node[:step], _cut(node[step], rest), *node[step + 1 :]]
    if not rest:
        return {key: value for key, value in node.items() if key != step}
    return {**node, step: _cut(node[step], rest)}


def _waits(done: list[actions.Action]) -> tuple[str, ...]:
    return tuple(step.describe() for step in done if isinstance(step, actions.RestartRequired))
