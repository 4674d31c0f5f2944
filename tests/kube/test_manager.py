"""A whole process: caches, controllers, election, health and a decent end; through outages of the API server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from kube import finalizers
from kube.apply import apply, apply_status
from kube.backoff import Backoff
from kube.builder import Builder
from kube.client import Client
from kube.conditions import condition
from kube.controller import Result, TerminalError
from kube.errors import NotFound
from kube.health import HealthServer
from kube.lease import Election, LeaseLost
from kube.manager import Manager
from kube.pages import Selection
from tests.harness.controlplane import ControlPlane
from tests.harness.faultproxy import NONE, FaultProxy, Faults
from tests.kube.conftest import CONFIG_MAPS, GADGETS, Cluster, definition, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from kube.object import Key, Object
    from kube.session import Session

FINALIZER = "runtime.kubevmm.io/test"
SHORT: dict[str, float] = {"lease_duration": 2.0, "renew_deadline": 1.5, "retry_period": 0.1}


class Copier:
    """Keeps a ConfigMap of each gadget with its size, counts it in the status, and cleans up by a finalizer."""

    def __init__(self, cluster: Cluster, session: Session, **options: Any) -> None:
        selection = Selection(cluster.namespace)
        self.client = Client(session)
        self.manager = Manager(session, **options)
        # Quick, since some tests let most of what it asks for fail.
        self.gadgets = self.manager.cache(GADGETS, selection, backoff=Backoff(0.05, 0.5))
        self.copies = self.manager.cache(CONFIG_MAPS, selection, backoff=Backoff(0.05, 0.5))
        self.calls: list[Key] = []
        self.cleaned: list[str] = []
        build = Builder(self.manager, "copier").for_(GADGETS, selection=selection)
        build.owns(CONFIG_MAPS, selection=selection)
        self.controller = build.complete(self.reconcile)

    async def reconcile(self, key: Key) -> Result | None:
        self.calls.append(key)
        gadget = self.gadgets.get(key)
        if gadget is None:
            # A copy that was made from a stale cache; elsewhere the garbage collector does it.
            await self.uncopy(key)
            return None
        if gadget.deleting:
            await self.clean(gadget)
            return None
        gadget = await finalizers.add(self.client, GADGETS, gadget, FINALIZER)
        size = gadget.decode().get("spec", {}).get("size", 0)
        owner = {"apiVersion": GADGETS.api_version, "kind": GADGETS.kind, "name": key.name, "uid": gadget.uid}
        metadata = {
            "name": key.name,
            "namespace": key.namespace,
            "ownerReferences": [{**owner, "controller": True}],
        }
        copy = {"metadata": metadata, "data": {"size": str(size)}}
        await apply(self.client, CONFIG_MAPS, copy, manager="copier", current=self.copies.get(key))
        before = gadget.decode().get("status", {}).get("conditions", [])
        ready = condition(before, "Ready", True, "Copied", f"size {size}", generation=gadget.generation)
        await apply_status(self.client, GADGETS, gadget, {"conditions": [ready]}, manager="copier")
        return None

    async def clean(self, gadget: Object) -> None:
        await self.uncopy(gadget.key)
        if FINALIZER in gadget.finalizers:
            self.cleaned.append(gadget.key.name)
        await finalizers.remove(self.client, GADGETS, gadget, FINALIZER)

    async def uncopy(self, key: Key) -> None:
        if (copy := self.copies.get(key)) is not None:
            with contextlib.suppress(NotFound):
                await self.client.delete(CONFIG_MAPS, key, uid=copy.uid)

    def copied(self) -> dict[str, str]:
        return {found.key.name: found.decode().get("data", {}).get("size", "") for found in self.copies}


@contextlib.asynccontextmanager
async def running(manager: Manager) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def sizes(client: Client, cluster: Cluster) -> dict[str, str]:
    """Return what the copies have, from the API server itself."""
    found = await client.list(CONFIG_MAPS, Selection(cluster.namespace))
    return {one.key.name: one.decode()["data"]["size"] for one in found}


async def eventually(
    look: Callable[[], Awaitable[dict[str, str]]], expected: dict[str, str], seconds: float = 40.0
) -> None:
    """Wait until *look* finds what is *expected*; fail the test with what it finds if that never comes."""
    deadline = time.monotonic() + seconds
    while (found := await look()) != expected and time.monotonic() < deadline:  # noqa: ASYNC110  (no event says so)
        await asyncio.sleep(0.05)
    assert found == expected


def test_a_controller_makes_it_so_keeps_it_so_and_then_is_quiet(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session, cluster.client() as direct:
            for name in ("a", "b"):
                await direct.create(GADGETS, cluster.gadget(name, size=1))
            copier = Copier(cluster, session)
            async with running(copier.manager):
                await eventually(lambda: sizes(direct, cluster), {"a": "1", "b": "1"})
                await direct.patch(GADGETS, cluster.key("a"), {"spec": {"size": 2}})
                await eventually(lambda: sizes(direct, cluster), {"a": "2", "b": "1"})
                # What it owns and somebody changes or deletes is mended.
                await direct.patch(CONFIG_MAPS, cluster.key("a"), {"data": {"size": "9"}})
                await direct.delete(CONFIG_MAPS, cluster.key("b"))
                await eventually(lambda: sizes(direct, cluster), {"a": "2", "b": "1"})
                await until(lambda: copier.controller.queue.idle)
                await asyncio.sleep(0.3)
                quiet = await direct.get(GADGETS, cluster.key("a"))
                ready = quiet.decode()["status"]["conditions"][0]
                assert (ready["message"], ready["observedGeneration"]) == ("size 2", quiet.generation)
                # Ask for a reconcile that has nothing to do: nothing is written.
                calls = len(copier.calls)
                for name in ("a", "b"):
                    copier.controller.queue.add(cluster.key(name))
                await until(lambda: len(copier.calls) == calls + 2 and copier.controller.queue.idle)
                assert (await direct.get(GADGETS, cluster.key("a"))).resource_version == quiet.resource_version
                # Deletion waits for the finalizer.
                await direct.delete(GADGETS, cluster.key("a"))
                await eventually(lambda: sizes(direct, cluster), {"b": "1"})
                await until(lambda: cluster.key("a") not in copier.gadgets)
                assert set(copier.cleaned) == {"a"}

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(2))
def test_it_ends_as_it_should_when_reads_and_writes_fail_and_answers_are_lost(cluster: Cluster, seed: int) -> None:
    faults = Faults(
        drop=0.05, lose=0.1, throttle=0.1, fail=0.1, gone=0.05, stale=0.1, stream_cut=0.05, stream_gone=0.05
    )

    async def scenario() -> None:
        plane = cluster.control_plane
        async with (
            FaultProxy(plane.url, plane.ca_file, seed=seed, faults=faults) as proxy,
            cluster.session(proxy.url) as session,
            cluster.client() as direct,
        ):
            copier = Copier(cluster, session)
            async with running(copier.manager):
                for number in range(12):
                    await direct.create(GADGETS, cluster.gadget(f"gadget-{number}", size=number))
                    await asyncio.sleep(0.05)
                for number in range(0, 12, 3):
                    await direct.delete(GADGETS, cluster.key(f"gadget-{number}"))
                    await direct.patch(GADGETS, cluster.key(f"gadget-{number + 1}"), {"spec": {"size": 100}})
                    await asyncio.sleep(0.05)
                expected = {
                    f"gadget-{number}": "100" if number % 3 == 1 else str(number) for number in range(12) if number % 3
                }
                await eventually(lambda: sizes(direct, cluster), expected)
                await eventually(lambda: gone(direct, cluster), {})
                assert sum(proxy.injected.values()) > 5
                proxy.faults = NONE

    asyncio.run(scenario())


async def gone(client: Client, cluster: Cluster) -> dict[str, str]:
    """Return the gadgets that are still being deleted."""
    found = await client.list(GADGETS, Selection(cluster.namespace))
    return {one.key.name: one.deletion_timestamp or "" for one in found if one.deleting}


def test_a_failing_reconcile_is_tried_again_and_a_terminal_one_is_not(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session, cluster.client() as direct:
            calls: dict[str, int] = {}

            async def reconcile(key: Key) -> Result | None:
                calls[key.name] = calls.get(key.name, 0) + 1
                if key.name == "terminal":
                    raise TerminalError("a spec that cannot be")
                if key.name == "broken" and calls[key.name] < 4:
                    raise ZeroDivisionError
                return Result(requeue_after=0.05) if key.name == "again" else None

            manager = Manager(session)
            build = Builder(manager, "failing").for_(GADGETS, selection=Selection(cluster.namespace))
            controller = build.complete(reconcile)
            async with running(manager):
                for name in ("terminal", "broken", "again", "fine"):
                    await direct.create(GADGETS, cluster.gadget(name))
                await until(lambda: calls.get("again", 0) >= 5 and calls.get("broken") == 4)
                assert (calls["terminal"], calls["fine"]) == (1, 1)
                assert controller.queue.failures(cluster.key("broken")) == 0

    asyncio.run(scenario())


def test_all_come_again_at_a_resync(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session, cluster.client() as direct:
            calls: Counter[str] = Counter()

            async def reconcile(key: Key) -> None:
                calls[key.name] += 1

            manager = Manager(session)
            build = Builder(manager, "resyncing").for_(GADGETS, selection=Selection(cluster.namespace))
            build.complete(reconcile, resync=0.1)
            for name in ("a", "b"):
                await direct.create(GADGETS, cluster.gadget(name))
            async with running(manager):
                await until(lambda: min(calls["a"], calls["b"]) >= 3)
                with pytest.raises(RuntimeError, match="before the manager runs"):
                    manager.cache(CONFIG_MAPS)

    asyncio.run(scenario())


def test_health_says_when_all_is_listed_and_metrics_are_served(cluster: Cluster) -> None:
    async def scenario() -> None:
        plane = cluster.control_plane
        async with (
            FaultProxy(plane.url, plane.ca_file, seed=1, faults=Faults(fail=1.0)) as proxy,
            cluster.session(proxy.url) as session,
            aiohttp.ClientSession() as web,
        ):
            health = HealthServer("127.0.0.1", 0)
            copier = Copier(cluster, session, health=health)
            async with running(copier.manager):
                await until(lambda: health.port != 0)

                async def get(path: str) -> tuple[int, str]:
                    async with web.get(f"http://127.0.0.1:{health.port}{path}") as response:
                        return response.status, await response.text()

                assert await get("/healthz") == (200, "[+]ping ok\nok\n")
                status, text = await get("/readyz")
                assert status == 500
                assert f"[-]caches failed: not listed yet: gadgets in {cluster.namespace}" in text
                proxy.faults = NONE
                async with asyncio.timeout(30):
                    while (await get("/readyz"))[0] != 200:  # noqa: ASYNC110  (the server has no event for it)
                        await asyncio.sleep(0.02)
                status, text = await get("/metrics")
                assert status == 200
                for name in ("workqueue_depth", "rest_client_requests_total", "reflector_lists_total"):
                    assert f"\n{name}" in text

    asyncio.run(scenario())


def test_of_two_processes_one_works_and_the_other_takes_over(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session, cluster.client() as direct:

            def process(name: str) -> tuple[Copier, asyncio.Event, asyncio.Task[None]]:
                election = Election(session, cluster.key("leader"), name, **SHORT)
                copier, stop = Copier(cluster, session, election=election), asyncio.Event()
                return copier, stop, asyncio.create_task(copier.manager.run(stop))

            first, stop_first, running_first = process("first")
            await direct.create(GADGETS, cluster.gadget("a", size=1))
            await until(lambda: first.copied() == {"a": "1"})
            second, stop_second, running_second = process("second")
            # A follower's caches are warm already.
            await until(lambda: len(second.gadgets) == 1)
            await direct.create(GADGETS, cluster.gadget("b", size=2))
            await until(lambda: first.copied() == {"a": "1", "b": "2"})
            assert second.calls == []
            stop_first.set()
            await running_first
            await direct.create(GADGETS, cluster.gadget("c", size=3))
            await until(lambda: second.copied() == {"a": "1", "b": "2", "c": "3"})
            stop_second.set()
            await running_second

    asyncio.run(scenario())


def test_a_lost_lease_ends_the_process_and_all_that_only_a_leader_may_do(cluster: Cluster) -> None:
    async def scenario() -> None:
        plane = cluster.control_plane
        ended: list[int] = []
        async with (
            FaultProxy(plane.url, plane.ca_file, seed=1) as proxy,
            cluster.session(proxy.url) as session,
        ):
            election = Election(session, cluster.key("leader"), "only", **SHORT)
            manager = Manager(session, election=election, terminate=ended.append)  # type: ignore[arg-type]
            cancelled = asyncio.Event()

            async def stubborn(_: asyncio.Event) -> None:
                try:
                    await asyncio.sleep(3600)
                finally:
                    cancelled.set()
                    await asyncio.sleep(2)

            manager.add(stubborn)
            running = asyncio.create_task(manager.run(asyncio.Event()))
            await until(lambda: election.leads)
            proxy.down = True
            with pytest.raises(LeaseLost):
                await running
            assert cancelled.is_set()
            assert ended == [1]

    asyncio.run(scenario())


def test_sigterm_lets_a_reconcile_finish(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session, cluster.client() as direct:
            begun, finished = asyncio.Event(), asyncio.Event()

            async def reconcile(_: Key) -> None:
                begun.set()
                await asyncio.sleep(0.5)
                finished.set()

            manager = Manager(session)
            Builder(manager, "slow").for_(GADGETS, selection=Selection(cluster.namespace)).complete(reconcile)
            running = asyncio.create_task(manager.run())
            await direct.create(GADGETS, cluster.gadget("a"))
            await begun.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await running
            assert finished.is_set()

    asyncio.run(scenario())


def test_what_fails_for_good_ends_the_manager(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.session() as session:
            manager = Manager(session)

            async def broken(_: asyncio.Event) -> None:
                raise ZeroDivisionError

            manager.add(broken, leader_only=False)
            with pytest.raises(ZeroDivisionError):
                await manager.run(asyncio.Event())

    asyncio.run(scenario())


def test_all_goes_on_when_the_api_server_was_killed_and_is_back(cluster_binaries: Path, tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "plane", binaries=cluster_binaries) as plane:
        plane.kubectl("apply", "-f", "-", input=json.dumps(definition(GADGETS)))
        plane.kubectl("wait", "--for=condition=Established", "crd/gadgets.runtime.kubevmm.io", "--timeout=60s")
        plane.kubectl("create", "namespace", "outage")
        cluster = Cluster(plane, "outage")

        async def scenario() -> None:
            async with cluster.session() as session, cluster.client() as direct:
                copier = Copier(cluster, session)
                async with running(copier.manager):
                    for name in ("kept", "doomed"):
                        await direct.create(GADGETS, cluster.gadget(name, size=1))
                    await until(lambda: copier.copied() == {"kept": "1", "doomed": "1"})
                    for name in ("kube-apiserver", "etcd"):
                        plane.kill(name)
                        await asyncio.sleep(1)
                        # In this thread: the kernel ends a server with the thread that started it.
                        plane.revive(name)
                    await direct.delete(GADGETS, cluster.key("doomed"))
                    await direct.patch(GADGETS, cluster.key("kept"), {"spec": {"size": 2}})
                    await eventually(lambda: sizes(direct, cluster), {"kept": "2"}, 60)
                    assert set(copier.cleaned) == {"doomed"}

        asyncio.run(scenario())
