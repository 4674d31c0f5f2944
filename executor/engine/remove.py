"""Objects deleted, whatever their kind; and pruned: those that were applied once and are in the input no longer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from executor.engine import definitions, disks, images, ownership, snapshots, store
from executor.engine.listing import Query, listing
from executor.engine.objects import Ref, ref_of
from executor.engine.together import AT_ONCE, together
from executor.hypervisor.errors import NotFound
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


def delete(hypervisor: Hypervisor, ref: Ref, *, grace: int | None = None, patience: float | None = None) -> str:
    """Delete the object *ref* as its deletionPolicy says; return ``deleted`` or ``released``.

    *grace* and *patience* are for guests, see `ownership.delete`. Raises NotFound where the node has no such object.
    """
    if ref.kind in definitions.KINDS:
        return definitions.delete(hypervisor, ref)
    if ref.kind == "VirtualMachine":
        return ownership.delete(hypervisor, store.find(hypervisor, ref), grace=grace, patience=patience)
    if ref.kind == disks.KIND:
        return disks.delete(hypervisor, ref)
    if ref.kind == images.KIND:
        return images.delete(hypervisor, ref)
    if ref.kind == snapshots.KIND:
        return snapshots.delete(hypervisor, ref)
    raise KubevmmError(f"{ref}: a node by itself cannot delete a {ref.kind} yet")


def chosen(hypervisor: Hypervisor, kinds: Iterable[str], namespace: str | None, selector: str) -> list[Ref]:
    """Return the managed objects of *kinds* in *namespace* (None: any) with labels as *selector* says (empty: all)."""
    return [ref_of(obj) for kind in kinds for obj in listing(hypervisor, Query(kind, namespace, (), selector)).objects]


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


def remove(
    hypervisor: Hypervisor, refs: Iterable[Ref], *, grace: int | None = None, patience: float | None = None
) -> Iterator[Removed]:
    """Delete *refs*, and yield what became of each as it is done. What fails keeps no other from being deleted.

    Guests shut down together. See `ownership.delete` for *grace* and *patience*.
    """

    def one(ref: Ref) -> Removed:
        try:
            return Removed(ref, delete(hypervisor, ref, grace=grace, patience=patience))
        except KubevmmError as error:
            return Removed(ref, error=error)

    for kind, alike in itertools.groupby(ordered(refs), key=lambda ref: ref.kind):
        yield from together(list(alike), one, at_once=AT_ONCE if kind == "VirtualMachine" else 1)


def foretell(hypervisor: Hypervisor, refs: Iterable[Ref]) -> Iterator[Removed]:
    """Yield what `remove` would do to each of *refs*, as far as the objects themselves say; nothing is changed."""
    for ref in ordered(refs):
        found = listing(hypervisor, Query(ref.kind, ref.namespace, (ref.name,))).objects
        if not found:
            yield Removed(ref, error=NotFound(f"{ref}: not found in the namespace {ref.namespace}"))
        else:
            retained = (found[0].get("spec") or {}).get("deletionPolicy") == "Retain"
            yield Removed(ref, "released" if retained else "deleted")


def _adopted(obj: dict[str, Any]) -> bool:
    return ownership.ADOPTED in (obj["metadata"].get("annotations") or {})
