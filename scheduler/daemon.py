"""The extender as a process: caches, its port, health and metrics."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from importlib.metadata import version

from aiohttp import web

from kube import configuration
from kube.health import HealthServer
from kube.manager import Manager
from kube.session import Session
from scheduler.caches import Caches
from scheduler.extender import Extender

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """Where the extender answers kube-scheduler, and where it tells its health."""

    kubeconfig: str = ""
    context: str = ""
    host: str = "127.0.0.1"
    port: int = 8888
    health_host: str = "127.0.0.1"
    health_port: int = 8081


def run(options: Options) -> None:
    """Answer until SIGTERM or SIGINT come. Raises KubevmmError."""
    asyncio.run(_run(options))


async def _run(options: Options) -> None:
    server = await configuration.load(options.kubeconfig or None, options.context or None)
    async with Session(server, user_agent=f"kubevmm-extender/{version('kubevmm')}") as session:
        manager = Manager(session, health=HealthServer(options.health_host, options.health_port))
        caches = Caches(manager)

        async def serve(stop: asyncio.Event) -> None:
            runner = web.AppRunner(Extender(caches).app(), access_log=None)
            await runner.setup()
            try:
                await web.TCPSite(runner, options.host, options.port).start()
                logger.info("answering on %s:%d", options.host, options.port)
                await stop.wait()
            finally:
                await runner.cleanup()

        manager.add(serve, leader_only=False)
        await manager.run()
