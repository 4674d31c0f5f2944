"""Whatever the way to the server does, a store ends as the server's truth, and no delete is missed on the way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest

from kube.backoff import Backoff
from kube.pages import Selection
from kube.reflector import Reflector
from kube.store import Delta, Store
from tests.harness.faultproxy import NONE, FaultProxy, Faults
from tests.kube.conftest import GADGETS, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kube.client import Client
    from kube.object import Key
    from tests.kube.conftest import Cluster

EVERYTHING = Faults(
    drop=0.1,
    delay=0.3,
    gone=0.1,
    throttle=0.1,
    fail=0.1,
    stale=0.2,
    stream_cut=0.03,
    stream_gone=0.03,
    stream_delay=0.1,
    stream_stall=0.01,
)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  (to be had again, not to be unknown)


class Follower:
    """A reflector behind a proxy, and what its listeners were told."""

    def __init__(self, proxy: FaultProxy, reflector: Reflector) -> None:
        self.proxy = proxy
        self.reflector = reflector
        self.store = reflector.store
        self.told: dict[Key, str] = {}
        self.gone: list[str] = []
        self.mistakes: list[Delta] = []
        self.store.subscribe(self._listen)

    def _listen(self, delta: Delta) -> None:
        """Keep what the deltas alone add up to, and note each that does not follow from those before it."""
        before = self.told.get(delta.object.key)
        if before != (delta.old.uid if delta.old is not None else None):
            self.mistakes.append(delta)
        if delta.new is not None:
            self.told[delta.new.key] = delta.new.uid
        else:
            del self.told[delta.object.key]
            self.gone.append(delta.object.uid)


@contextlib.asynccontextmanager
async def following(cluster: Cluster, *, seed: int, faults: Faults = NONE, **options: Any) -> AsyncIterator[Follower]:
    plane = cluster.control_plane
    async with (
        FaultProxy(plane.url, plane.ca_file, seed=seed, faults=faults) as proxy,
        cluster.session(proxy.url) as session,
    ):
        options = {"inactivity": 0.5, "backoff": Backoff(0.01, 0.05, source=seeded(seed)), **options}
        reflector = Reflector(session, GADGETS, Store(), Selection(cluster.namespace), **options)
        follower = Follower(proxy, reflector)
        running = asyncio.create_task(reflector.run())
        try:
            yield follower
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def versions(client: Client, namespace: str) -> dict[Key, str]:
    return {found.key: found.resource_version for found in await client.list(GADGETS, Selection(namespace))}


async def converged(follower: Follower, truth: dict[Key, str]) -> None:
    await until(lambda: {found.key: found.resource_version for found in follower.store} == truth)
    assert follower.told == {found.key: found.uid for found in follower.store}
    assert follower.mistakes == []


async def work(
    client: Client, cluster: Cluster, chance: random.Random, steps: int, enough: Callable[[], bool] = lambda: True
) -> set[str]:
    """Make, change and delete gadgets at random, and go on until it is *enough*; return the uids of those gone."""
    there: dict[str, str] = {}
    gone: set[str] = set()
    for step in itertools.count():
        if step >= steps and enough():
            break
        name = f"gadget-{chance.randrange(25)}"
        if name not in there:
            there[name] = (await client.create(GADGETS, cluster.gadget(name, size=0))).uid
        elif chance.random() < 0.4:
            await client.delete(GADGETS, cluster.key(name))
            gone.add(there.pop(name))
        else:
            await client.patch(GADGETS, cluster.key(name), {"spec": {"size": chance.randrange(1000)}})
        await asyncio.sleep(0.002)
    return gone


@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "in pages"])
@pytest.mark.parametrize("seed", range(4))
def test_a_store_converges_after_a_seeded_run_of_faults(cluster: Cluster, seed: int, streaming: bool) -> None:
    async def scenario() -> None:
        async with (
            cluster.client() as direct,
            following(cluster, seed=seed, faults=EVERYTHING, streaming=streaming, page=7) as follower,
        ):
            injected = follower.proxy.injected
            # A slow machine gets more lines at a time, and so fewer faults for as much work.
            gone = await work(direct, cluster, seeded(seed), 200, lambda: sum(injected.values()) > 20)
            await converged(follower, await versions(direct, cluster.namespace))
            # Of what went, only that may be unheard of which was never seen.
            seen = set(follower.gone)
            assert seen <= gone
            assert not gone & set(follower.told.values())
            assert sum(injected.values()) > 20

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("gone", Faults(gone=1.0)),
        ("throttle", Faults(throttle=1.0)),
        ("fail", Faults(fail=1.0)),
        ("drop", Faults(drop=1.0)),
        ("stream_cut", Faults(stream_cut=1.0)),
        ("stream_gone", Faults(stream_gone=1.0)),
        ("stream_stall", Faults(stream_stall=1.0)),
    ],
)
def test_what_is_deleted_during_a_fault_is_told_as_deleted(cluster: Cluster, name: str, faults: Faults) -> None:
    async def scenario() -> None:
        async with cluster.client() as direct, following(cluster, seed=1) as follower:
            kept = await direct.create(GADGETS, cluster.gadget("kept"))
            doomed = await direct.create(GADGETS, cluster.gadget("doomed"))
            replaced = await direct.create(GADGETS, cluster.gadget("replaced"))
            await until(lambda: len(follower.store) == 3)
            follower.proxy.faults = faults
            follower.proxy.cut_all()
            await direct.delete(GADGETS, doomed.key)
            await direct.delete(GADGETS, replaced.key)
            again = await direct.create(GADGETS, cluster.gadget("replaced"))
            await until(lambda: follower.proxy.injected[name] >= 3)
            follower.proxy.faults = NONE
            follower.proxy.cut_all()
            await converged(follower, await versions(direct, cluster.namespace))
            assert sorted(follower.gone) == sorted([doomed.uid, replaced.uid])
            assert follower.told == {kept.key: kept.uid, again.key: again.uid}

    asyncio.run(scenario())


@pytest.mark.parametrize("in_stream", [False, True], ids=["as an answer", "inside a stream"])
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "in pages"])
def test_when_the_server_has_forgotten_where_the_watch_was_all_is_listed_anew(
    cluster: Cluster, streaming: bool, in_stream: bool
) -> None:
    async def scenario() -> None:
        async with cluster.client() as direct, following(cluster, seed=1, streaming=streaming) as follower:
            kept = await direct.create(GADGETS, cluster.gadget("kept"))
            doomed = await direct.create(GADGETS, cluster.gadget("doomed"))
            await until(lambda: len(follower.store) == 2)
            follower.proxy.down = True
            follower.proxy.cut_all()
            await direct.delete(GADGETS, doomed.key)
            new = await direct.create(GADGETS, cluster.gadget("new"))
            follower.proxy.forgets_in_stream = in_stream
            follower.proxy.forgotten = int(new.resource_version) - 1
            follower.proxy.down = False
            await converged(follower, await versions(direct, cluster.namespace))
            assert follower.gone == [doomed.uid]
            assert follower.told == {kept.key: kept.uid, new.key: new.uid}
            # Once: what was listed then is known to the server.
            assert follower.proxy.injected["forgotten"] == 1

    asyncio.run(scenario())


def test_a_list_older_than_what_was_seen_is_not_believed(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as direct, following(cluster, seed=1, streaming=False) as follower:
            await until(follower.reflector.synced.is_set)
            await direct.create(GADGETS, cluster.gadget("new"))
            await until(lambda: len(follower.store) == 1)
            # All is listed anew, and the lists that come are the first one, which was empty.
            follower.proxy.faults = Faults(stale=1.0, stream_gone=1.0)
            follower.proxy.cut_all()
            await direct.patch(GADGETS, cluster.key("new"), {"spec": {"size": 1}})
            await until(lambda: follower.proxy.injected["stale"] >= 2)
            assert follower.gone == []
            follower.proxy.faults = NONE
            await converged(follower, await versions(direct, cluster.namespace))
            assert follower.gone == []

    asyncio.run(scenario())


def test_a_watch_goes_on_where_it_was_cut_without_listing_again(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as direct, following(cluster, seed=1, streaming=False) as follower:
            await direct.create(GADGETS, cluster.gadget("one"))
            await until(lambda: len(follower.store) == 1)
            deltas: list[Delta] = []
            follower.store.subscribe(deltas.append)
            for number in range(5):
                follower.proxy.cut_all()
                await direct.patch(GADGETS, cluster.key("one"), {"spec": {"size": number}})
            await converged(follower, await versions(direct, cluster.namespace))
            assert [delta.initial for delta in deltas] == [True] + [False] * 5

    asyncio.run(scenario())
