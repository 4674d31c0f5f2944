"""The API server as the agent's sink: the status of objects, and Events."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from executor.cluster import standing
from executor.cluster.resources import RESOURCES
from executor.cluster.roles import GUESTS, IMAGES, LISTS, Role, entries
from executor.cluster.source import MANAGER, manager_of
from executor.engine.resolve import named
from kube.apply import apply_status
from kube.errors import ApiError, Conflict, NotFound
from kube.recorder import Recorder
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.cluster.link import Link
    from executor.cluster.source import ApiSource
    from executor.engine.objects import Ref
    from kube.object import Object

logger = logging.getLogger(__name__)

COMPONENT: Final = "kubevmm.io/executor"

OFTEN: Final = 2.0
"""Seconds between two writes of how far something is."""

__all__ = ["COMPONENT", "MANAGER", "ApiSink"]


class ApiSink:
    """A `Sink` for what *source* of the node *node* has, through *link*."""

    def __init__(self, node: str, source: ApiSource, link: Link) -> None:
        self._node = node
        self._source = source
        self._link = link
        self._lock = threading.Lock()
        self._written: dict[Ref, Object] = {}
        self._shown: dict[Ref, tuple[float, int]] = {}
        self.recorder = Recorder(link.client, COMPONENT, node)

    def last(self, ref: Ref) -> Mapping[str, Any] | None:
        """Return what the API server has of the status."""
        found = self._source.find(ref)
        status = found.decode().get("status") if found is not None else None
        if status is None or ref.kind not in LISTS:
            return dict(status) if status is not None else None
        return next(iter(entries(ref, status, self._node)), None)

    def put(self, ref: Ref, status: Mapping[str, Any]) -> None:
        """Write the status, of what is this node's. Raises KubevmmError where the API server does not take it."""
        found, view = self._newest(ref), self._source.view(ref)
        if found is None or view is None or view.role in (Role.NONE, Role.KNOW):
            return
        if ref.kind == GUESTS:
            body = standing.guest(status, found.generation)
        elif ref.kind == IMAGES:
            before = entries(ref, found.decode().get("status") or {}, self._node)
            body = {"copies": standing.copies(self._node, status, self._pools(ref), before)}
        elif ref.kind in LISTS:
            body = {"nodes": [standing.node(self._node, status)]}
        else:
            body = standing.single(status, found.generation)
        self._shown.pop(ref, None)
        self._write(ref, found, body)

    def stale(self, ref: Ref) -> bool:
        """See `Sink.stale`: entries were begun, or how far they are was shown."""
        return ref in self._shown or self._source.began(ref)

    def progress(self, ref: Ref, what: str, done: int, whole: int | None) -> None:
        """Write how far an image is, now and then; that this fails does not matter."""
        if ref.kind != IMAGES or not whole:
            return
        now, percent = time.monotonic(), min(100 * done // whole, 100)
        before, shown = self._shown.get(ref, (float("-inf"), -1))
        found = self._newest(ref)
        if now - before < OFTEN or percent == shown or found is None:
            return
        self._shown[ref] = now, percent
        there = entries(ref, found.decode().get("status") or {}, self._node)
        try:
            self._write(ref, found, {"copies": standing.moving(there, what, percent)})
        except KubevmmError as error:
            logger.debug("%s: %s", ref, error)

    def drop(self, ref: Ref) -> None:
        """Forget what was written: the status goes with the object."""
        with self._lock:
            self._written.pop(ref, None)

    def event(self, ref: Ref, reason: str, message: str, *, warning: bool = False) -> None:
        """Write an Event about the object, and a line to the log."""
        level = logging.WARNING if warning else logging.INFO
        name = f"{ref.kind.lower()}/{ref.namespace}/{ref.name}"
        logger.log(level, "%s", message, extra={"object": name, "reason": reason})
        found = self._source.find(ref)
        if found is not None:
            self._link.post(lambda: self._record(ref, found, reason, message, warning=warning))

    def _pools(self, ref: Ref) -> dict[str, str]:
        """Return libvirt's names of the pools that the image is to be in, by what its entries call them."""
        view = self._source.view(ref)
        if view is None:
            return {}
        every = self._source.every()
        references = view.declared.object["spec"].get("poolRefs") or ()
        keys = view.pools or tuple(standing.key(each) for each in references)
        return {
            key: named(each, ref, every, "VirtualMachineStoragePool", "pool", ())
            for key, each in zip(keys, references, strict=True)
        }

    def _newest(self, ref: Ref) -> Object | None:
        """Return the object as it was last seen or written: a cache that lags must not swallow a write."""
        found = self._source.find(ref)
        with self._lock:
            written = self._written.get(ref)
        if found is None or written is None or written.uid != found.uid:
            return found
        return written if _later(written, found) else found

    def _write(self, ref: Ref, found: Object, body: Mapping[str, Any]) -> None:
        manager = manager_of(ref.kind, self._node)
        try:
            done = self._link.call(apply_status(self._link.client, RESOURCES[ref.kind], found, body, manager=manager))
        except (NotFound, Conflict) as error:
            logger.debug("%s: is gone, or is another one by now: %s", ref, error)
        except ApiError as error:
            raise KubevmmError(f"{ref}: the API server does not take the status: {error}") from None
        else:
            with self._lock:
                self._written[ref] = done.object

    def _record(self, ref: Ref, found: Object, reason: str, message: str, *, warning: bool) -> None:
        self.recorder.event(
            RESOURCES[ref.kind], found, reason, message, action="Reconcile", type="Warning" if warning else "Normal"
        )


def _later(one: Object, other: Object) -> bool:
    """Say whether *one* is a later version of the same object than *other* (KEP-5504: they can be compared)."""
    try:
        return int(one.resource_version) > int(other.resource_version)
    except ValueError:
        return False
