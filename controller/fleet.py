"""The nodes as the reconcilers of what lives on several see them: their labels, and whether they report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.nodes import is_ready
from controller.resources import MACHINES, NODES
from kube.object import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.liveness import Liveness
    from kube.manager import Manager


@dataclass(frozen=True)
class Node:
    """A node by its name; ``ready`` says whether it reports."""

    name: str
    labels: Mapping[str, str]
    ready: bool


class Fleet:
    """The nodes in the caches of *manager*."""

    def __init__(self, manager: Manager, liveness: Liveness) -> None:
        self._nodes = manager.cache(NODES)
        self._machines = manager.cache(MACHINES)
        self._liveness = liveness
        self._known: dict[str, tuple[str, bool]] = {}

    def get(self, name: str) -> Node | None:
        """Return the node *name*; None where there is no VirtualMachineNode."""
        found = self._nodes.get(Key("", name))
        if found is None:
            self._known.pop(name, None)
            return None
        known = self._known.get(name)
        if known is None or known[0] != found.resource_version:
            # A node's status is long, and it is asked for with each object.
            known = self._known[name] = found.resource_version, is_ready(found)
        machine = self._machines.get(found.key)
        labels = found.labels if machine is None else {**found.labels, **machine.labels}
        return Node(name, labels, known[1])

    def all(self) -> list[Node]:
        """Return all nodes by name."""
        found = (self.get(each.key.name) for each in self._nodes)
        return sorted((each for each in found if each is not None), key=lambda each: each.name)

    def gone(self, name: str) -> bool:
        """Say whether somebody took the node away for good: it has no VirtualMachineNode, and reports nothing."""
        return Key("", name) not in self._nodes and not self._liveness.alive(name)


def fits(labels: Mapping[str, str], spec: Mapping[str, Any]) -> bool:
    """Say whether *labels* are as ``nodeSelector`` of *spec* asks.

    >>> fits({"zone": "a"}, {"nodeSelector": {"zone": "a"}}), fits({}, {"nodeSelector": {"zone": "a"}}), fits({}, {})
    (True, False, True)
    """
    return all(labels.get(key) == value for key, value in (spec.get("nodeSelector") or {}).items())
