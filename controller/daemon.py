"""The controller as a process: caches, reconcilers, the lease of the one that leads, health and metrics."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from importlib.metadata import version

from controller import guests, kinds, operations, replicasets
from controller.farewell import Farewell
from controller.pods import PAUSE
from kube import configuration
from kube.client import Client
from kube.health import HealthServer
from kube.lease import Election, identity
from kube.manager import Manager
from kube.object import Key
from kube.session import Session

logger = logging.getLogger(__name__)

LEASE = "kubevmm-controller"
"""The name of the Lease that one of several controllers holds."""


@dataclass(frozen=True)
class Options:
    """How the controller runs; *elect* False leads at once, where there is only one. ``namespace`` has the Lease.

    ``image`` is what placement Pods run.
    """

    namespace: str
    kubeconfig: str = ""
    context: str = ""
    elect: bool = True
    host: str = "127.0.0.1"
    port: int = 8081
    image: str = PAUSE


def run(options: Options) -> None:
    """Reconcile until SIGTERM or SIGINT come. Raises KubevmmError; LeaseLost when another one leads."""
    asyncio.run(_run(options))


async def _run(options: Options) -> None:
    server = await configuration.load(options.kubeconfig or None, options.context or None)
    # Two hundred writes a second are most of what an API server does.
    async with Session(server, rate=200, burst=400, user_agent=f"{LEASE}/{version('kubevmm')}") as session:
        election = Election(session, Key(options.namespace, LEASE), identity()) if options.elect else None
        manager = Manager(session, election=election, health=HealthServer(options.host, options.port))
        client = Client(session)
        guests.add(manager, client, image=options.image)
        kinds.add(manager, client, options.namespace, identity())
        operations.add(manager, client)
        replicasets.add(manager, client, identity())
        farewell = Farewell(client, server, options.namespace)
        manager.add(farewell.keep, leader_only=False)
        logger.info("started: API server %s", server.server)
        try:
            await manager.run()
        finally:
            await farewell.part()
        logger.info("stopped")
