"""All objects of one input applied: looked at first, so that a contradiction changes nothing; then in a safe order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.engine import claims, definitions, disks, guests, images, remembered, snapshots, store, unchanged, volumes
from executor.engine.guests import Outcome, Result
from executor.engine.listing import Query, listing, node_name
from executor.engine.objects import labels_of, ref_of
from executor.engine.objects import selected as labels_chosen
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from executor.engine.guests import Case
    from executor.engine.landing import Progress
    from executor.engine.objects import Ref
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.hypervisor import Hypervisor

_ORDER = (
    "VirtualMachineStoragePool", "VirtualMachineNetwork", "VirtualMachineImage", "VirtualMachineDisk", "VirtualMachine",
    "VirtualMachineSnapshot",
)  # fmt: skip
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
    # Images may be made from disks, too.
    places[images.KIND] = places[disks.KIND]
    depths = volumes.depths(declared)
    return sorted(declared.objects, key=lambda each: (places.get(each.ref.kind, len(places)), depths.get(each.ref, 0)))


def selected(declared: Declarations, selector: str) -> list[Declared]:
    """Return those whose labels are as *selector* says, in the order in which they are applied."""
    # Without one, what is as it was is not even read.
    return [each for each in ordered(declared) if not selector or labels_chosen(labels_of(each.object), selector)]


def check(declared: Declarations) -> None:
    """Raise KubevmmError where two objects are one domain, network or pool, or have one UUID, MAC address or disk."""
    claims.check(declared)


def objects(hypervisor: Hypervisor, applied: Iterable[Applied], *, dry_run: bool = False) -> list[dict[str, Any]]:
    """Return what was *applied*, as it is on the node now; as it was declared where the node has nothing of it."""
    applied = list(applied)
    known: dict[Ref, dict[str, Any]] = {}
    for kind in dict.fromkeys(each.declared.ref.kind for each in applied) if not dry_run else ():
        names = tuple(each.declared.ref.name for each in applied if each.declared.ref.kind == kind)
        for obj in listing(hypervisor, Query(kind, None, names, detail=True)).objects:
            known[ref_of(obj)] = obj
    return [known.get(each.declared.ref, each.declared.object) for each in applied]


def apply(
    hypervisor: Hypervisor,
    declared: Declarations,
    *,
    dry_run: bool = False,
    selector: str = "",
    progress: Progress | None = None,
) -> Iterator[Applied]:
    """Apply all objects, and yield what became of each as it is done; with *dry_run* only say what would.

    With *selector* only those whose labels are as it says; the others are there to be referred to. *progress* is told
    of what takes long.

    What fails keeps no other from being applied. Raises KubevmmError, before anything is changed, where objects
    contradict each other.
    """
    check(declared)
    index, node = store.Index(hypervisor), claims.Node(hypervisor, declared)
    chosen = selected(declared, selector)
    with unchanged.Bulk(hypervisor, chosen, declared) as bulk:
        for each in chosen:
            try:
                done = one(hypervisor, each, declared, index, node, bulk, dry_run=dry_run, progress=progress)
                yield Applied(each, done)
            except KubevmmError as error:
                yield Applied(each, error=error)
    if not dry_run:
        remembered.of(hypervisor).save()


def elsewhere(hypervisor: Hypervisor, each: Declared) -> str:
    """Return which nodes the object is for, empty where this one is among them."""
    spec = each.object.get("spec") or {}
    wanted = [spec["nodeName"]] if spec.get("nodeName") else spec.get("nodeNames") or []
    return "" if not wanted or node_name(hypervisor) in wanted else ", ".join(map(str, wanted))


def one(
    hypervisor: Hypervisor,
    each: Declared,
    declared: Declarations,
    index: store.Index,
    node: claims.Node,
    bulk: unchanged.Bulk | None = None,
    *,
    dry_run: bool = False,
    daemon: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Apply *each*, one of *declared*; `guests.apply` says what a *daemon* does otherwise. Raises KubevmmError.

    *index*, *node* and *bulk* are for all objects of a pass.
    """
    is_guest = each.ref.kind == "VirtualMachine"
    same = unchanged.known(hypervisor, each, declared, bulk, daemon=daemon) if is_guest else None
    if same is not None:
        return same
    other = elsewhere(hypervisor, each)
    if other:
        return Result(Outcome.SKIPPED, (f"it is for the node {other}, and this is {node_name(hypervisor)}",))
    if is_guest:
        case: Case = guests.look(hypervisor, each, declared, index)
        node.check(case)
        if dry_run:
            return guests.foretell(case)
        before = case.domain.state() if case.domain is not None else None
        result = guests.apply(hypervisor, case, daemon=daemon)
        unchanged.note(hypervisor, each, declared, case, result, before, daemon=daemon)
        return result
    if each.ref.kind in definitions.KINDS:
        return definitions.apply(hypervisor, each, declared, dry_run=dry_run)
    if each.ref.kind == disks.KIND:
        return disks.apply(hypervisor, each, declared, dry_run=dry_run, progress=progress)
    if each.ref.kind == images.KIND:
        return images.apply(hypervisor, each, declared, dry_run=dry_run, progress=progress)
    if each.ref.kind == snapshots.KIND:
        return snapshots.apply(hypervisor, each, declared, dry_run=dry_run)
    raise KubevmmError(
        f"{each.ref}: a node by itself cannot apply a {each.ref.kind} yet",
        hint="it can apply VirtualMachines and their disks, images, snapshots, networks and storage pools",
    )
