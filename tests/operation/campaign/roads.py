"""The ways to the API server, one for each part of the cluster: each may go bad, be cut, or have a trap on it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import aiohttp

from tests.harness.faultproxy import NONE, WRITES, FaultProxy, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from aiohttp import web

    from tests.harness.controlplane import ControlPlane

_UNCOUNTED = ("/leases", "/events", "/token")
"""What is written as time goes by, whatever there is to do."""


@dataclass
class Trap:
    """Does *action* *before* or *after* the server gets the write *number* of those that come from now on."""

    when: str
    number: int
    action: Callable[[], object]
    sprung: bool = False


class Road(FaultProxy):
    """The way of one part. ``writes`` counts what it had done to objects."""

    writes = 0
    trap: Trap | None = None
    last = ""

    async def _forward(self, request: web.BaseRequest, body: bytes) -> tuple[int, bytes]:
        counts = request.method in WRITES and not any(each in request.path for each in _UNCOUNTED)
        if not counts:
            return await super()._forward(request, body)
        self.last = f"{request.method} {request.path}"
        self.writes += 1
        trap = self.trap
        if trap is not None:
            trap.number -= 1
        if trap is not None and trap.number == 0 and trap.when == "before":
            self._spring(trap)
            raise aiohttp.ClientError("killed")
        answer = await super()._forward(request, body)
        if trap is not None and trap.number == 0:
            self._spring(trap)
            raise aiohttp.ClientError("killed")
        return answer

    @staticmethod
    def _spring(trap: Trap) -> None:
        trap.sprung = True
        trap.action()


class Roads:
    """A context manager with a road for each name; ``of`` has them."""

    def __init__(self, control_plane: ControlPlane, names: Iterable[str], seed: int) -> None:
        self.of = {
            name: Road(control_plane.url, control_plane.ca_file, seed=seed + number, token=control_plane.token)
            for number, name in enumerate(names)
        }
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="roads", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=30)

    def be(self, faults: Faults = NONE, names: Iterable[str] = ()) -> None:
        """Have *faults* from now on, on all or on those with the *names*."""
        for name in names or self.of:
            self.of[name].faults = faults

    def cut(self, names: Iterable[str] = ()) -> None:
        """End every connection that is open now."""
        for name in names or self.of:
            self._loop.call_soon_threadsafe(self.of[name].cut_all)

    @property
    def writes(self) -> int:
        """How much was done to objects through all of them."""
        return sum(road.writes for road in self.of.values())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        for road in self.of.values():
            await road.__aenter__()
        self._ready.set()
        await self._stop.wait()
        for road in self.of.values():
            await road.__aexit__(None, None, None)
