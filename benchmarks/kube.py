"""How fast objects come into a controller's cache, and how much memory they take there, beside Kubernetes' own client.

    python -m benchmarks.kube [--count N] [--size BYTES] [--rounds N] [--output FILE]

N objects are made on a real API server on loopback, then each contestant, in a process of its own, lists them into
a cache, follows a change of each of a thousand by a watch, and says how much memory it has come to need. The API server
runs beside them on the same cores; what it alone takes to answer is the first line.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import Queue

TITLE = "The controller runtime's cache"
NAMESPACE = "benchmark"
CHANGES = 1000


class Measured(NamedTuple):
    """Seconds for the list and for following the changes (from the first one's arrival), MiB, and a collection's ms."""

    listed: float
    followed: float
    memory: float
    collected: float


def main() -> int:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kube", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=10_000, help="how many objects (default: 10000)")
    parser.add_argument("--size", type=int, default=5000, help="how large each is, in bytes (default: 5000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    parser.add_argument("--output", type=Path, help="a Markdown file to keep the table in")
    options = parser.parse_args()
    from tests.harness.controlplane import ControlPlane  # noqa: PLC0415  (children of this process need none of it)

    with ControlPlane() as plane:
        config = str(plane.kubeconfig)
        size = asyncio.run(_populate(config, options.count, options.size))
        found: dict[str, list[Measured]] = {name: [] for name in CONTESTANTS}
        for _ in range(options.rounds):
            for name in CONTESTANTS:
                found[name].append(_apart(name, config, options.count))
    text = _text(found, options.count, size)
    print(f"## {TITLE}\n\n{text}")
    if options.output:
        report.save(options.output, TITLE, text)
    return 0


async def _populate(config: str, count: int, size: int) -> float:
    """Make *count* ConfigMaps of about *size* bytes, with the managedFields and labels that objects have.

    Return how large they are on average.
    """
    from kube import configuration  # noqa: PLC0415
    from kube.client import Client  # noqa: PLC0415
    from kube.resource import Resource  # noqa: PLC0415
    from kube.session import Session  # noqa: PLC0415

    namespaces = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
    maps = Resource("", "v1", "ConfigMap", "configmaps")
    async with Session(await configuration.load(config), rate=1e6) as session:
        client = Client(session)
        await client.create(namespaces, {"metadata": {"name": NAMESPACE}})
        numbers = iter(range(count))
        sizes: list[int] = []

        async def some() -> None:
            for number in numbers:
                labels = {"app": f"app-{number % 50}", "tier": f"tier-{number % 5}"}
                metadata = {"name": f"object-{number:05}", "namespace": NAMESPACE, "labels": labels}
                # A tree of short keys and values, as specs are, rather than one long text.
                data = {f"key-{n:03}": f"value-{number}-{n}" for n in range(max(1, (size - 700) // 42))}
                made = await client.create(maps, {"metadata": metadata, "data": data})
                sizes.append(len(made.raw))

        await asyncio.gather(*(some() for _ in range(16)))
    return statistics.mean(sizes)


def _apart(name: str, config: str, count: int) -> Measured:
    """Run a contestant in a new process, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    results: Queue[Measured] = context.Queue()
    process = context.Process(target=_run, args=(name, config, count, results))
    process.start()
    measured = results.get(timeout=600)
    process.join()
    return measured


def _run(name: str, config: str, count: int, results: Queue[Measured]) -> None:
    results.put(asyncio.run(CONTESTANTS[name](config, count)))


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _collection() -> float:
    began = time.perf_counter()
    gc.collect()
    return (time.perf_counter() - began) * 1000


async def _change(config: str, begun: asyncio.Event) -> None:
    """Change a thousand objects from a process of its own, once *begun* is set."""
    await begun.wait()
    program = "import asyncio, sys; from benchmarks.kube import touch; asyncio.run(touch(sys.argv[1]))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, config)
    assert await process.wait() == 0


async def touch(config: str) -> None:
    """Change the first thousand objects as fast as the server takes it."""
    from kube import configuration  # noqa: PLC0415
    from kube.client import Client  # noqa: PLC0415
    from kube.object import Key  # noqa: PLC0415
    from kube.resource import Resource  # noqa: PLC0415
    from kube.session import Session  # noqa: PLC0415

    maps = Resource("", "v1", "ConfigMap", "configmaps")
    stamp = str(time.time_ns())
    async with Session(await configuration.load(config), rate=1e6) as session:
        client = Client(session)
        numbers = iter(range(CHANGES))

        async def some() -> None:
            for number in numbers:
                patch = {"metadata": {"annotations": {"touched": stamp}}}
                await client.patch(maps, Key(NAMESPACE, f"object-{number:05}"), patch)

        await asyncio.gather(*(some() for _ in range(8)))


async def _ours(config: str, count: int, *, streaming: bool) -> Measured:
    from kube import configuration  # noqa: PLC0415
    from kube.pages import Selection  # noqa: PLC0415
    from kube.reflector import Reflector  # noqa: PLC0415
    from kube.resource import Resource  # noqa: PLC0415
    from kube.session import Session  # noqa: PLC0415
    from kube.store import Store  # noqa: PLC0415

    maps = Resource("", "v1", "ConfigMap", "configmaps")
    async with Session(await configuration.load(config)) as session:
        store = Store()
        reflector = Reflector(session, maps, store, Selection(NAMESPACE), streaming=streaming)
        began = time.perf_counter()
        running = asyncio.create_task(reflector.run())
        await reflector.synced.wait()
        listed = time.perf_counter() - began
        assert len(store) == count
        collected = _collection()
        seen: list[float] = []
        store.subscribe(lambda delta: None if delta.initial else seen.append(time.perf_counter()))
        followed = await _follow(config, seen)
        running.cancel()
    return Measured(listed, followed, _memory(), collected)


async def _peer(config: str, count: int) -> Measured:
    """Kubernetes' own asynchronous client, its objects kept as dicts: what most operators in Python do."""
    from kubernetes.aio import client, watch  # noqa: PLC0415
    from kubernetes.aio import config as loading  # noqa: PLC0415

    made = client.Configuration()
    await loading.load_kube_config(config, client_configuration=made)
    async with client.ApiClient(made) as api:
        core = client.CoreV1Api(api)
        cache: dict[str, Any] = {}
        began = time.perf_counter()
        following: str | None = None
        version = ""
        while following is None or following:
            page = await core.list_namespaced_config_map(NAMESPACE, limit=500, _continue=following)
            for item in page.items:
                cache[item.metadata.name] = api.sanitize_for_serialization(item)
            following, version = page.metadata._continue or "", page.metadata.resource_version  # noqa: SLF001
        listed = time.perf_counter() - began
        assert len(cache) == count
        collected = _collection()
        seen: list[float] = []

        async def follow() -> None:
            async with watch.Watch() as stream:
                async for event in stream.stream(core.list_namespaced_config_map, NAMESPACE, resource_version=version):
                    cache[event["object"].metadata.name] = event["raw_object"]
                    seen.append(time.perf_counter())

        running = asyncio.create_task(follow())
        followed = await _follow(config, seen)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return Measured(listed, followed, _memory(), collected)


async def _raw(config: str, count: int) -> Measured:
    """No cache at all: the pages are asked for and thrown away, which is the server's time and the network's."""
    from kube import configuration  # noqa: PLC0415
    from kube.resource import Resource  # noqa: PLC0415
    from kube.session import Session  # noqa: PLC0415

    maps = Resource("", "v1", "ConfigMap", "configmaps")
    async with Session(await configuration.load(config)) as session:
        began = time.perf_counter()
        params = {"limit": "500"}
        pages = 0
        while True:
            answer = await session.request("GET", maps.path(NAMESPACE), params=params)
            pages += 1
            # The list's metadata comes first.
            head = json.loads(answer[: answer.index(b'},"items"')].partition(b'"metadata":')[2] + b"}")
            if not head.get("continue"):
                break
            params["continue"] = head["continue"]
        listed = time.perf_counter() - began
        assert pages == -(-count // 500)
    return Measured(listed, float("nan"), _memory(), _collection())


async def _follow(config: str, seen: list[float]) -> float:
    """Return how many seconds a thousand changes took from the first one seen to the last."""
    begun = asyncio.Event()
    begun.set()
    await _change(config, begun)
    async with asyncio.timeout(120):
        while len(seen) < CHANGES:  # noqa: ASYNC110  (the peer has no event for it)
            await asyncio.sleep(0.01)
    return seen[CHANGES - 1] - seen[0]


async def _streamed(config: str, count: int) -> Measured:
    return await _ours(config, count, streaming=True)


async def _paged(config: str, count: int) -> Measured:
    return await _ours(config, count, streaming=False)


CONTESTANTS: dict[str, Callable[[str, int], Any]] = {
    "the server alone, pages of 500": _raw,
    "kube, streamed list": _streamed,
    "kube, pages of 500": _paged,
    "kubernetes' own client, dicts, pages of 500": _peer,
}
PEER = "kubernetes' own client, dicts, pages of 500"


def _text(found: dict[str, list[Measured]], count: int, size: float) -> str:
    medians = {
        name: Measured(*(statistics.median(values) for values in zip(*measured, strict=True)))
        for name, measured in found.items()
    }
    peer = medians[PEER]
    header = ["", "list, objects/s", "x peer", "changes/s", "memory, MiB", "of peer", "full collection, ms"]
    rows = [
        [
            name,
            f"{count / one.listed:,.0f}",
            f"{peer.listed / one.listed:.1f}",
            "" if one.followed != one.followed else f"{CHANGES / one.followed:,.0f}",
            f"{one.memory:,.0f}",
            f"{one.memory / peer.memory:.2f}",
            f"{one.collected:.0f}",
        ]
        for name, one in medians.items()
    ]
    said = (
        f"{count:,} objects of {size:,.0f} bytes on average, on a real API server on loopback that shares the cores; "
        f"medians. Changes are made as fast as the server takes them ({CHANGES:,} by 8 writers), so they bound that "
        "column. Memory is the process's peak, Python and libraries included."
    )
    return f"{said}\n\n{report.table(header, rows)}\n\n{report.machine('aiohttp', 'kubernetes', 'msgspec')}"


if __name__ == "__main__":
    sys.exit(main())
