"""Which nodes kube-scheduler has shown of a cluster that is too large for it to look at whole, for one Pod.

From a hundred nodes on it stops as soon as it has found some that have room, and asks the extender about these; the
next time it goes on where it stopped. Where a guest can run on few nodes, none of them may be among those: that is no
reason to call it unschedulable before kube-scheduler has come round.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

FEWEST: Final = 100
"""kube-scheduler looks for at least so many nodes (its ``minFeasibleNodesToFind``): fewer are all that have room."""

PODS: Final = 1000
"""Pods that are remembered, those asked about last."""


class Windows:
    """The nodes that were shown for each Pod, by its UID, since it was last told that it can run on none."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, set[str]] = OrderedDict()

    def __len__(self) -> int:
        """Return for how many Pods nodes are remembered."""
        return len(self._shown)

    def goes_on(self, pod: str, names: Iterable[str]) -> bool:
        """Say whether *names* are others than those shown before, so that it is worth while to be shown the next ones.

        Where they are not, kube-scheduler has come round, and all is forgotten of the Pod.
        """
        shown = self._shown.setdefault(pod, set())
        self._shown.move_to_end(pod)
        before = len(shown)
        shown.update(names)
        if len(shown) == before:
            self.end(pod)
            return False
        if len(self._shown) > PODS:
            self._shown.popitem(last=False)
        return True

    def end(self, pod: str) -> None:
        """Forget what was shown for the Pod."""
        self._shown.pop(pod, None)


__all__ = ["FEWEST", "PODS", "Windows"]
