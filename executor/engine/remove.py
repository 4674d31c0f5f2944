"""Objects deleted, whatever their kind; and pruned: those that were applied once and are in the input no longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from executor.engine import definitions, disks, images, ownership, snapshots, store
from executor.engine.listing import Query, listing
from executor.engine.objects import Ref, ref_of
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from executor.engine.source import Declarations
    from executor.hypervisor.hypervisor import Hypervisor

ORDER: Final = ("VirtualMachine", "VirtualMachineNetwork", "VirtualMachineStoragePool")
"""What is pruned; never disks nor images, whose data nothing brings back. What others stand on goes last."""


@dataclass(frozen=True)
class Removed:
    """What became of one object: ``deleted`` or ``released``, or the ``error`` that kept it."""

    ref: Ref
    done: str = ""
    error: KubevmmError | None = None


def ordered(refs: Iterable[Ref]) -> list[Ref]:
    """Return *refs* in the order in which they are deleted."""
    places = {
        kind: place for place, kind in enumerate((snapshots.KIND, *ORDER[:1], disks.KIND, images.KIND, *ORDER[1:]))
    }
    return sorted(refs, key=lambda ref: places.get(ref.kind, 1))


def delete(hypervisor: Hypervisor, ref: Ref, *, grace: int | None = None) -> str:
    """Delete the object *ref* as its deletionPolicy says; return ``deleted`` or ``released``.

    *grace* is for guests: the seconds that they may take to shut down (None: as the object says). Raises NotFound where
    the node has no such object.
    """
    if ref.kind in definitions.KINDS:
        return definitions.delete(hypervisor, ref)
    if ref.kind == "VirtualMachine":
        return ownership.delete(hypervisor, store.find(hypervisor, ref), grace=grace)
    if ref.kind == disks.KIND:
        return disks.delete(hypervisor, ref)
    if ref.kind == images.KIND:
        return images.delete(hypervisor, ref)
    if ref.kind == snapshots.KIND:
        return snapshots.delete(hypervisor, ref)
    raise KubevmmError(f"{ref}: a node by itself cannot delete a {ref.kind} yet")


def chosen(hypervisor: Hypervisor, kinds: Iterable[str], namespaces: Iterable[str], selector: str) -> list[Ref]:
    """Return the managed objects of *kinds* in *namespaces* whose labels are as *selector* says (empty: all)."""
    wanted = set(namespaces)
    return [
        ref_of(obj)
        for kind in kinds
        for obj in listing(hypervisor, Query(kind, None, (), selector)).objects
        if ref_of(obj).namespace in wanted
    ]


def prunable(hypervisor: Hypervisor, declared: Declarations, selector: str, namespace: str | None) -> list[Ref]:
    """Return what was applied with labels as *selector* says (empty: any) and is not in *declared*, as kubectl has it.

    Only in the namespaces of what is declared, and in *namespace*; what was adopted and never applied is no part of it.
    Raises KubevmmError where nothing is declared: that is far more often a mistake than a wish to delete everything.
    """
    if not declared.objects:
        raise KubevmmError("no objects to apply: nothing is pruned", hint="virtctl delete -l takes labels, too")
    here = {each.ref for each in declared.objects}
    namespaces = {ref.namespace for ref in here} | ({namespace} if namespace else set())
    out = []
    for kind in ORDER:
        for obj in listing(hypervisor, Query(kind, None, (), selector)).objects:
            ref = ref_of(obj)
            if ref not in here and ref.namespace in namespaces and not _adopted(obj):
                out.append(ref)
    return ordered(out)


def remove(hypervisor: Hypervisor, refs: Iterable[Ref], *, grace: int | None = None) -> Iterator[Removed]:
    """Delete *refs*, and yield what became of each as it is done. What fails keeps no other from being deleted."""
    for ref in ordered(refs):
        try:
            yield Removed(ref, delete(hypervisor, ref, grace=grace))
        except KubevmmError as error:
            yield Removed(ref, error=error)


def _adopted(obj: dict[str, Any]) -> bool:
    return ownership.ADOPTED in (obj["metadata"].get("annotations") or {})
