"""The executor as a process: the agent with the API server as source and sink, and the node's own reports."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from executor.agent import logs
from executor.agent.agent import RESYNC, WORKERS, Agent
from executor.agent.health import Health
from executor.agent.metrics import Metrics
from executor.agent.notify import notify
from executor.agent.process import Orders, Signals, attend, opened
from executor.cluster.identity import NodeCredentials
from executor.cluster.link import Link
from executor.cluster.operations import Operations
from executor.cluster.report import Report
from executor.cluster.sink import ApiSink
from executor.cluster.source import ApiSource
from executor.engine import store
from executor.engine.lock import Lock
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.events import Topic
from executor.hypervisor.hypervisor import Hypervisor
from kube import configuration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from executor.engine.objects import Ref
    from kube.manager import Manager

logger = logging.getLogger(__name__)

_OF_THE_NODE: Final = frozenset({Topic.NETWORK, Topic.POOL, Topic.POOL_REFRESHED, Topic.RESYNC})
"""Events after which the node may have something else to offer: guests may wait for it."""


@dataclass(frozen=True)
class Options:
    """How the executor runs: on the node *node*, with the libvirt at *uri*.

    ``namespace`` is the one of the node's Lease; ``listen`` as the agent's, or any other address; ``none`` for nothing.
    """

    uri: str
    node: str
    namespace: str
    kubeconfig: str = ""
    context: str = ""
    listen: str = "none"
    resync: float = RESYNC
    workers: int = WORKERS
    level: str = "info"


def run(options: Options) -> None:
    """Keep the node's guests as the API server says until SIGTERM or SIGINT come.

    Raises KubevmmError where it cannot begin: no way to an API server, another agent, no permission.
    """
    logs.configure(options.level)
    keep(options, Signals())


def keep(options: Options, orders: Orders) -> None:
    """Do that until *orders* say to stop: of one node, of which a process may have several, each in a thread."""
    server = asyncio.run(configuration.load(options.kubeconfig or None, options.context or None))
    hypervisor = Hypervisor(options.uri, node=options.node)
    if not opened(hypervisor, orders):
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(hypervisor)
        stack.enter_context(Lock(hypervisor))
        stack.callback(notify, "STOPPING=1")
        metrics = Metrics()
        source = ApiSource(options.node, lambda: _managed(hypervisor))
        operations = Operations(options.node, hypervisor)

        def prepare(manager: Manager) -> None:
            source.prepare(manager)
            operations.prepare(manager)

        identity = partial(NodeCredentials, options.node)
        link = stack.enter_context(Link(server, f"kubevmm-executor/{version('kubevmm')}", prepare, identity=identity))
        source.attach(link)
        sink = ApiSink(options.node, source, link)
        agent = Agent(
            hypervisor,
            source,
            sink,
            metrics,
            workers=options.workers,
            resync=options.resync,
            before=operations.look,
            addresses=True,
        )
        operations.attach(link, source, sink, agent.queue.add)
        if options.listen != "none":
            stack.enter_context(
                Health(options.listen, alive=agent.alive, unready=agent.unready, metrics=metrics.text, reachable=True)
            )
        report = Report(hypervisor, link.client, options.namespace, version("kubevmm"))
        link.post(lambda: source.node.subscribe(report.happened))
        for work in (sink.recorder.run, report.lease, report.node):
            link.run(work)
        stack.enter_context(
            hypervisor.events(lambda event: link.post(report.wake) if event.topic in _OF_THE_NODE else None)
        )
        stack.enter_context(agent)
        logger.info(
            "started: node %s, libvirt %s, API server %s",
            options.node, hypervisor.connection.uri, server.server, extra={"event": "started"},
        )  # fmt: skip
        notify("READY=1", f"STATUS=Keeping the guests of {options.node}")
        attend(agent, orders)
        logger.info("stopping; guests run on", extra={"event": "stopping"})


def _managed(hypervisor: Hypervisor) -> Iterable[Ref]:
    """Return the guests that carry our mark."""
    try:
        return [guest.ref for guest, _ in store.guests(hypervisor) if guest.mark is not None]
    except LibvirtError:
        return []
