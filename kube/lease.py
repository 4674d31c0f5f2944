"""Leader election by a Lease: of several processes one works, and another takes over when it no longer can.

As in client-go, nobody compares the time in the Lease with a clock of its own: a candidate counts from when *it* saw
the Lease change last. The clock is the one that goes on while the machine sleeps, and that nobody can set, so that a
leader that wakes up late knows that it is none any more.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from kube import metrics
from kube.backoff import DEFAULT_RANDOM
from kube.client import Client
from kube.errors import ApiError, NotFound
from kube.resource import LEASES
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from kube.object import Key, Object
    from kube.session import Session

logger = logging.getLogger(__name__)

# client-go's own.
LEASE_DURATION: Final = 15.0
RENEW_DEADLINE: Final = 10.0
RETRY_PERIOD: Final = 2.0
JITTER: Final = 1.2


class LeaseLost(KubevmmError):  # noqa: N818  (named for what happened)
    """Somebody else may lead by now, so the process must end."""


def identity() -> str:
    """Return a name for this process that no other has, not even its successor on the same host."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


def boot_clock() -> float:
    """Return seconds since some moment; time that the machine sleeps counts, and setting the date does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Election:
    """One candidate, named *identity*, for the Lease *key*.

    A leader that could not renew for *renew_deadline* seconds gives up; others wait *lease_duration* seconds since they
    last saw a change before they take over. The difference is what the old leader has to stop in. Attempts are made
    each *retry_period* seconds and a little more.
    """

    def __init__(
        self,
        session: Session,
        key: Key,
        identity: str,
        *,
        lease_duration: float = LEASE_DURATION,
        renew_deadline: float = RENEW_DEADLINE,
        retry_period: float = RETRY_PERIOD,
        clock: Callable[[], float] = boot_clock,
        source: random.Random = DEFAULT_RANDOM,
    ) -> None:
        if not lease_duration > renew_deadline > retry_period * JITTER:
            raise ValueError("a lease must outlast its renewal's deadline, and that more than one attempt")
        self.key = key
        self.identity = identity
        self.lease_duration = lease_duration
        self.renew_deadline = renew_deadline
        self._retry_period = retry_period
        self._client = Client(session, urgent=True)
        self._clock = clock
        self._source = source
        self._seen: Object | None = None
        self._seen_at = float("-inf")
        # Until when this process may believe that it leads.
        self._until = float("-inf")

    @property
    def leads(self) -> bool:
        """Return whether this process may act as leader at this very moment."""
        return self._clock() < self._until

    async def acquire(self) -> None:
        """Wait until this process leads."""
        while True:
            if await self._attempt():
                metrics.LEADS.labels(self.key.name).set(1)
                logger.info("%s leads: it holds the lease %s", self.identity, self.key)
                return
            await self._wait()

    async def keep(self) -> None:
        """Renew for as long as that works. Raises `LeaseLost` when it no longer does; never returns."""
        while True:
            await self._wait()
            # Also where nobody took it: somebody may have had it in between.
            if not self.leads:
                raise self._lost("which could not be renewed in time")
            if not await self._attempt() and self._holder() != self.identity:
                raise self._lost(f"which {self._holder() or 'nobody'} holds now")

    async def release(self) -> None:
        """Let go of the Lease, so that another one need not wait for its end. Does nothing if this process has none."""
        if not self.leads or self._seen is None:
            return
        self._until = float("-inf")
        metrics.LEADS.labels(self.key.name).set(0)
        spec = {**self._spec(self._seen), "holderIdentity": ""}
        try:
            await self._client.replace(LEASES, self._body(spec, self._seen.resource_version))
        except ApiError as error:
            logger.info("%s: the lease was not released, and ends by itself: %s", self.key, error)

    def _lost(self, how: str) -> LeaseLost:
        self._until = float("-inf")
        metrics.LEADS.labels(self.key.name).set(0)
        return LeaseLost(f"{self.identity} lost the lease {self.key}, {how}")

    async def _attempt(self) -> bool:
        """Try to take or renew the Lease; return whether that worked."""
        # Counted from before the request, since the others' clocks start as it arrives.
        began = self._clock()
        try:
            async with asyncio.timeout(max(0.1, self._patience(began))):
                written = await self._write(began)
        except (ApiError, TimeoutError) as error:
            logger.info("%s: %s", self.key, str(error) or "no answer in time")
            return False
        if written is None:
            return False
        self._look(written)
        self._until = began + self.renew_deadline
        return True

    def _patience(self, now: float) -> float:
        """Return how many seconds an attempt may take: what is left of the lease, or the deadline."""
        left = self._until - now
        return min(left, self.renew_deadline) if left > 0 else self.renew_deadline

    async def _write(self, now: float) -> Object | None:
        """Put this process's name into the Lease, unless it is somebody else's; return it as written."""
        try:
            found = await self._client.get(LEASES, self.key)
        except NotFound:
            return await self._client.create(LEASES, self._body(self._claim({})))
        self._look(found)
        spec = self._spec(found)
        holder = spec.get("holderIdentity") or ""
        if now < self._until and holder != self.identity:
            return None
        if holder not in ("", self.identity):
            # The longer of the two: the holder may be another release with another configuration.
            duration = max(self.lease_duration, float(spec.get("leaseDurationSeconds") or 0))
            if now < self._seen_at + duration:
                return None
        return await self._client.replace(LEASES, self._body(self._claim(spec), found.resource_version))

    def _claim(self, spec: dict[str, Any]) -> dict[str, Any]:
        now = dt.datetime.now(tz=dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        mine = spec.get("holderIdentity") == self.identity
        return {
            **spec,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self.lease_duration)),
            "renewTime": now,
            "acquireTime": spec.get("acquireTime") if mine else now,
            "leaseTransitions": (spec.get("leaseTransitions") or 0) + (0 if mine or not spec else 1),
        }

    def _body(self, spec: dict[str, Any], resource_version: str | None = None) -> dict[str, Any]:
        metadata = {"name": self.key.name, "namespace": self.key.namespace}
        if resource_version is not None:
            metadata["resourceVersion"] = resource_version
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}

    def _look(self, found: Object) -> None:
        if self._seen is None or self._seen.resource_version != found.resource_version:
            self._seen = found
            self._seen_at = self._clock()

    def _holder(self) -> str:
        return (self._spec(self._seen).get("holderIdentity") or "") if self._seen is not None else ""

    @staticmethod
    def _spec(found: Object) -> dict[str, Any]:
        return found.decode().get("spec") or {}

    async def _wait(self) -> None:
        await asyncio.sleep(self._retry_period * self._source.uniform(1.0, JITTER))
