"""A bad network between the daemons and the API server: a `FaultProxy` on an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from tests.harness.faultproxy import FaultProxy, Faults

if TYPE_CHECKING:
    from types import TracebackType

    from tests.harness.controlplane import ControlPlane

BAD = Faults(
    drop=0.05, lose=0.05, delay=0.2, gone=0.02, throttle=0.03, fail=0.05, stale=0.05,
    stream_cut=0.05, stream_gone=0.02, stream_delay=0.1, longest_delay=0.3,
)  # fmt: skip
"""Every fault, each so seldom that some requests still get through."""


class Network:
    """A context manager: ``url`` leads to the API server, as well as ``faults`` allow."""

    def __init__(self, control_plane: ControlPlane, seed: int) -> None:
        self._control_plane = control_plane
        self._seed = seed
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=30)

    def be(self, faults: Faults) -> None:
        """Have *faults* from now on."""
        self._loop.call_soon_threadsafe(setattr, self.proxy, "faults", faults)

    def cut(self) -> None:
        """End every connection that is open now."""
        self._loop.call_soon_threadsafe(self.proxy.cut_all)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with FaultProxy(self._control_plane.url, self._control_plane.ca_file, seed=self._seed) as self.proxy:
            self._ready.set()
            await self._stop.wait()
