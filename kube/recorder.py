"""Events for people: ``kubectl events`` shows them; what repeats is counted in one, as events.k8s.io/v1 has it.

Recording never waits and never fails. Writing happens beside it, slowly if there is much, and drops what is too much.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from kube import metrics
from kube.errors import ApiError, NotFound
from kube.flow import TokenBucket
from kube.object import Key, Object
from kube.resource import EVENTS, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.client import Client

logger = logging.getLogger(__name__)

# client-go's: an event that does not come again for six minutes ends its series.
SERIES_LIFE: Final = 360.0
# And its spam filter: 25 at once about one object, then one each five minutes.
BURST: Final = 25
RATE: Final = 1 / 300
QUEUE: Final = 1000
SERIES: Final = 4096
# The API's own limits on an event's text.
LONGEST_NOTE: Final = 1023
LONGEST_WORD: Final = 128


class _Kind(msgspec.Struct, frozen=True):
    uid: str
    type: str
    reason: str
    action: str
    note: str


class _Happening(msgspec.Struct):
    kind: _Kind
    regarding: dict[str, Any]
    related: dict[str, Any] | None
    at: dt.datetime


class _Series(msgspec.Struct):
    key: Key
    count: int
    seen: float


class Recorder:
    """Writes events of *component* (``kubevmm.io/controller``) on *instance* (a Pod's or host's name)."""

    def __init__(
        self, client: Client, component: str, instance: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._component = component
        self._instance = instance[:LONGEST_WORD]
        self._clock = clock
        self._queue: asyncio.Queue[_Happening] = asyncio.Queue(QUEUE)
        self._series: dict[_Kind, _Series] = {}
        self._buckets: dict[str, TokenBucket] = {}

    def event(
        self,
        resource: Resource,
        regarding: Object,
        reason: str,
        note: str,
        *,
        action: str,
        type: Literal["Normal", "Warning"] = "Normal",  # noqa: A002  (the API's own word)
        related: tuple[Resource, Object] | None = None,
    ) -> None:
        """Record that *action* (Starting) was done about *regarding*, and *reason* (Started) came of it.

        *note* is a sentence for people.
        """
        kind = _Kind(regarding.uid, type, reason[:LONGEST_WORD], action[:LONGEST_WORD], note[:LONGEST_NOTE])
        other = _reference(*related) if related is not None else None
        happening = _Happening(kind, _reference(resource, regarding), other, dt.datetime.now(tz=dt.UTC))
        if not self._bucket(regarding.uid).try_take():
            metrics.RECORDED.labels("dropped").inc()
            return
        try:
            self._queue.put_nowait(happening)
        except asyncio.QueueFull:
            metrics.RECORDED.labels("dropped").inc()

    async def run(self, stop: asyncio.Event) -> None:
        """Write what was recorded until *stop*, and then what is left."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                taking = asyncio.ensure_future(self._queue.get())
                await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()
                    break
                await self._write(taking.result())
            await self.flush()
        finally:
            stopping.cancel()

    async def flush(self) -> None:
        """Write what was recorded so far."""
        while not self._queue.empty():
            await self._write(self._queue.get_nowait())

    async def _write(self, happening: _Happening) -> None:
        try:
            if await self._count(happening):
                metrics.RECORDED.labels("counted").inc()
            else:
                await self._create(happening)
                metrics.RECORDED.labels("written").inc()
        except ApiError as error:
            metrics.RECORDED.labels("dropped").inc()
            logger.info("an event was not written: %s: %s", happening.kind.note, error)

    async def _count(self, happening: _Happening) -> bool:
        """Count it in the event that is there already; False if none is."""
        series = self._series.get(happening.kind)
        if series is None or self._clock() - series.seen > SERIES_LIFE:
            return False
        series.count += 1
        series.seen = self._clock()
        patch = {"series": {"count": series.count, "lastObservedTime": _micro(happening.at)}}
        try:
            await self._client.patch(EVENTS, series.key, patch)
        except NotFound:
            # Events live an hour.
            del self._series[happening.kind]
            return False
        return True

    async def _create(self, happening: _Happening) -> None:
        kind, regarding = happening.kind, happening.regarding
        namespace = regarding.get("namespace") or "default"
        # The object's name first, so that a list of events reads by object.
        name = f"{regarding['name'][:200]}.{uuid.uuid4().hex[:16]}"
        body: dict[str, Any] = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": _micro(happening.at),
            "reportingController": self._component,
            "reportingInstance": self._instance,
            "type": kind.type,
            "reason": kind.reason,
            "action": kind.action,
            "note": kind.note,
            "regarding": regarding,
        }
        if happening.related is not None:
            body["related"] = happening.related
        await self._client.create(EVENTS, body)
        self._remember(kind, _Series(Key(namespace, name), 1, self._clock()))

    def _remember(self, kind: _Kind, series: _Series) -> None:
        self._series.pop(kind, None)
        self._series[kind] = series
        if len(self._series) > SERIES:
            del self._series[next(iter(self._series))]

    def _bucket(self, uid: str) -> TokenBucket:
        bucket = self._buckets.pop(uid, None) or TokenBucket(RATE, BURST, clock=self._clock)
        self._buckets[uid] = bucket
        if len(self._buckets) > SERIES:
            del self._buckets[next(iter(self._buckets))]
        return bucket


def _reference(resource: Resource, found: Object) -> dict[str, Any]:
    reference = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": found.key.name,
        "uid": found.uid,
        "resourceVersion": found.resource_version,
    }
    return {**reference, "namespace": found.key.namespace} if found.key.namespace else reference


def _micro(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
