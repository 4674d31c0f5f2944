"""All objects of one input applied: looked at first, so that a contradiction changes nothing; then in a safe order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from executor.engine import definitions, disks, guests, resolve, store
from executor.engine.guests import Outcome, Result
from executor.engine.listing import node_name
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.engine.guests import Case
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.hypervisor import Hypervisor

_ORDER = ("VirtualMachineStoragePool", "VirtualMachineNetwork", "VirtualMachineDisk", "VirtualMachine")
"""What others stand on comes first."""


@dataclass(frozen=True)
class Applied:
    """What became of one object: a ``result``, or the ``error`` that kept it from it."""

    declared: Declared
    result: Result | None = None
    error: KubevmmError | None = None


def ordered(declared: Declarations) -> list[Declared]:
    """Return the objects in the order in which they are applied; those that a node cannot apply come last."""
    places = {kind: place for place, kind in enumerate(_ORDER)}
    return sorted(declared.objects, key=lambda each: places.get(each.ref.kind, len(places)))


def check(declared: Declarations) -> None:
    """Raise KubevmmError where two objects name one domain."""
    names: dict[str, Declared] = {}
    uuids: dict[str, Declared] = {}
    for each in declared.objects:
        if each.ref.kind != "VirtualMachine":
            continue
        name, uuid = resolve.names(each.object, each.ref)
        for known, value, what in ((names, name, "domain"), (uuids, uuid, "UUID")):
            if value is None:
                continue
            other = known.setdefault(value, each)
            if other is not each:
                raise KubevmmError(
                    f"{each.file}: {each.ref} in {each.ref.namespace} and {other.ref} in {other.ref.namespace} "
                    f"({other.file}) name one {what}, {value}",
                    hint="nothing was changed",
                )


def apply(hypervisor: Hypervisor, declared: Declarations, *, dry_run: bool = False) -> Iterator[Applied]:
    """Apply all objects, and yield what became of each as it is done; with *dry_run* only say what would.

    What fails keeps no other from being applied. Raises KubevmmError, before anything is changed, where objects
    contradict each other.
    """
    check(declared)
    index = store.Index(hypervisor)
    for each in ordered(declared):
        try:
            yield Applied(each, _one(hypervisor, each, declared, index, dry_run=dry_run))
        except KubevmmError as error:
            yield Applied(each, error=error)


def elsewhere(hypervisor: Hypervisor, each: Declared) -> str:
    """Return which nodes the object is for, empty where this one is among them."""
    spec = each.object.get("spec") or {}
    wanted = [spec["nodeName"]] if spec.get("nodeName") else spec.get("nodeNames") or []
    return "" if not wanted or node_name(hypervisor) in wanted else ", ".join(map(str, wanted))


def _one(
    hypervisor: Hypervisor, each: Declared, declared: Declarations, index: store.Index, *, dry_run: bool
) -> Result:
    other = elsewhere(hypervisor, each)
    if other:
        return Result(Outcome.SKIPPED, (f"it is for the node {other}, and this is {node_name(hypervisor)}",))
    if each.ref.kind == "VirtualMachine":
        case: Case = guests.look(hypervisor, each, declared, index)
        return guests.foretell(case) if dry_run else guests.apply(hypervisor, case)
    if each.ref.kind in definitions.KINDS:
        return definitions.apply(hypervisor, each, dry_run=dry_run)
    if each.ref.kind == disks.KIND:
        return disks.apply(hypervisor, each, declared, dry_run=dry_run)
    raise KubevmmError(
        f"{each.ref}: a node by itself cannot apply a {each.ref.kind} yet",
        hint="it can apply VirtualMachines and their disks, networks and storage pools",
    )
