"""The way to the API server: caches and requests on an event loop of their own, for threads that know none."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from kube.client import Client
from kube.manager import Manager
from kube.session import Session
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from kube.configuration import Configuration
    from kube.credentials import Credentials

    T = TypeVar("T")

logger = logging.getLogger(__name__)

PATIENCE: Final = 60.0
"""Seconds that a thread waits for an answer: more than a request may take."""


class Link:
    """A context manager: between entering and leaving the caches are kept. *prepare* adds to the manager before.

    ``client`` is for coroutines given to `call` alone, and so is ``own``, which asks as what *identity* makes of it: by
    default as the same.
    """

    def __init__(
        self,
        configuration: Configuration,
        user_agent: str,
        prepare: Callable[[Manager], None],
        *,
        identity: Callable[[Client], Credentials] | None = None,
    ) -> None:
        self._configuration = configuration
        self._identity = identity
        self._user_agent = user_agent
        self._prepare = prepare
        self._begun: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="kube", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._beside: set[asyncio.Task[None]] = set()
        self.client: Client
        self.own: Client
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=30)

    @property
    def alive(self) -> bool:
        """Whether the caches are kept."""
        return self._thread.is_alive()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* on the event loop and return what it returns; raises what it raises, KubevmmError when ended."""
        if not self._thread.is_alive():
            work.close()
            raise KubevmmError("the connection to the API server has ended")
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result(PATIENCE)
        except (TimeoutError, concurrent.futures.CancelledError):
            running.cancel()
            raise KubevmmError("the API server did not answer in time") from None

    def post(self, work: Callable[[], object]) -> None:
        """Call *work* on the event loop soon, and wait for nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(work)

    def run(self, work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        """Run *work* beside the caches until it ends, or until the link ends: its event is set then."""
        self._loop.call_soon_threadsafe(lambda: self._beside.add(self._loop.create_task(work(self._stop))))

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            self.failure = error
            logger.exception("the connection to the API server has ended", extra={"event": "bug"})

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            session = await stack.enter_async_context(Session(self._configuration, user_agent=self._user_agent))
            self.client = self.own = Client(session)
            if self._identity is not None:
                configuration = replace(self._configuration, credentials=self._identity(self.client))
                other = await stack.enter_async_context(Session(configuration, user_agent=self._user_agent))
                self.own = Client(other)
            manager = Manager(session)
            self._prepare(manager)
            self._begun.set_result(None)
            await manager.run(self._stop)
            if self._beside:
                await asyncio.wait(self._beside, timeout=5)
