"""A daemon as a process: signals, waiting for libvirt, and what the service manager is told."""

from __future__ import annotations

import logging
import queue
import signal
import threading
from typing import TYPE_CHECKING, Final

from executor.agent.notify import notify, reloading, watchdog
from executor.hypervisor.errors import Unavailable

if TYPE_CHECKING:
    from executor.agent.agent import Agent
    from executor.hypervisor.hypervisor import Hypervisor

logger = logging.getLogger(__name__)

_ENDS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_SIGNALS: Final = _ENDS | {signal.SIGHUP}


class Orders:
    """What an agent is told by signals: ``stopped`` once it is to end, and the number of each that came."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.came: queue.SimpleQueue[int] = queue.SimpleQueue()

    def stop(self) -> None:
        """End the agent, as SIGTERM does."""
        self.stopped.set()
        self.came.put(signal.SIGTERM)


class Signals(Orders):
    """Signals, taken by a thread that waits for them: nothing else is interrupted, and nothing polls."""

    def __init__(self) -> None:
        # Before any other thread is made, which all inherit it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        super().__init__()
        threading.Thread(target=self._take, name="signals", daemon=True).start()

    def _take(self) -> None:
        while True:
            number = signal.sigwait(_SIGNALS)
            if number in _ENDS:
                self.stopped.set()
            self.came.put(number)


def opened(hypervisor: Hypervisor, signals: Orders) -> bool:
    """Open the connection, however long that takes; return whether nobody stopped us meanwhile."""
    try:
        hypervisor.connection.open()
    except Unavailable as error:
        logger.warning("%s; waiting for it", error)
        notify("STATUS=Waiting for libvirt")
    else:
        return True
    try:
        hypervisor.connection.wait_until_open(stop=signals.stopped)
    except Unavailable:
        if signals.stopped.is_set():
            return False
        raise
    return not signals.stopped.is_set()


def attend(agent: Agent, signals: Orders) -> None:
    """Do what signals say, and show the service manager that we live, until one says to end."""
    pause = watchdog()
    while True:
        try:
            number = signals.came.get(timeout=pause)
        except queue.Empty:
            if agent.alive():
                notify("WATCHDOG=1")
            continue
        if number in _ENDS:
            return
        reloading()
        logger.info("reading everything anew", extra={"event": "reload"})
        agent.wake()
        notify("READY=1")
