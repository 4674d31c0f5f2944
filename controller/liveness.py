"""Which nodes live: those whose executor renews its Lease.

By this process's own clock, from when it saw the Lease change last: what the nodes' clocks say does not matter.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from kube.object import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.object import Object
    from kube.store import Delta, Store

PREFIX: Final = "node-"
"""What the names of nodes' Leases begin with."""

DURATION: Final = 40
"""Seconds that a Lease lasts which does not say it."""


class _Spec(msgspec.Struct, rename="camel"):
    renew_time: str = ""
    lease_duration_seconds: int = DURATION


class _Lease(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


class Liveness:
    """Follows the Leases in *leases*, which are in *namespace*."""

    def __init__(self, leases: Store, namespace: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._namespace = namespace
        self._clock = clock
        self._seen: dict[str, tuple[str, float]] = {}
        leases.subscribe(self._happened)

    def left(self, node: str) -> float | None:
        """Return for how many seconds *node* counts as alive, if it says nothing more; None where it has no Lease."""
        found = self._leases.get(Key(self._namespace, PREFIX + node))
        seen = self._seen.get(node)
        if found is None or seen is None:
            return None
        return seen[1] + found.decode(_Lease).spec.lease_duration_seconds - self._clock()

    def alive(self, node: str) -> bool:
        """Say whether *node* renewed its Lease in time."""
        left = self.left(node)
        return left is not None and left > 0

    def renewed(self, node: str) -> str:
        """Return when *node* says that it renewed its Lease last."""
        return self._seen.get(node, ("", 0.0))[0]

    def _happened(self, delta: Delta) -> None:
        node = node_of(delta.object)
        if node is None or delta.new is None:
            return
        renewed = delta.new.decode(_Lease).spec.renew_time
        if self._seen.get(node, ("", 0.0))[0] != renewed:
            self._seen[node] = renewed, self._clock()


def node_of(lease: Object) -> str | None:
    """Return the node that *lease* is of, None if it is another one's."""
    name = lease.key.name
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else None
