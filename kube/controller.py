"""A controller: keys out of a work queue, through workers, into a function that makes things as they should be.

Level-triggered: a reconcile is told which object, never what happened to it, and looks at how all is now.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from kube import metrics
from kube.backoff import DEFAULT_RANDOM
from kube.errors import ApiError, Conflict
from kube.queue import LOW, NORMAL, ShutDown, WorkQueue
from kube.store import Delta
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kube.object import Key, Object
    from kube.predicates import Predicate
    from kube.store import Store

logger = logging.getLogger(__name__)

WORKERS: Final = 4


class Result(msgspec.Struct, frozen=True):
    """What a reconcile that worked asks for: to be called again in ``requeue_after`` seconds, None for not at all."""

    requeue_after: float | None = None


class TerminalError(KubevmmError):
    """A reconcile failed in a way that no other attempt can mend: only a change of the object is worth another."""


if TYPE_CHECKING:
    Reconcile = Callable[[Key], Awaitable[Result | None]]
    Mapping = Callable[[Object], Iterable[Key]]


class Controller:
    """Calls *reconcile* with the keys that its sources add, *workers* at a time, never twice at once for the same key.

    A reconcile that raises is tried again, ever later, but for a `TerminalError`. With *resync*, all keys of all
    sources come again, behind everything else, each so many seconds and a little more: for a world that changes
    unwatched.
    """

    def __init__(self, name: str, reconcile: Reconcile, *, workers: int = WORKERS, resync: float | None = None) -> None:
        self.name = name
        self.queue: WorkQueue[Key] = WorkQueue(name)
        self._reconcile = reconcile
        self._workers = workers
        self._resync = resync
        self._sources: list[tuple[Store, Callable[[Delta], None]]] = []

    def watch(self, store: Store, mapping: Mapping, predicate: Predicate) -> None:
        """Add the keys that *mapping* names for each object that appears, changes or goes in *store*.

        *predicate* says which changes count. Of a change, both what the object was and what it is are mapped.
        """

        def enqueue(delta: Delta) -> None:
            if not predicate(delta):
                return
            priority = LOW if delta.initial else NORMAL
            for found in (delta.old, delta.new):
                if found is not None:
                    for key in mapping(found):
                        self.queue.add(key, priority=priority)

        self._sources.append((store, enqueue))

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop*; reconciles that are under way then are finished."""
        for store, enqueue in self._sources:
            store.subscribe(enqueue)
        resyncing = asyncio.create_task(self._resync_all(), name=f"{self.name}-resync")
        workers = [asyncio.create_task(self._work(), name=f"{self.name}-{n}") for n in range(self._workers)]
        try:
            await stop.wait()
            self.queue.shut_down()
            await asyncio.gather(*workers)
        finally:
            self.queue.shut_down()
            for store, enqueue in self._sources:
                store.unsubscribe(enqueue)
            for task in (resyncing, *workers):
                task.cancel()
            await asyncio.gather(resyncing, *workers, return_exceptions=True)

    async def _resync_all(self) -> None:
        while self._resync is not None:
            await asyncio.sleep(self._resync * DEFAULT_RANDOM.uniform(1.0, 1.1))
            for store, enqueue in self._sources:
                for found in store:
                    enqueue(Delta(None, found, initial=True))

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except ShutDown:
                return
            try:
                await self._handle(key)
            finally:
                self.queue.done(key)

    async def _handle(self, key: Key) -> None:
        began = time.monotonic()
        metrics.ACTIVE_WORKERS.labels(self.name).inc()
        try:
            outcome = await self._outcome(key)
        finally:
            metrics.ACTIVE_WORKERS.labels(self.name).dec()
        metrics.RECONCILES.labels(self.name, outcome).inc()
        metrics.RECONCILE_SECONDS.labels(self.name).observe(time.monotonic() - began)

    async def _outcome(self, key: Key) -> str:
        """Reconcile, see to it that *key* comes again if it should, and return the word for how it went."""
        try:
            result = await self._reconcile(key)
        except TerminalError as error:
            self.queue.forget(key)
            logger.error("%s: %s: %s", self.name, key, error)  # noqa: TRY400  (the message is for people)
            return "terminal_error"
        except Conflict as error:
            # Somebody else wrote first; what they wrote is on its way into the cache.
            delay = self.queue.retry(key)
            logger.debug("%s: %s: again in %.2f s: %s", self.name, key, delay, error)
            return "conflict"
        except KubevmmError as error:
            asked = error.retry_after if isinstance(error, ApiError) else None
            delay = self.queue.retry(key, at_least=asked or 0.0)
            logger.warning("%s: %s: again in %.2f s: %s", self.name, key, delay, error)
            return "error"
        except Exception:
            # A mistake in the reconciler: its other objects must not suffer.
            delay = self.queue.retry(key)
            logger.exception("%s: %s: again in %.2f s", self.name, key, delay)
            return "error"
        self.queue.forget(key)
        if result is not None and result.requeue_after is not None:
            self.queue.add_after(key, result.requeue_after)
            return "requeue_after"
        return "success"
