"""What the node tells of itself: a Lease that says that it lives, and a VirtualMachineNode that says what it has."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import TYPE_CHECKING, Any, Final

from executor.cluster.resources import RESOURCES
from executor.cluster.source import MANAGER
from executor.engine.nodename import node_name
from executor.engine.nodes import node
from executor.hypervisor.errors import LibvirtError
from kube.apply import apply, apply_status
from kube.errors import ApiError, NotFound
from kube.object import Key
from kube.resource import LEASES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.hypervisor.hypervisor import Hypervisor
    from kube.client import Client
    from kube.object import Object
    from kube.store import Delta

logger = logging.getLogger(__name__)

RENEW: Final = 10.0
"""Seconds between renewals of the Lease, as the kubelet's."""

DURATION: Final = 40
"""Seconds after which a node that did not renew is taken for dead."""

LOOK: Final = 60.0
"""Seconds between looks at what the node has; only a change is written."""

SOON: Final = 1.0
"""Seconds between an event and the look at what it changed."""

_NODES: Final = RESOURCES["VirtualMachineNode"]


class Report:
    """Writes both through *client*, the Lease into the namespace *namespace*, until told to stop."""

    def __init__(self, hypervisor: Hypervisor, client: Client, namespace: str, version: str) -> None:
        self._hypervisor = hypervisor
        self._client = client
        self._namespace = namespace
        self._version = version
        self._started = _now()
        self._again = asyncio.Event()
        self._gone = False

    def wake(self) -> None:
        """Look at the node now: something has changed."""
        self._again.set()

    def happened(self, delta: Delta) -> None:
        """Report anew where somebody deleted the VirtualMachineNode: the node is still here."""
        if delta.new is None:
            self._gone = True
            self.wake()

    async def lease(self, stop: asyncio.Event) -> None:
        """Renew the Lease for as long as libvirt answers; a node whose libvirt is gone keeps no guests."""
        while not stop.is_set():
            try:
                alive = await asyncio.to_thread(lambda: self._hypervisor.connection.alive)
                if alive:
                    await self._renew()
            except ApiError as error:
                logger.warning("the lease was not renewed: %s", error)
            await _wait(stop, RENEW)

    async def node(self, stop: asyncio.Event) -> None:
        """Write what the node has, whenever that changes."""
        last: Mapping[str, Any] | None = None
        while not stop.is_set():
            try:
                status = await asyncio.to_thread(self._look)
                if status != last or self._gone:
                    self._gone = False
                    await self._write(status)
                    last = status
            except (ApiError, LibvirtError) as error:
                last = None
                logger.warning("the node's status was not written: %s", error)
            await _wait(stop, LOOK, self._again)
            if self._again.is_set():
                # Events come in crowds.
                await _wait(stop, SOON)
                self._again.clear()

    def _look(self) -> dict[str, Any]:
        status: dict[str, Any] = dict(node(self._hypervisor)["status"])
        status["agent"] = {**status.get("agent", {}), "version": self._version, "startTime": self._started}
        # Whether the node is ready is the controller's to say: it sees also when nothing is reported.
        del status["conditions"]
        return status

    async def _write(self, status: Mapping[str, Any]) -> None:
        name = node_name(self._hypervisor)
        found = await self._get(Key("", name))
        if found is None:
            found = (await apply(self._client, _NODES, {"metadata": {"name": name}}, manager=MANAGER)).object
        await apply_status(self._client, _NODES, found, status, manager=MANAGER)

    async def _get(self, key: Key) -> Object | None:
        try:
            return await self._client.get(_NODES, key)
        except NotFound:
            return None

    async def _renew(self) -> None:
        name = node_name(self._hypervisor)
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": DURATION,
            "renewTime": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        lease = {"metadata": {"name": f"node-{name}", "namespace": self._namespace}, "spec": spec}
        await apply(self._client, LEASES, lease, manager=MANAGER)


async def _wait(stop: asyncio.Event, seconds: float, other: asyncio.Event | None = None) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in (stop, other) if event is not None]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
