"""Finalizers come and go one at a time, without touching those of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kube import finalizers
from kube.errors import Conflict, NotFound
from tests.kube.conftest import GADGETS

if TYPE_CHECKING:
    from tests.kube.conftest import Cluster

OURS, THEIRS = "runtime.kubevmm.io/ours", "runtime.kubevmm.io/theirs"


def test_a_finalizer_is_added_once_and_removed_alone(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            made = await client.create(GADGETS, cluster.gadget("one"))
            both = await finalizers.add(client, GADGETS, await finalizers.add(client, GADGETS, made, THEIRS), OURS)
            assert both.finalizers == (THEIRS, OURS)
            assert await finalizers.add(client, GADGETS, both, OURS) is both
            with pytest.raises(Conflict):
                await finalizers.add(client, GADGETS, made, "runtime.kubevmm.io/late")
            left = await finalizers.remove(client, GADGETS, both, OURS)
            assert left is not None
            assert left.finalizers == (THEIRS,)
            assert await finalizers.remove(client, GADGETS, left, OURS) is left

    asyncio.run(scenario())


def test_what_is_being_deleted_gets_no_finalizer_any_more_and_goes_with_its_last(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            made = await client.create(GADGETS, cluster.gadget("one"))
            await finalizers.add(client, GADGETS, made, OURS)
            await client.delete(GADGETS, made.key)
            deleting = await client.get(GADGETS, made.key)
            assert deleting.deleting
            assert await finalizers.add(client, GADGETS, deleting, THEIRS) is deleting
            await finalizers.remove(client, GADGETS, deleting, OURS)
            with pytest.raises(NotFound):
                await client.get(GADGETS, made.key)
            assert await finalizers.remove(client, GADGETS, deleting, OURS) is None

    asyncio.run(scenario())
