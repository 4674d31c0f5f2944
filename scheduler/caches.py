"""What the extender answers from: nodes, guests and disks, read when they change and never when somebody asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from kube.object import Key
from kube.resource import Resource
from scheduler.demand import Demand, demand
from scheduler.places import Place, Places, place
from scheduler.supply import supply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta
    from scheduler.supply import Supply

logger = logging.getLogger(__name__)

_GROUP: Final = "kubevmm.io", "v1alpha1"
GUESTS: Final = Resource(*_GROUP, "VirtualMachine", "virtualmachines")
DISKS: Final = Resource(*_GROUP, "VirtualMachineDisk", "virtualmachinedisks")
NODES: Final = Resource(*_GROUP, "VirtualMachineNode", "virtualmachinenodes", namespaced=False)


class Caches:
    """Follows the objects that *manager* caches."""

    def __init__(self, manager: Manager) -> None:
        self.nodes: dict[str, Supply] = {}
        self._disks: dict[tuple[str, str], Place] = {}
        self.places = Places(self._disks)
        self._demands: dict[tuple[str, str], tuple[str, int, Demand]] = {}
        self._guests = manager.cache(GUESTS)
        manager.cache(NODES).subscribe(_follow(self.nodes, lambda found: found.key.name, supply))
        manager.cache(DISKS).subscribe(
            _follow(self._disks, lambda found: (found.key.namespace, found.key.name), _place)
        )
        self._guests.subscribe(self._forget)

    def demand(self, namespace: str, name: str) -> Demand | None:
        """Return what the guest asks for, None if there is no such guest."""
        found = self._guests.get(Key(namespace, name))
        if found is None:
            return None
        known = self._demands.get((namespace, name))
        if known is None or known[:2] != (found.uid, found.generation):
            known = self._demands[namespace, name] = found.uid, found.generation, demand(found.decode())
        return known[2]

    def _forget(self, delta: Delta) -> None:
        if delta.new is None:
            self._demands.pop((delta.object.key.namespace, delta.object.key.name), None)


def _follow(into: dict[Any, Any], key: Callable[[Object], Any], read: Callable[[Mapping[str, Any]], Any]) -> Any:
    def changed(delta: Delta) -> None:
        if delta.new is None:
            into.pop(key(delta.object), None)
            return
        try:
            into[key(delta.new)] = read(delta.new.decode())
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            # What cannot be read is not there: no guest goes to such a node.
            logger.warning("%s: cannot be read: %r", delta.new.key, error)
            into.pop(key(delta.new), None)

    return changed


def _place(disk: Mapping[str, Any]) -> Place:
    return place(disk, str(disk["metadata"]["namespace"]))
