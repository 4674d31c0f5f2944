"""A work queue of keys: one that waits already is not added twice, and none is handed to two workers at once.

Modelled on client-go's: a key that is added while a worker has it comes again when that worker is done, so no change is
missed. Keys of higher priority go first, so that a resync of thousands does not hold up what changed just now.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from kube import metrics
from kube.backoff import DEFAULT_RANDOM

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable

K = TypeVar("K", bound="Hashable")

NORMAL: Final = 0
# For initial lists and resyncs; the number is controller-runtime's.
LOW: Final = -100


class ShutDown(Exception):  # noqa: N818  (no error: the queue's last word)
    """The queue gives out no more keys."""


class WorkQueue(Generic[K]):
    """*first* and *limit* are a failing key's first and longest delay, in seconds; it doubles in between."""

    def __init__(
        self, name: str, *, first: float = 0.05, limit: float = 300.0, source: random.Random = DEFAULT_RANDOM
    ) -> None:
        self.name = name
        self._first = first
        self._limit = limit
        self._source = source
        self._order = itertools.count()
        self._heap: list[tuple[int, int, K]] = []
        # What waits to be worked on: its priority, its number in the heap, and since when.
        self._waiting: dict[K, tuple[int, int, float]] = {}
        # What is being worked on, and with which priority it comes again, if it does.
        self._processing: dict[K, int | None] = {}
        self._delayed: dict[K, tuple[asyncio.TimerHandle, int]] = {}
        self._failures: dict[K, int] = {}
        self._ready = asyncio.Event()
        self._shut_down = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Return whether no key waits, is delayed or is being worked on."""
        return not (self._waiting or self._processing or self._delayed)

    def add(self, key: K, *, priority: int = NORMAL) -> None:
        """Add *key*, or raise its priority if it waits already."""
        if self._shut_down:
            return
        if key in self._processing:
            again = self._processing[key]
            self._processing[key] = priority if again is None else max(again, priority)
            return
        since = time.monotonic()
        if (waiting := self._waiting.get(key)) is not None:
            if waiting[0] >= priority:
                return
            since = waiting[2]
        else:
            metrics.ADDS.labels(self.name).inc()
        number = next(self._order)
        self._waiting[key] = (priority, number, since)
        # Its older entry, if it has one, stays in the heap and is passed over when its turn comes.
        heapq.heappush(self._heap, (-priority, number, key))
        metrics.DEPTH.labels(self.name).set(len(self._waiting))
        self._ready.set()

    def add_after(self, key: K, delay: float, *, priority: int = NORMAL) -> None:
        """Add *key* in *delay* seconds, or sooner if that was asked for before."""
        if self._shut_down:
            return
        if delay <= 0:
            self.add(key, priority=priority)
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + delay
        if (delayed := self._delayed.get(key)) is not None:
            handle, other = delayed
            priority = max(priority, other)
            when = min(when, handle.when())
            handle.cancel()
        self._delayed[key] = (loop.call_at(when, self._due, key), priority)

    def retry(self, key: K, *, at_least: float = 0.0, priority: int = NORMAL) -> float:
        """Add *key* after a delay that grows with each failure since `forget`, and return that delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        metrics.RETRIES.labels(self.name).inc()
        whole = min(self._limit, self._first * 2.0 ** min(failures, 64))
        delay = max(at_least, whole * self._source.uniform(0.5, 1.0))
        self.add_after(key, delay, priority=priority)
        return delay

    def forget(self, key: K) -> None:
        """Forget how often *key* failed: it worked, or is given up."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """Return how often *key* failed since it last worked."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """Wait for the next key and return it; `done` must follow. Raises `ShutDown` when there will be none."""
        while True:
            if self._shut_down:
                raise ShutDown
            while self._heap:
                _, number, key = heapq.heappop(self._heap)
                waiting = self._waiting.get(key)
                if waiting is None or waiting[1] != number:
                    continue
                del self._waiting[key]
                self._processing[key] = None
                metrics.DEPTH.labels(self.name).set(len(self._waiting))
                metrics.QUEUE_SECONDS.labels(self.name).observe(time.monotonic() - waiting[2])
                return key
            self._ready.clear()
            await self._ready.wait()

    def done(self, key: K) -> None:
        """Say that a worker is done with *key*; it comes again if it was added meanwhile."""
        again = self._processing.pop(key)
        if again is not None:
            self.add(key, priority=again)

    def shut_down(self) -> None:
        """Give out no more keys, and take none in."""
        self._shut_down = True
        for handle, _ in self._delayed.values():
            handle.cancel()
        self._delayed.clear()
        self._ready.set()

    def _due(self, key: K) -> None:
        _, priority = self._delayed.pop(key)
        self.add(key, priority=priority)
