"""Keeps a store true to the API server: a list, then a watch, and whatever it takes to go on when either breaks.

A list is streamed (KEP-3157) where the server can do that, else read in pages. After a break the watch goes on from the
last version seen, so that nothing is missed; where the server has forgotten that version (410), all is listed anew, and
what is not in the list was deleted. See client-go's reflector, whose guarantees these are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from kube import metrics
from kube.backoff import DEFAULT_RANDOM, Backoff
from kube.errors import ApiError, BadRequest, Gone, Invalid, Silent
from kube.pages import EVERYTHING, PAGE, Selection, pages
from kube.watch import Bookmark, decode_event

if TYPE_CHECKING:
    import random

    from kube.object import Key, Object
    from kube.resource import Resource
    from kube.session import Session
    from kube.store import Store
    from kube.watch import Event

logger = logging.getLogger(__name__)

# A server bookmarks every minute; twice that and more is silence, and the connection may be dead.
INACTIVITY: Final = 150.0
# The server ends a watch after this many seconds to twice as many, so that clients spread over its replicas.
LIFETIME: Final = 300.0
# A list older than what was seen already is a stale replica's, unless it is all there is: etcd came from a backup.
STALE_LISTS: Final = 3
# A server that does not know streamed lists ignores that one was asked for, and never says that it is complete.
CUT_STREAMS: Final = 2


class StaleList(ApiError):  # noqa: N818  (named as the other errors are)
    """A list came from a server that has not seen yet what we have."""

    transient = True


class Reflector:
    """Follows the objects of *selection* into *store* while `run` runs.

    ``synced`` is set when the store has been complete once; ``contact`` is the moment (of ``time.monotonic``) at which
    the server was last heard of. *streaming* False asks for pages at once. *inactivity* is how many seconds of silence
    mean that a connection is dead.
    """

    def __init__(
        self,
        session: Session,
        resource: Resource,
        store: Store,
        selection: Selection = EVERYTHING,
        *,
        streaming: bool = True,
        page: int = PAGE,
        inactivity: float = INACTIVITY,
        lifetime: float = LIFETIME,
        backoff: Backoff | None = None,
        source: random.Random = DEFAULT_RANDOM,
    ) -> None:
        self.resource = resource
        self.store = store
        self.selection = selection
        self.synced = asyncio.Event()
        self.contact = float("-inf")
        self._session = session
        self._streaming = streaming
        self._page = page
        self._inactivity = inactivity
        self._lifetime = lifetime
        self._backoff = backoff or Backoff()
        self._source = source
        # Where the watch goes on; None: all must be listed.
        self._version: str | None = None
        self._newest = 0
        self._stale_lists = 0
        self._cut_streams = 0
        self._silent = False

    async def run(self) -> NoReturn:
        """Follow the server until cancelled; no failure ends it, since only time tells which of them pass."""
        while True:
            try:
                await self._follow()
            except Gone as error:
                self._failed(error)
                self._version = None
                await self._pause(error)
            except Silent as error:
                self._failed(error)
                # Twice in a row is more than a dead connection: perhaps the server waits for a version that etcd lost.
                if self._silent:
                    self._version = None
                self._silent = not self._silent
            except (ApiError, msgspec.MsgspecError) as error:
                self._failed(error)
                await self._pause(error)

    async def _follow(self) -> None:
        """List if that is due, then watch until the watch ends; return if it ended in good order."""
        if self._version is not None:
            await self._watch(None)
        elif self._streaming and self._cut_streams < CUT_STREAMS:
            self._cut_streams += 1
            try:
                await self._watch({})
            except (BadRequest, Invalid) as error:
                if self._version is not None:
                    raise
                logger.info("%s: lists in pages, since the server does not stream them: %s", self, error)
                self._streaming = False
        else:
            self._cut_streams = 0
            await self._list()

    async def _list(self) -> None:
        metrics.LISTS.labels(self.resource.plural).inc()
        found: dict[Key, Object] = {}
        version = ""
        async for page in pages(self._session, self.resource, self.selection, size=self._page):
            self._heard()
            version = version or page.resource_version
            for item in page.items:
                self._collect(found, item)
        self._replace(found, version)

    async def _watch(self, listed: dict[Key, Object] | None) -> None:
        """Watch; into *listed* first, until the server says that it is the whole list."""
        lifetime = self._lifetime * self._source.uniform(1.0, 2.0)
        params = {
            **self.selection.params(),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(lifetime))),
        }
        inactivity = self._inactivity
        if listed is None:
            params["resourceVersion"] = self._version or ""
            metrics.WATCHES.labels(self.resource.plural).inc()
        else:
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            metrics.LISTS.labels(self.resource.plural).inc()
        path = self.resource.path(self.selection.namespace)
        async with self._session.stream(path, params=params, inactivity=inactivity) as lines:
            async for line in lines:
                event = decode_event(line)
                self._heard()
                if isinstance(event, Bookmark):
                    metrics.WATCH_EVENTS.labels(self.resource.plural, "BOOKMARK").inc()
                    if listed is not None and event.ends_list:
                        self._replace(listed, event.resource_version)
                        listed = None
                    elif listed is None:
                        self._reached(event.resource_version)
                elif listed is None:
                    self._take(event)
                else:
                    self._collect_event(listed, event)
        if listed is not None:
            raise ApiError("the streamed list ended before it was complete")

    def _take(self, event: Event) -> None:
        metrics.WATCH_EVENTS.labels(self.resource.plural, event.type).inc()
        if event.type == "DELETED":
            self.store.remove(event.object)
        else:
            self.store.put(event.object)
        metrics.STORED.labels(self.resource.plural).set(len(self.store))
        self._reached(event.object.resource_version)

    def _collect(self, found: dict[Key, Object], item: Object) -> None:
        # What is known already need not be held twice until the list is complete.
        known = self.store.get(item.key)
        same = known is not None and known.uid == item.uid and known.resource_version == item.resource_version
        found[item.key] = known if known is not None and same else item

    def _collect_event(self, found: dict[Key, Object], event: Event) -> None:
        if event.type == "DELETED":
            found.pop(event.object.key, None)
        else:
            self._collect(found, event.object)

    def _replace(self, found: dict[Key, Object], version: str) -> None:
        """Take in a complete list, unless a server that lags behind sent it."""
        number = _number(version)
        if number is not None and number < self._newest and self._stale_lists < STALE_LISTS:
            self._stale_lists += 1
            raise StaleList(f"a list of version {version} came after {self._newest} had been seen")
        if number is not None:
            self._newest = number
        self._stale_lists = self._cut_streams = 0
        self.store.replace(found)
        metrics.STORED.labels(self.resource.plural).set(len(self.store))
        self._reached(version)
        self.synced.set()

    def _reached(self, version: str) -> None:
        self._version = version
        self._newest = max(self._newest, _number(version) or 0)
        self._backoff.reset()

    def _heard(self) -> None:
        self.contact = time.monotonic()
        self._silent = False

    def _failed(self, error: Exception) -> None:
        metrics.REFLECTOR_FAILURES.labels(self.resource.plural, type(error).__name__).inc()
        logger.info("%s: %s: %s", self, type(error).__name__, error)

    async def _pause(self, error: Exception) -> None:
        asked = getattr(error, "retry_after", None) or 0.0
        await asyncio.sleep(max(asked, self._backoff.next()))

    def __str__(self) -> str:
        where = f" in {self.selection.namespace}" if self.selection.namespace else ""
        return f"{self.resource.plural}{where}"


def _number(version: str) -> int | None:
    """Return the version as a number to compare, as KEP-5504 allows; None for an API that has other ones."""
    return int(version) if version.isascii() and version.isdecimal() else None
