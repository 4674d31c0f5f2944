"""Events: written beside the work, counted when they repeat, and dropped when they are too many."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from kube.client import Client
from kube.pages import Selection
from kube.recorder import BURST, Recorder
from kube.resource import EVENTS
from tests.harness.faultproxy import FaultProxy, Faults
from tests.kube.conftest import GADGETS, until

if TYPE_CHECKING:
    from tests.kube.conftest import Cluster


async def events(cluster: Cluster, client: Client) -> list[dict[str, Any]]:
    return [found.decode() for found in await client.list(EVENTS, Selection(cluster.namespace))]


def test_an_event_says_who_did_what_about_which_object_and_kubectl_shows_it(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            gadget = await client.create(GADGETS, cluster.gadget("one"))
            recorder = Recorder(client, "kubevmm.io/test", "node-1")
            stop = asyncio.Event()
            running = asyncio.create_task(recorder.run(stop))
            recorder.event(GADGETS, gadget, "Started", "It was started.", action="Start")
            stop.set()
            await running
            (found,) = await events(cluster, client)
            assert found["regarding"]["uid"] == gadget.uid
            assert (found["type"], found["reason"], found["action"]) == ("Normal", "Started", "Start")
            assert (found["reportingController"], found["reportingInstance"]) == ("kubevmm.io/test", "node-1")
            arguments = ("events", "-n", cluster.namespace, "--for=gadget/one", "-o", "json")
            shown = await asyncio.to_thread(cluster.control_plane.kubectl, *arguments)
            assert [item["message"] for item in json.loads(shown.stdout)["items"]] == ["It was started."]

    asyncio.run(scenario())


def test_what_repeats_is_counted_until_six_minutes_pass_without_it(cluster: Cluster) -> None:
    now = 0.0

    async def scenario() -> None:
        nonlocal now
        async with cluster.client() as client:
            gadget = await client.create(GADGETS, cluster.gadget("one"))
            recorder = Recorder(client, "kubevmm.io/test", "node-1", clock=lambda: now)

            def fail(note: str) -> None:
                recorder.event(GADGETS, gadget, "Failed", note, action="Start", type="Warning")

            for note in ("no space", "no space", "no memory", "no space"):
                fail(note)
                await recorder.flush()
            found = {event["note"]: event.get("series", {}).get("count") for event in await events(cluster, client)}
            assert found == {"no space": 3, "no memory": None}
            now = 400.0
            fail("no space")
            await recorder.flush()
            counts = [event.get("series", {}).get("count") for event in await events(cluster, client)]
            assert sorted(counts, key=str) == [3, None, None]

    asyncio.run(scenario())


def test_an_event_that_expired_meanwhile_is_written_anew(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            gadget = await client.create(GADGETS, cluster.gadget("one"))
            recorder = Recorder(client, "kubevmm.io/test", "node-1")
            for _ in range(2):
                recorder.event(GADGETS, gadget, "Started", "Again.", action="Start")
                await recorder.flush()
                for found in await client.list(EVENTS, Selection(cluster.namespace)):
                    await client.delete(EVENTS, found.key)
            recorder.event(GADGETS, gadget, "Started", "Again.", action="Start")
            await recorder.flush()
            assert len(await events(cluster, client)) == 1

    asyncio.run(scenario())


def test_a_flood_about_one_object_is_cut_and_leaves_others_alone(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            loud = await client.create(GADGETS, cluster.gadget("loud"))
            quiet = await client.create(GADGETS, cluster.gadget("quiet"))
            recorder = Recorder(client, "kubevmm.io/test", "node-1")
            for number in range(3 * BURST):
                recorder.event(GADGETS, loud, "Noise", f"Noise {number}.", action="Shout")
            recorder.event(GADGETS, quiet, "Word", "A word.", action="Say")
            await recorder.flush()
            found = [event["regarding"]["name"] for event in await events(cluster, client)]
            assert (found.count("loud"), found.count("quiet")) == (BURST, 1)

    asyncio.run(scenario())


def test_an_api_server_that_takes_no_events_stops_nobody(cluster: Cluster) -> None:
    async def scenario() -> None:
        plane = cluster.control_plane
        async with (
            FaultProxy(plane.url, plane.ca_file, seed=1, faults=Faults(fail=1.0)) as proxy,
            cluster.session(proxy.url) as session,
            cluster.client() as direct,
        ):
            gadget = await direct.create(GADGETS, cluster.gadget("one"))
            recorder = Recorder(Client(session), "kubevmm.io/test", "node-1")
            running = asyncio.create_task(recorder.run(asyncio.Event()))
            for number in range(5):
                recorder.event(GADGETS, gadget, "Word", f"Word {number}.", action="Say")
            await until(lambda: proxy.injected["fail"] == 5)
            assert not running.done()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    asyncio.run(scenario())
