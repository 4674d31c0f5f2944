"""Runs a process's caches and controllers: in the right order, for as long as it may, and to a decent end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kube.lease import LeaseLost
from kube.pages import EVERYTHING, Selection
from kube.reflector import Reflector
from kube.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from kube.health import HealthServer
    from kube.lease import Election
    from kube.resource import Resource
    from kube.session import Session

    Runnable = Callable[[asyncio.Event], Awaitable[None]]
    """Runs until the event is set; cancelled if it goes on for too long then."""

logger = logging.getLogger(__name__)

# A Pod has 30 seconds between SIGTERM and SIGKILL; the lease is to be released within them too.
GRACE: Final = 20.0


class Manager:
    """Owns the caches and runnables of one process.

    Without *election* this process leads at once. *grace* is how many seconds runnables have to end in when told to.
    *terminate* ends the process at once, where its tasks do not end although another process may lead by now.
    """

    def __init__(
        self,
        session: Session,
        *,
        election: Election | None = None,
        health: HealthServer | None = None,
        grace: float = GRACE,
        terminate: Callable[[int], NoReturn] = os._exit,
    ) -> None:
        self.session = session
        self._election = election
        self._health = health
        self._grace = grace
        self._terminate = terminate
        self._reflectors: dict[tuple[Resource, Selection], Reflector] = {}
        self._runs = False
        self._always: list[Runnable] = []
        self._leading: list[Runnable] = []

    def cache(self, resource: Resource, selection: Selection = EVERYTHING, **options: Any) -> Store:
        """Return the store of *selection*, which all who ask for the same share; it fills once the manager runs.

        *options* are the `Reflector`'s, and count for who asks first. Raises RuntimeError for a new one once it runs.
        """
        key = (resource, selection)
        if key not in self._reflectors:
            if self._runs:
                raise RuntimeError(f"{resource.plural}: a cache is to be asked for before the manager runs")
            self._reflectors[key] = Reflector(self.session, resource, Store(), selection, **options)
        return self._reflectors[key].store

    def add(self, runnable: Runnable, *, leader_only: bool = True) -> None:
        """Run *runnable* once the caches are filled: while this process leads, or with *leader_only* False always."""
        (self._leading if leader_only else self._always).append(runnable)

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Run all until *stop*, SIGTERM or SIGINT; a second signal cancels.

        Raises `LeaseLost`, after which the process must end, and what a runnable raised: then too all others are ended.
        """
        stop = stop or asyncio.Event()
        self._runs = True
        with _signals(stop, asyncio.current_task()):
            if self._health is not None:
                self._health.alive.setdefault("ping", lambda: None)
                self._health.ready["caches"] = self._not_synced
                await self._health.start()
            # What has to do with leading ends before the lease is released; caches last.
            caches = [_task(reflector.run(), f"cache {reflector}") for reflector in self._reflectors.values()]
            try:
                await self._run_with_caches(stop, caches)
            finally:
                await _cancel(caches)
                if self._health is not None:
                    await self._health.stop()

    async def _run_with_caches(self, stop: asyncio.Event, caches: list[asyncio.Task[Any]]) -> None:
        if not await _unless(stop, self._synced(), caches):
            return
        always = [_task(runnable(stop), "always") for runnable in self._always]
        try:
            await self._lead(stop, [*caches, *always])
            await _end(always, self._grace)
        finally:
            await _cancel(always)

    async def _lead(self, stop: asyncio.Event, others: list[asyncio.Task[Any]]) -> None:
        if self._election is None:
            await self._run_leading(stop, others)
            return
        try:
            if not await _unless(stop, self._election.acquire(), others):
                return
            keeping = _task(self._election.keep(), "lease")
            try:
                await self._run_leading(stop, [*others, keeping])
            finally:
                await _cancel([keeping])
        finally:
            await self._election.release()

    async def _run_leading(self, stop: asyncio.Event, others: list[asyncio.Task[Any]]) -> None:
        leading = [_task(runnable(stop), "leading") for runnable in self._leading]
        try:
            await _unless(stop, asyncio.Event().wait(), [*others, *leading])
            await _end(leading, self._grace, watched=others)
        except LeaseLost:
            await self._abandon(leading)
            raise
        finally:
            await _cancel(leading)

    async def _abandon(self, leading: list[asyncio.Task[Any]]) -> None:
        """End what only a leader may do in the time that is left before another process leads, by force if need be."""
        if self._election is None or not leading:
            return
        for task in leading:
            task.cancel()
        _, still = await asyncio.wait(leading, timeout=self._election.lease_duration - self._election.renew_deadline)
        if still:
            logger.critical("the lease is lost and %d tasks do not end: so the process does", len(still))
            self._terminate(1)

    async def _synced(self) -> None:
        await asyncio.gather(*(reflector.synced.wait() for reflector in self._reflectors.values()))

    def _not_synced(self) -> str | None:
        missing = [str(reflector) for reflector in self._reflectors.values() if not reflector.synced.is_set()]
        return f"not listed yet: {', '.join(missing)}" if missing else None


def _task(work: Coroutine[Any, Any, Any] | Awaitable[Any], name: str) -> asyncio.Task[Any]:
    async def run() -> Any:
        return await work

    return asyncio.create_task(run(), name=name)


async def _unless(stop: asyncio.Event, work: Awaitable[Any], watched: Iterable[asyncio.Task[Any]]) -> bool:
    """Await *work* and return True, or False as soon as *stop* is set; raise what one of *watched* fails with."""
    working = _task(work, "work")
    stopping = _task(stop.wait(), "stop")
    # One that ends in good order is no longer watched: a runnable may have had only so much to do.
    pending = set(watched)
    try:
        while not working.done() and not stopping.done():
            done, _ = await asyncio.wait({working, stopping, *pending}, return_when=asyncio.FIRST_COMPLETED)
            pending -= done
            for task in done:
                task.result()
        return working.done()
    finally:
        await _cancel([working, stopping])


async def _end(tasks: list[asyncio.Task[Any]], grace: float, watched: Iterable[asyncio.Task[Any]] = ()) -> None:
    """Wait *grace* seconds for *tasks* to end; raise what one of them, or of *watched*, fails with."""

    async def ended() -> None:
        await asyncio.gather(*tasks)

    if not tasks:
        return
    try:
        async with asyncio.timeout(grace):
            await _unless(asyncio.Event(), ended(), [task for task in watched if not task.done()])
    except TimeoutError:
        logger.warning("%s did not end in %.0f s", ", ".join(task.get_name() for task in tasks), grace)


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _signals(stop: asyncio.Event, main: asyncio.Task[Any] | None) -> Any:
    """Set *stop* at the first SIGTERM or SIGINT, cancel *main* at the next."""
    loop = asyncio.get_running_loop()

    def received() -> None:
        if stop.is_set() and main is not None:
            main.cancel()
        stop.set()

    handled = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # Only a main thread's loop can.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, received)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
