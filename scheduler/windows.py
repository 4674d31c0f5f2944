"""How often kube-scheduler has shown a part of a cluster that is too large for it to look at whole, for one Pod.

From a hundred nodes on it stops as soon as it has found some that have room, and asks the extender about these; the
next time it goes on where it, for whatever Pod, stopped. Where a guest can run on few nodes, none of them may be among
those: that is no reason to call it unschedulable before kube-scheduler has come round.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

FEWEST: Final = 100
"""kube-scheduler looks for at least so many nodes (its ``minFeasibleNodesToFind``): fewer are all that have room."""

ROUNDS: Final = 2
"""How many times as much as the cluster has is to be shown: other Pods move on where the next look begins."""

PODS: Final = 10_000
"""Pods that are remembered, those asked about last."""


class Windows:
    """How many nodes were shown for each Pod, by its UID, since it was last told that it can run on none."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        """Return how many Pods are remembered."""
        return len(self._shown)

    def goes_on(self, pod: str, shown: int, nodes: int) -> bool:
        """Say whether it is worth while to be shown others than the *shown* ones of a cluster's *nodes*.

        Where it is not, all is forgotten of the Pod.
        """
        total = self._shown.pop(pod, 0) + shown
        if total > ROUNDS * nodes:
            return False
        self._shown[pod] = total
        if len(self._shown) > PODS:
            self._shown.popitem(last=False)
        return True

    def end(self, pod: str) -> None:
        """Forget the Pod."""
        self._shown.pop(pod, None)


__all__ = ["FEWEST", "PODS", "ROUNDS", "Windows"]
