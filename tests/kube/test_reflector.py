"""A store follows the server: lists streamed or paged, watches, selections, deletes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from kube.backoff import Backoff
from kube.client import Client
from kube.pages import Selection
from kube.reflector import Reflector
from kube.resource import Resource
from kube.store import Delta, Store
from tests.kube.conftest import GADGETS, definition, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.session import Session
    from tests.kube.conftest import Cluster


@contextlib.asynccontextmanager
async def reflecting(session: Session, selection: Selection, **options: Any) -> AsyncIterator[Store]:
    reflector = Reflector(session, GADGETS, Store(), selection, **options)
    running = asyncio.create_task(reflector.run())
    try:
        async with asyncio.timeout(30):
            await reflector.synced.wait()
        yield reflector.store
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.mark.parametrize("options", [{}, {"streaming": False, "page": 2}], ids=["streamed", "in pages"])
def test_a_store_has_what_was_there_and_follows_what_comes(cluster: Cluster, options: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with cluster.session() as session:
            client = Client(session)
            for number in range(5):
                await client.create(GADGETS, cluster.gadget(f"old-{number}", size=number))
            async with reflecting(session, Selection(cluster.namespace), **options) as store:
                deltas: list[Delta] = []
                assert sorted(found.key.name for found in store) == [f"old-{number}" for number in range(5)]
                store.subscribe(deltas.append)
                assert [delta.initial for delta in deltas] == [True] * 5
                deltas.clear()
                await client.create(GADGETS, cluster.gadget("new", size=9))
                await client.patch(GADGETS, cluster.key("old-1"), {"spec": {"size": 11}})
                await client.delete(GADGETS, cluster.key("old-2"))
                await until(lambda: len(deltas) == 3)
                added, changed, deleted = deltas
                assert (added.old, added.new) == (None, store.get(cluster.key("new")))
                assert changed.new is not None
                assert changed.new.decode()["spec"] == {"size": 11}
                assert deleted.new is None
                assert cluster.key("old-2") not in store

    asyncio.run(scenario())


def test_objects_that_leave_a_selection_leave_the_store(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session:
            client = Client(session)
            for name in ("here", "there"):
                await client.create(GADGETS, cluster.gadget(name, labels={"tier": "one"}))
                await client.patch(GADGETS, cluster.key(name), {"status": {"node": name}}, subresource="status")
            selection = Selection(cluster.namespace, labels="tier=one", fields="status.node=here")
            async with reflecting(session, selection) as store:
                assert [found.key.name for found in store] == ["here"]
                await client.patch(GADGETS, cluster.key("here"), {"status": {"node": "there"}}, subresource="status")
                await client.patch(GADGETS, cluster.key("there"), {"status": {"node": "here"}}, subresource="status")
                await until(lambda: [found.key.name for found in store] == ["there"])
                await client.patch(GADGETS, cluster.key("there"), {"metadata": {"labels": {"tier": "two"}}})
                await until(lambda: len(store) == 0)

    asyncio.run(scenario())


def test_a_kind_that_is_made_later_is_followed_from_then_on(cluster: Cluster) -> None:
    gizmos = Resource("runtime.kubevmm.io", "v1", "Gizmo", "gizmos")
    kubectl = cluster.control_plane.kubectl

    async def scenario() -> None:
        async with cluster.session() as session:
            reflector = Reflector(session, gizmos, Store(), backoff=Backoff(0.05, 0.2))
            running = asyncio.create_task(reflector.run())
            await asyncio.sleep(0.3)
            assert not reflector.synced.is_set()
            await asyncio.to_thread(kubectl, "apply", "-f", "-", input=json.dumps(definition(gizmos)))
            await until(reflector.synced.is_set)
            gizmo = {**cluster.gadget("first"), "kind": "Gizmo"}
            await Client(session).create(gizmos, gizmo)
            await until(lambda: cluster.key("first") in reflector.store)
            running.cancel()

    try:
        asyncio.run(scenario())
    finally:
        kubectl("delete", "crd", "gizmos.runtime.kubevmm.io", "--ignore-not-found")
