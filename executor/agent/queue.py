"""The work queue: objects that wait to be looked at, each once, by its time and its place in the order of kinds.

As controller-runtime's: an object that is added while it is worked on comes again afterwards, and never to two workers
at once. What fails comes again later each time, somewhat by chance. Nothing polls: a worker sleeps until something is
due.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.engine.objects import Ref

FIRST: Final = 1.0
"""Seconds before the first try again; each further one waits twice as long ..."""

LONGEST: Final = 300.0
"""... but not longer than this."""


class WorkQueue:
    """Objects by when they are due.

    ``rank`` says what an object stands on: one is handed out only when none with a lower rank is due or in work, so
    that a network is there before the guests on it. ``clock`` is in seconds, and only for tests another.
    """

    def __init__(self, rank: Callable[[Ref], int], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rank = rank
        self._clock = clock
        self._changed = threading.Condition()
        self._due: dict[Ref, float] = {}
        # Entries whose time is no longer the one in _due are passed over.
        self._heap: list[tuple[float, int, Ref]] = []
        self._ready: dict[int, dict[Ref, None]] = {}
        self._working: dict[Ref, int] = {}
        self._again: set[Ref] = set()
        self._failures: dict[Ref, int] = {}
        self._count = itertools.count()
        self._paused = False
        self._closed = False

    def add(self, ref: Ref, after: float = 0.0) -> None:
        """Have *ref* looked at in *after* seconds, or sooner if somebody asked for that already."""
        with self._changed:
            if after <= 0:
                self._due.pop(ref, None)
                self._at_once(ref)
            else:
                self._later(ref, self._clock() + after)
            self._changed.notify_all()

    def retry(self, ref: Ref, *, at_least: float = 0.0) -> float:
        """Have *ref*, which failed, looked at again later than the last time; return in how many seconds."""
        with self._changed:
            failures = self._failures.get(ref, 0)
            self._failures[ref] = failures + 1
            pause: float = min(FIRST * 2 ** min(failures, 16), LONGEST)
            pause *= random.uniform(0.75, 1.25)  # noqa: S311  (spreads load, keeps no secret)
            pause = max(pause, at_least)
            self._later(ref, self._clock() + pause)
            self._changed.notify_all()
            return pause

    def forget(self, ref: Ref) -> None:
        """Count the failures of *ref* anew: it went well."""
        with self._changed:
            self._failures.pop(ref, None)

    def failing(self) -> list[Ref]:
        """Return what failed the last time."""
        with self._changed:
            return list(self._failures)

    def get(self) -> Ref | None:
        """Return what is next, once it is due; None when the queue is closed. `done` must follow."""
        with self._changed:
            while not self._closed:
                if not self._paused:
                    self._move_due()
                    ref = self._next()
                    if ref is not None:
                        return ref
                self._changed.wait(self._pause())
            return None

    def done(self, ref: Ref) -> None:
        """Be told that nobody works on *ref* any more."""
        with self._changed:
            self._working.pop(ref, None)
            if ref in self._again:
                self._again.discard(ref)
                self._at_once(ref)
            self._changed.notify_all()

    def pause(self) -> None:
        """Hand out nothing until `resume`: there is nothing to work on it with."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Hand out what is due."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def close(self) -> None:
        """Let all workers go once they are done with what they have."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def sizes(self) -> tuple[int, int, int]:
        """Return how many objects are due, in work, and waiting for a later time."""
        with self._changed:
            return sum(map(len, self._ready.values())) + len(self._again), len(self._working), len(self._due)

    def _at_once(self, ref: Ref) -> None:
        if ref in self._working:
            self._again.add(ref)
        elif not self._is_ready(ref):
            self._ready.setdefault(self._rank(ref), {})[ref] = None

    def _is_ready(self, ref: Ref) -> bool:
        return any(ref in each for each in self._ready.values())

    def _later(self, ref: Ref, when: float) -> None:
        known = self._due.get(ref)
        if self._is_ready(ref) or (known is not None and known <= when):
            return
        self._due[ref] = when
        heapq.heappush(self._heap, (when, next(self._count), ref))

    def _move_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            when, _, ref = heapq.heappop(self._heap)
            if self._due.get(ref) == when:
                del self._due[ref]
                self._at_once(ref)

    def _next(self) -> Ref | None:
        rank = min((rank for rank, refs in self._ready.items() if refs), default=None)
        if rank is None or any(other < rank for other in self._working.values()):
            return None
        ref = next(iter(self._ready[rank]))
        del self._ready[rank][ref]
        self._working[ref] = rank
        return ref

    def _pause(self) -> float | None:
        # What is ready and not handed out waits for what is in work, whose end wakes us.
        if self._paused or not self._heap:
            return None
        return max(self._heap[0][0] - self._clock(), 0.001)
