"""/healthz, /readyz and /metrics over HTTP, for the kubelet and for Prometheus."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[], str | None]
    """Returns what is wrong in a few words, None if nothing is."""

logger = logging.getLogger(__name__)


class HealthServer:
    """Serves on *host* and *port* (0: any free one; ``port`` then says which) between `start` and `stop`."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.alive: dict[str, Check] = {}
        self.ready: dict[str, Check] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to answer. Raises OSError if the port is taken."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", _metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(self.alive)

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self.ready)


def _answer(checks: Mapping[str, Check]) -> web.Response:
    """Answer as the API server's own endpoints do: a line for each check, and 500 if one fails."""
    found = {name: check() for name, check in checks.items()}
    lines = [f"[-]{name} failed: {wrong}" if wrong else f"[+]{name} ok" for name, wrong in found.items()]
    failed = any(found.values())
    for line in lines if failed else ():
        logger.debug("%s", line)
    return web.Response(text="\n".join([*lines, "failed" if failed else "ok"]) + "\n", status=500 if failed else 200)


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
