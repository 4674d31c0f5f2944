"""What nodes have to offer guests, as one word that changes when it does: kube-scheduler hears of none of it.

A Pod that no node took is looked at again when something of Kubernetes' own changes. A network that comes up is nothing
of the kind, but a label of the Pod itself is: so a Pod that waits carries the word (see ``pods.OFFERS``).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from controller.resources import NODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta

_KEPT: Final = ("guests", "cpu", "numa", "allocatable", "bridges")
_PARTS: Final = {"pools": ("name", "active", "objectName"), "networks": ("name", "active", "objectName", "bridge"),
                 "devices": ("address", "usedBy")}  # fmt: skip


class Offers:
    """Follows the nodes in the cache of *manager*."""

    def __init__(self, manager: Manager) -> None:
        self._nodes: dict[str, str] = {}
        self._word = ""
        manager.cache(NODES).subscribe(self._take)

    @property
    def word(self) -> str:
        """What all nodes offer now, in characters that a label may have."""
        # Asked for with each Pod, and changed by few of the things that nodes say.
        self._word = self._word or _digest(sorted(self._nodes.items()))
        return self._word

    def _take(self, delta: Delta) -> None:
        name = delta.object.key.name
        before, now = self._nodes.get(name), of_node(delta.new) if delta.new is not None else None
        if now is None:
            self._nodes.pop(name, None)
        else:
            self._nodes[name] = now
        if now != before:
            self._word = ""


def of_node(node: Object) -> str:
    """Return a word for what *node* offers; how much of it is taken is kube-scheduler's own to know."""
    whole = node.decode()
    spec, status = whole.get("spec") or {}, whole.get("status") or {}
    conditions = [each for each in status.get("conditions") or () if each.get("type") == "Ready"]
    # With the time: who was away and is back offers what it did, but a Pod may have been refused for it meanwhile.
    ready = [[each.get("status"), each.get("lastTransitionTime")] for each in conditions]
    running, most = (status.get("domains") or {}).get("running", 0), spec.get("maxGuests")
    parts = {
        name: [[each.get(key) for key in keys] for each in status.get(name) or ()] for name, keys in _PARTS.items()
    }
    kept: Mapping[str, Any] = {key: status.get(key) for key in _KEPT}
    return _digest([ready, spec.get("unschedulable"), most is not None and running >= most, kept, parts])


def changed(delta: Delta) -> bool:
    """Pass nodes that come, go, or offer something else."""
    return delta.old is None or delta.new is None or of_node(delta.old) != of_node(delta.new)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
