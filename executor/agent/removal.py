"""An object taken away: its guest asked to shut down, waited for without keeping a worker, and then deleted.

Only what carries the object's own mark is touched, and the mark is looked at again right before each step.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from executor.engine import ownership, power, remove, runs, state
from executor.engine.listing import Query, listing
from executor.hypervisor.errors import NotFound, WrongState

if TYPE_CHECKING:
    from executor.engine import store
    from executor.engine.objects import Ref
    from executor.hypervisor.hypervisor import Hypervisor

_DELETING: Final = "deleting"
"""Stands in the place of the spec's digest: whatever was waited for before does not count."""


def rests(hypervisor: Hypervisor, index: store.Index, ref: Ref) -> bool:
    """Say whether the guest is off, is to stay so, and was not brought to that by `guest`. Raises LibvirtError."""
    found = index.lookup(ref)
    if found is None or runs.load(hypervisor, found.domain.uuid).spec == _DELETING:
        return False
    return power.rests(hypervisor, found.domain)


def guest(
    hypervisor: Hypervisor, index: store.Index, ref: Ref, *, orphan: bool = False, now: float | None = None
) -> tuple[str, float]:
    """Do what can be done at once; return ``deleted``, ``released`` or ``gone``, or an empty word and seconds to wait.

    With *orphan* it is released whatever its deletionPolicy says.

    Raises LibvirtError.
    """
    found = index.lookup(ref)
    if found is None:
        return "gone", 0.0
    spec, domain = found.object.get("spec") or {}, found.domain
    if orphan or spec.get("deletionPolicy") == "Retain":
        ownership.release(hypervisor, found)
        return "released", 0.0
    now = time.time() if now is None else now
    if domain.active:
        grace = float(spec.get("terminationGracePeriodSeconds", ownership.GRACE))
        run = runs.load(hypervisor, domain.uuid)
        if run.spec != _DELETING:
            # Noted first: however often this process ends, the guest has its time once.
            run = replace(run, spec=_DELETING, asked=now, asks=1)
            runs.save(hypervisor, domain.uuid, run)
            if grace > 0:
                try:
                    domain.shutdown()
                except WrongState:
                    if domain.active:
                        raise
        # A clock that was set back must not make it wait for ever.
        left = min(run.asked + grace - now, grace)
        if left > 0 and domain.active:
            return "", left
    return ownership.delete(hypervisor, found, grace=0), 0.0


def other(hypervisor: Hypervisor, ref: Ref, *, orphan: bool = False, deliberate: bool = False) -> str:
    """Delete what is no guest; return ``deleted``, ``released``, ``gone``, or ``kept`` for what stays as it is.

    Nothing brings back the data of a disk or an image: unless the deletion is *deliberate*, only one that says
    ``deletionPolicy: Delete`` in so many words is deleted. An *orphan* is nobody's from now on, and stays.
    """
    if orphan:
        return _let_go(hypervisor, ref)
    if ref.kind not in remove.ORDER and not deliberate:
        found = listing(hypervisor, Query(ref.kind, ref.namespace, (ref.name,))).objects
        if not any((obj.get("spec") or {}).get("deletionPolicy") == "Delete" for obj in found):
            return "kept"
    try:
        return remove.delete(hypervisor, ref)
    except NotFound:
        return "gone"


def _let_go(hypervisor: Hypervisor, ref: Ref) -> str:
    places = [place for place, kept in state.every(hypervisor, ref.kind) if kept.ref == ref]
    for place in places:
        state.forget(hypervisor, ref.kind, place)
    return "released" if places else "gone"
