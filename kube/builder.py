"""Says in a few words what a controller is for, what it owns, and what else concerns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from kube.controller import WORKERS, Controller
from kube.object import Key
from kube.pages import EVERYTHING, Selection
from kube.predicates import any_change, spec_changed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kube.controller import Mapping, Reconcile
    from kube.manager import Manager
    from kube.object import Object
    from kube.predicates import Predicate
    from kube.resource import Resource
    from kube.store import Index


class Builder:
    """As in ``Builder(manager, "guests").for_(GUESTS).owns(PODS).watches(NODES, guests_of).complete(reconcile)``."""

    def __init__(self, manager: Manager, name: str) -> None:
        self._manager = manager
        self._name = name
        self._for: Resource | None = None
        self._watched: list[tuple[Resource, Mapping | None, Predicate, Selection]] = []

    def for_(self, resource: Resource, predicate: Predicate = spec_changed, selection: Selection = EVERYTHING) -> Self:
        """Reconcile objects of *resource*; by default not for what changes in their status alone."""
        self._for = resource
        self._watched.append((resource, _itself, predicate, selection))
        return self

    def owns(self, resource: Resource, predicate: Predicate = any_change, selection: Selection = EVERYTHING) -> Self:
        """Reconcile the controlling owner (``ownerReferences`` with ``controller: true``) of what changes here."""
        self._watched.append((resource, None, predicate, selection))
        return self

    def watches(
        self,
        resource: Resource,
        mapping: Mapping,
        predicate: Predicate = any_change,
        selection: Selection = EVERYTHING,
    ) -> Self:
        """Reconcile the keys that *mapping* names for what changes here."""
        self._watched.append((resource, mapping, predicate, selection))
        return self

    def indexed(self, resource: Resource, name: str, index: Index, selection: Selection = EVERYTHING) -> Self:
        """Have *index* in the cache of *resource*, which `Manager.cache` returns."""
        self._manager.cache(resource, selection).add_index(name, index)
        return self

    def complete(
        self,
        reconcile: Reconcile,
        *,
        workers: int = WORKERS,
        resync: float | None = None,
        leader_only: bool = True,
    ) -> Controller:
        """Return the controller, which the manager now runs. Raises ValueError if it is for nothing."""
        if self._for is None:
            raise ValueError(f"{self._name}: say with for_ what the controller is for")
        made = Controller(self._name, reconcile, workers=workers, resync=resync)
        for resource, mapping, predicate, selection in self._watched:
            store = self._manager.cache(resource, selection)
            made.watch(store, mapping or owner_of(self._for), predicate)
        self._manager.add(made.run, leader_only=leader_only)
        return made


def owner_of(resource: Resource) -> Mapping:
    """Return the mapping from an object to its controlling owner, if that is of *resource*."""

    def mapping(found: Object) -> Iterable[Key]:
        owner = found.controller()
        if owner is None or owner.kind != resource.kind:
            return []
        group, _, _ = owner.api_version.rpartition("/")
        if group != resource.group:
            return []
        return [Key(found.key.namespace if resource.namespaced else "", owner.name)]

    return mapping


def _itself(found: Object) -> Iterable[Key]:
    return [found.key]
