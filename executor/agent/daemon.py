"""The agent as a process: opened, locked, told about to the service manager, and ended by a signal."""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from executor.agent import logs
from executor.agent.agent import RESYNC, WORKERS, Agent
from executor.agent.folder import FolderSource, check
from executor.agent.health import Health
from executor.agent.metrics import Metrics
from executor.agent.notify import notify
from executor.agent.process import Signals, attend, opened
from executor.agent.sink import NodeSink
from executor.engine import state
from executor.engine.lock import Lock
from executor.hypervisor.hypervisor import Hypervisor

if TYPE_CHECKING:
    from executor.engine.status import Sink

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How the daemon runs; ``listen`` empty for the usual socket, ``none`` for none."""

    uri: str
    manifests: Path
    listen: str = ""
    resync: float = RESYNC
    workers: int = WORKERS
    level: str = "info"


def run(options: Options) -> None:
    """Keep what the folder says until SIGTERM or SIGINT come; SIGHUP reads it anew.

    Raises KubevmmError where it cannot begin: no such folder, another agent, no permission.
    """
    logs.configure(options.level)
    signals = Signals()
    hypervisor = Hypervisor(options.uri)
    check(options.manifests)
    if not opened(hypervisor, signals):
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(hypervisor)
        stack.enter_context(Lock(hypervisor))
        # However it ends: first nothing new is begun.
        stack.callback(notify, "STOPPING=1")
        metrics = Metrics()
        source = FolderSource(options.manifests, state.folder(hypervisor))
        sink: Sink = NodeSink(hypervisor)
        agent = Agent(hypervisor, source, sink, metrics, workers=options.workers, resync=options.resync)
        listen = options.listen or default_socket()
        if listen != "none":
            stack.enter_context(Health(listen, alive=agent.alive, unready=agent.unready, metrics=metrics.text))
        stack.enter_context(agent)
        logger.info("started: %s on %s", options.manifests, hypervisor.connection.uri, extra={"event": "started"})
        notify("READY=1", f"STATUS=Keeping {options.manifests} on {hypervisor.connection.uri}")
        attend(agent, signals)
        logger.info("stopping; guests run on", extra={"event": "stopping"})


def default_socket() -> str:
    """Return where the agent answers if nobody says: below /run for root, else where users have that, if at all."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if os.geteuid() == 0:
        folder = Path("/run/kubevmm")
    elif runtime:
        folder = Path(runtime, "kubevmm")
    else:
        return "none"
    return f"unix:{folder / 'agent.sock'}"
