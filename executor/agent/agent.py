"""The agent: workers that look at objects when the source, libvirt's events or time say so."""

from __future__ import annotations

import collections
import contextlib
import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from executor.agent.index import Expected, Index
from executor.agent.queue import WorkQueue
from executor.agent.reconcile import Reconciler, Refused, Waiting, rank
from executor.engine import remembered
from executor.engine.power import StartFailed
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.events import Topic
from executor.plan import mark as marks
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from executor.agent.metrics import Metrics
    from executor.agent.source import Source
    from executor.engine.objects import Ref
    from executor.engine.status import Sink
    from executor.hypervisor.events import Event, Events
    from executor.hypervisor.hypervisor import Hypervisor

    Before = Callable[[Ref, Index], float | None]

logger = logging.getLogger(__name__)

WORKERS: Final = 4
RESYNC: Final = 1800.0
"""Seconds after which everything is looked at though nothing happened."""

SOON: Final = 0.1
"""Seconds that an event waits for its like: what we do ourselves comes back as several."""

_QUIET: Final = frozenset({Topic.BALLOON, Topic.AGENT, Topic.TRAY, Topic.MEMORY_DEVICE, Topic.POOL_REFRESHED})
"""Topics that say nothing of how a guest should be."""

_MARKS: Final = frozenset({"defined", "undefined"})
_KINDS: Final = {Topic.NETWORK: "VirtualMachineNetwork", Topic.POOL: "VirtualMachineStoragePool"}


class Agent:
    """A context manager that keeps what *source* has on *hypervisor*, an open one, and tells *sink*.

    Entering returns when work has begun. Leaving waits for what is in work; guests run on. *before* is called with each
    object before it is looked at, by the same worker, and returns in how many seconds that is to be done again. With
    *addresses* the status of guests has their interfaces' addresses.
    """

    def __init__(
        self,
        hypervisor: Hypervisor,
        source: Source,
        sink: Sink,
        metrics: Metrics,
        *,
        workers: int = WORKERS,
        resync: float = RESYNC,
        before: Before | None = None,
        addresses: bool = False,
    ) -> None:
        self._hypervisor = hypervisor
        self._before = before
        self._source = source
        self._metrics = metrics
        self._resync = resync
        self._index = Index(hypervisor)
        self._expected = Expected()
        self._reconciler = Reconciler(hypervisor, source, sink, self._index, addresses=addresses)
        self.queue = WorkQueue(self._rank)
        self._stop = threading.Event()
        self._synchronized = threading.Event()
        self._first: set[Ref] | None = None
        self._first_lock = threading.Lock()
        self._events: Events | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(workers)
        ] + [threading.Thread(target=self._resyncs, name="resync", daemon=True)]
        metrics.before_collecting(self._measure)

    def __enter__(self) -> Self:
        self.queue.pause()
        # First what is wanted; the events begin with RESYNC, which looks at all of it.
        self._source.start(self._changed)
        self._events = self._hypervisor.events(self._happened)
        self._events.__enter__()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self.queue.close()
        self._source.stop()
        if self._events is not None:
            with contextlib.suppress(LibvirtError):
                self._events.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=30)
        self._remember()

    def wake(self) -> None:
        """Read the source anew, and look at everything."""
        self._source.reread()
        self._all()

    def alive(self) -> bool:
        """Say whether all threads run still."""
        return all(thread.is_alive() for thread in self._threads)

    def unready(self) -> list[str]:
        """Return why the agent is not ready, one line each: nothing where it is."""
        out = []
        if not self._synchronized.is_set():
            out.append(f"libvirt at {self._hypervisor.connection.uri} does not answer")
        with self._first_lock:
            left = len(self._first) if self._first is not None else -1
        if left:
            out.append(f"{left} objects were not looked at yet" if left > 0 else "no object was looked at yet")
        if not self.alive():
            out.append("a worker has ended")
        return out

    def _rank(self, ref: Ref) -> int:
        # What goes, goes the other way round, and after all that comes.
        return 20 - rank(ref) if self._source.leaves(ref) else rank(ref)

    def _changed(self, refs: Iterable[Ref]) -> None:
        for ref in refs:
            # Whatever went wrong before may go right as it is now.
            self.queue.forget(ref)
            self.queue.add(ref)

    def _all(self, *, within: float = 0.0) -> None:
        for ref in self._source.refs():
            self.queue.add(ref, random.uniform(0, within) if within else 0.0)  # noqa: S311  (spreads load)

    def _happened(self, event: Event) -> None:
        self._metrics.events.labels(str(event.topic)).inc()
        if event.topic is Topic.LOST:
            logger.warning("the connection to libvirt is lost; guests run on", extra={"event": "lost"})
            self._synchronized.clear()
            self.queue.pause()
        elif event.topic is Topic.RESYNC:
            self._everything()
        elif event.topic in _KINDS:
            for ref in self._source.refs():
                if ref.kind == _KINDS[event.topic]:
                    self.queue.add(ref, SOON)
        elif event.uuid and event.topic not in _QUIET:
            self._guest(event)

    def _guest(self, event: Event) -> None:
        ref = self._index.known(event.uuid)
        changes_marks = event.what in _MARKS if event.topic is Topic.LIFECYCLE else event.what == marks.URI
        if changes_marks:
            try:
                ref = self._index.update(event.uuid)
            except LibvirtError as error:
                logger.warning("%s", error)
        if ref is None or not self._source.knows(ref):
            if changes_marks or event.topic in (Topic.LIFECYCLE, Topic.DEVICE_ADDED):
                self._reconciler.forget_node()
            # It may have come and gone before its mark was read.
            ref = self._expected.find(self._source.every(), event.uuid, event.name)
        if ref is not None and self._source.knows(ref):
            self.queue.add(ref, SOON)

    def _everything(self) -> None:
        """Begin anew with what libvirt has; tried until it answers, or the connection is lost once more."""
        pause = 0.2
        while not self._stop.is_set():
            try:
                self._index.rebuild()
            except LibvirtError as error:
                logger.warning("libvirt does not answer: %s", error)
                if not self._hypervisor.connection.alive:
                    with contextlib.suppress(LibvirtError):
                        self._hypervisor.connection.wait_until_open(stop=self._stop)
                self._stop.wait(pause)
                pause = min(pause * 2, 10.0)
                continue
            self._reconciler.forget_node()
            with self._first_lock:
                if self._first is None:
                    self._first = set(self._source.refs())
            self._all()
            self._synchronized.set()
            self.queue.resume()
            logger.info("synchronized with libvirt", extra={"event": "synchronized"})
            return

    def _work(self) -> None:
        while (ref := self.queue.get()) is not None:
            try:
                self._one(ref)
            except Exception:
                logger.exception("%s: internal error", ref, extra={"event": "bug"})
                self.queue.retry(ref)
            finally:
                self.queue.done(ref)
                self._looked_at(ref)

    def _looked_at(self, ref: Ref) -> None:
        with self._first_lock:
            if not self._first:
                return
            self._first.discard(ref)
            if self._first:
                return
        self._remember()

    def _remember(self) -> None:
        """Keep what was found out for the next process: what is not kept is only found out once more."""
        with contextlib.suppress(LibvirtError):
            remembered.of(self._hypervisor).save()

    def _one(self, ref: Ref) -> None:
        started = time.monotonic()
        try:
            soon = self._before(ref, self._index) if self._before is not None else None
            if soon is not None:
                self.queue.add(ref, max(soon, SOON))
            outcome, wait = self._reconciler.reconcile(ref)
        except Refused as error:
            outcome = "waiting" if isinstance(error, Waiting) else "refused"
            self.queue.retry(ref, at_least=60.0)
        except StartFailed as error:
            outcome = "failed"
            self.queue.retry(ref, at_least=error.wait)
        except KubevmmError as error:
            outcome = "failed"
            logger.debug("%s: %s", ref, error)
            self.queue.retry(ref)
        else:
            self.queue.forget(ref)
            if wait is not None:
                self.queue.add(ref, max(wait, SOON))
            if ref.kind != "VirtualMachine" and outcome not in ("unchanged", "skipped"):
                # Guests may have failed for want of it.
                for failed in self.queue.failing():
                    self.queue.add(failed)
        self._metrics.passes.labels(ref.kind, outcome).inc()
        self._metrics.seconds.labels(ref.kind).observe(time.monotonic() - started)

    def _resyncs(self) -> None:
        while not self._stop.wait(self._resync * random.uniform(0.9, 1.1)):  # noqa: S311  (spreads load)
            self._remember()
            self._source.reread()
            self._all(within=min(self._resync / 2, 300.0))

    def _measure(self) -> None:
        due, working, waiting = self.queue.sizes()
        for state, count in (("due", due), ("working", working), ("waiting", waiting)):
            self._metrics.queue.labels(state).set(count)
        self._metrics.failing.set(len(self.queue.failing()))
        self._metrics.connected.set(self._synchronized.is_set())
        self._metrics.problems.set(len(self._source.problems()))
        self._metrics.objects.clear()
        for kind, count in collections.Counter(ref.kind for ref in self._source.refs()).items():
            self._metrics.objects.labels(kind).set(count)
        self._metrics.guests.clear()
        for word, count in self._reconciler.words().items():
            self._metrics.guests.labels(word).set(count)
