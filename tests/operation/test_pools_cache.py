"""Which node looks after a shared pool: chosen by what the server has now, so that no two choices are made at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controller.definitions import DefinitionReconciler
from controller.fleet import Fleet
from controller.liveness import Liveness
from controller.resources import NODES, POOLS
from kube import configuration
from kube.client import Client
from kube.errors import Conflict
from kube.manager import Manager
from kube.object import Key
from kube.recorder import Recorder
from kube.resource import LEASES
from kube.session import Session
from tests.operation.test_pools import pool

if TYPE_CHECKING:
    from kube.object import Object
    from tests.harness.controlplane import ControlPlane

POOL = Key("default", "chosen")


async def node(client: Client, name: str) -> Object:
    """Make a node that reports."""
    await client.create(NODES, {"apiVersion": NODES.api_version, "kind": NODES.kind, "metadata": {"name": name}})
    said = {"type": "Ready", "status": "True", "reason": "Reporting", "message": ""}
    said["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    return await client.patch(NODES, Key("", name), {"status": {"conditions": [said]}}, subresource="status")


async def active(client: Client, *names: str) -> Object:
    """Have the executors of the nodes *names* say that they have the pool."""
    entries = [{"nodeName": name, "state": "Active", "observedGeneration": 1} for name in names]
    return await client.patch(POOLS, POOL, {"status": {"nodes": entries}}, subresource="status")


async def looks_after(client: Client) -> Any:
    return (await client.get(POOLS, POOL)).decode()["status"].get("executorNode")


async def chosen(server: ControlPlane) -> tuple[Any, Any]:
    """Return which node is chosen once the cache is not old, and which when that one has the pool no more."""
    async with Session(await configuration.load(server.kubeconfig)) as session:
        client, manager = Client(session), Manager(session)
        fleet = Fleet(manager, Liveness(manager.cache(LEASES), "kubevmm-system"))
        reconciler = DefinitionReconciler(manager, client, POOLS, fleet, Recorder(client, "tests", "tests"))
        names = ("chosen-a", "chosen-b")
        store = manager.cache(POOLS)
        try:
            for name in names:
                manager.cache(NODES).put(await node(client, name))
            made = pool(POOL.name, Path("/srv/chosen"), nodeNames=list(names), shared=True)
            store.put(await client.create(POOLS, made))
            # The finalizer, which comes first.
            await reconciler.reconcile(POOL)
            store.put(await active(client, names[1]))
            new = await active(client, *names)
            with pytest.raises(Conflict):
                await reconciler.reconcile(POOL)
            store.put(new)
            await reconciler.reconcile(POOL)
            first = await looks_after(client)
            store.put(await active(client, names[1]))
            await reconciler.reconcile(POOL)
            return first, await looks_after(client)
        finally:
            await client.patch(POOLS, POOL, {"metadata": {"finalizers": None}})
            await client.delete(POOLS, POOL)
            for name in names:
                await client.delete(NODES, Key("", name))


def test_nothing_is_chosen_by_what_an_old_cache_has(server: ControlPlane) -> None:
    assert asyncio.run(chosen(server)) == ("chosen-a", "chosen-b")
