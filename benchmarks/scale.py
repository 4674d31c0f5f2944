"""``python -m benchmarks.scale``: guests made at a steady pace on a real control plane, until they run, and at rest.

etcd, kube-apiserver and kube-scheduler are the real ones; the controller, the extender and the executors run as
processes, with libvirt's test driver in the place of QEMU, so that what is measured is ours and the API server's. The
API server's audit log says who asked it for what, and its metrics how long it took for that.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import report
from benchmarks.cluster import NODES, Cluster
from benchmarks.usage import Latency, Request, Use, busy, use, writing
from kube.client import Client
from kube.manager import Manager
from kube.resource import Resource

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from kube.store import Delta

GUESTS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachine", "virtualmachines")
PARTS: Final = ("controller", "extender", "executors", "kube-scheduler", "kube-apiserver", "etcd")
SETTLE: Final = 10.0
"""Seconds after the last guest runs that still count as its making."""


@dataclass(frozen=True)
class Load:
    """What is asked of a cluster: ``pace`` guests a second, ``rest`` seconds at rest afterwards."""

    guests: int
    nodes: int
    pace: float
    processes: int = 2
    """How many processes the executors are in."""
    rest: float = 60.0
    most: float = math.inf
    """Seconds after which no further guest is made: a machine that is too slow still has a result."""


@dataclass(frozen=True)
class Result:
    """What came of it. ``waits`` are seconds from created to Running, sorted.

    ``uses`` are those before, after, and as the time at rest began and ended.
    """

    load: Load
    waits: list[float]
    seconds: float
    uses: tuple[dict[str, Use], dict[str, Use], dict[str, Use], dict[str, Use]]
    requests: Counter[Request]
    quiet: Counter[Request]
    latency: Latency
    busy: float
    """Seconds of processor time that the whole machine used as guests were made, whoever used them."""

    @property
    def writes(self) -> float:
        """How many calls that write there were for each guest, its own making included; no events, no Leases."""
        return 1 + sum(n for request, n in self.requests.items() if request.writes) / self.load.guests

    def memory(self, part: str) -> float:
        """Return the MiB of all processes of *part*, as guests were made."""
        return sum(used.memory for name, used in self.uses[1].items() if name.partition(" ")[0] == part)


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="Guests on a cluster.")
    parser.add_argument("--guests", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--pace", type=float, default=10.0, help="guests made in a second")
    parser.add_argument("--processes", type=int, default=2, help="how many the executors are in")
    parser.add_argument("--output", type=Path, help="a Markdown page that gets the section")
    parser.add_argument("--most", type=float, default=math.inf, help="seconds after which no further guest is made")
    options = parser.parse_args()
    processes = min(options.processes, options.nodes)
    load = Load(options.guests, options.nodes, options.pace, processes, most=options.most)
    with tempfile.TemporaryDirectory(prefix="kubevmm-scale-") as folder:
        done = measure(Path(folder), load)
    text = section(done)
    sys.stdout.write(text + "\n")
    if options.output:
        load = done.load
        title = f"On a cluster: {load.guests:,} guests on {load.nodes} nodes, {load.pace:g} a second"
        report.save(options.output, title, text)
    return 0


def measure(folder: Path, load: Load) -> Result:
    """Return what comes of *load*, with all files in *folder*."""
    with Cluster(folder) as cluster:
        return asyncio.run(_measure(cluster, load))


async def _measure(cluster: Cluster, load: Load) -> Result:
    async with cluster.session() as session:
        client, manager = Client(session), Manager(session)
        nodes = [f"node-{number}" for number in range(load.nodes)]
        await cluster.prepare(client)
        await cluster.machines(client, nodes)
        await cluster.controller(client)
        cluster.scheduler(await cluster.extender(client))
        await cluster.executors(client, nodes, load.processes)
        running: dict[str, float] = {}
        manager.cache(GUESTS).subscribe(_watching(running))
        ready: set[str] = set()
        manager.cache(NODES).subscribe(_reporting(ready))
        told: dict[str, int] = {}
        manager.cache(NODES).subscribe(_telling(told))
        stop = asyncio.Event()
        following = asyncio.create_task(manager.run(stop))
        began = time.monotonic()
        await _until(lambda: len(ready), load.nodes, 300, cluster)
        _tell(f"{load.nodes} nodes report after {time.monotonic() - began:.0f} s")
        # The extender hears of it when we do; its word is what counts.
        await asyncio.sleep(2)
        idle, _, before, worked = _uses(cluster), cluster.audit.read(), await writing(session), busy()
        began = time.monotonic()
        created = await _make(client, load)
        load = replace(load, guests=len(created))
        _tell(f"{load.guests} guests made in {time.monotonic() - began:.0f} s, {len(running)} run")
        await _until(lambda: len(running), load.guests, 600, cluster)
        whole = time.monotonic() - began
        machine = busy() - worked
        await asyncio.sleep(min(SETTLE, load.rest))
        after, requests, latency = _uses(cluster), cluster.audit.read(), await writing(session) - before
        # Each node tells once a minute what it has, where that changed: at rest are those that have told it.
        await _until(lambda: sum(told.values()), load.guests, 120, cluster)
        calm, _, began = _uses(cluster), cluster.audit.read(), time.monotonic()
        await asyncio.sleep(load.rest)
        load = replace(load, rest=time.monotonic() - began)
        rest, quiet = _uses(cluster), cluster.audit.read()
        stop.set()
        await following
    waits = sorted(running[name] - created[name] for name in created)
    return Result(load, waits, whole, (idle, after, calm, rest), requests, quiet, latency, machine)


async def _make(client: Client, load: Load) -> dict[str, float]:
    """Make the guests, each in its time as long as the server takes them; return when each was asked for."""
    created: dict[str, float] = {}
    began = time.monotonic()
    left = iter(range(load.guests))

    async def some() -> None:
        for number in left:
            await asyncio.sleep(max(0.0, began + number / load.pace - time.monotonic()))
            if time.monotonic() - began > load.most:
                return
            created[f"guest-{number}"] = time.monotonic()
            await client.create(GUESTS, guest(f"guest-{number}"))

    await asyncio.gather(*(some() for _ in range(4)))
    return created


def _watching(running: dict[str, float]) -> Callable[[Delta], None]:
    def seen(delta: Delta) -> None:
        name = delta.object.key.name
        if delta.new is not None and name not in running:
            word = (delta.new.decode().get("status") or {}).get("printableStatus")
            if word == "Running":
                running[name] = time.monotonic()

    return seen


def _reporting(ready: set[str]) -> Callable[[Delta], None]:
    def seen(delta: Delta) -> None:
        status = delta.new.decode().get("status") or {} if delta.new is not None else {}
        conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
        if status.get("guests") and conditions.get("Ready") == "True":
            ready.add(delta.object.key.name)

    return seen


def _telling(told: dict[str, int]) -> Callable[[Delta], None]:
    def seen(delta: Delta) -> None:
        status = delta.new.decode().get("status") or {} if delta.new is not None else {}
        told[delta.object.key.name] = (status.get("domains") or {}).get("running", 0)

    return seen


async def _until(count: Callable[[], int], wanted: int, patience: float, cluster: Cluster) -> None:
    """Wait until there are so many; end where for *patience* seconds there was none more."""
    last, end = count(), time.monotonic() + patience
    while (now := count()) < wanted:
        if now != last:
            last, end = now, time.monotonic() + patience
        if time.monotonic() > end:
            raise TimeoutError(f"{now} of {wanted}, and for {patience:.0f} s none more{cluster.logs()}")
        await asyncio.sleep(0.05)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _uses(cluster: Cluster) -> dict[str, Use]:
    return {name: use(pid) for name, pid in cluster.pids.items()}


def guest(name: str) -> dict[str, Any]:
    """Return a guest that the test driver runs, which may be on any node."""
    domain = {
        "type": "test", "memory": "64Mi", "vcpu": {"value": 1}, "os": {"type": {"value": "hvm"}},
        "devices": {"interfaces": [{"type": "user"}]},
    }  # fmt: skip
    return {
        "apiVersion": GUESTS.api_version, "kind": GUESTS.kind,
        "metadata": {"name": name, "namespace": "default"}, "spec": {"runStrategy": "Always", "domain": domain},
    }  # fmt: skip


def section(done: Result) -> str:
    """Return the section of the page."""
    load, cuts = done.load, statistics.quantiles(done.waits, n=100)
    cores = done.seconds * (os.cpu_count() or 1)
    head = (
        f"{load.guests:,} guests, at most {load.pace:g} made in a second, on {load.nodes} nodes whose executors are in "
        f"{load.processes} processes, placed by kube-scheduler: from created to Running in {cuts[49]:.2f} s (median), "
        f"{cuts[94]:.2f} s (95 of 100), {cuts[98]:.2f} s (99 of 100); all in {done.seconds:.1f} s. Of the API server's "
        f"own time for a call that writes, that is {done.latency.quantile(0.5):.3f} s, "
        f"{done.latency.quantile(0.95):.3f} s, {done.latency.quantile(0.99):.3f} s. {done.writes:.2f} calls that write "
        f"for each guest, beside events and Leases. libvirt's test driver is in the place of QEMU. The machine's cores "
        f"were busy {100 * done.busy / cores:.0f} % of that time, {100 * _used(done) / cores:.0f} % with what is below."
    )
    header = [
        "",
        "calls for a guest",
        "ms of processor for a guest",
        "memory, MiB",
        "at rest, % of a core",
        "calls/min",
    ]
    most = [
        [f"{request.part}: {request.verb} {request.kind}", f"{n / load.guests:.2f}"]
        for request, n in done.requests.most_common()
        if n * 20 > load.guests
    ]
    return "\n\n".join(
        [
            head, report.table(header, [_row(done, part) for part in PARTS]), "Which calls, for each guest:",
            report.table(["", "calls"], most), report.machine("aiohttp", "msgspec"),
        ]
    )  # fmt: skip


def _used(done: Result) -> float:
    """Return the seconds of processor time that all parts used as guests were made."""
    idle, after, _, _ = done.uses
    return sum(after[name].seconds - idle[name].seconds for name in idle)


def _row(done: Result, part: str) -> list[str]:
    idle, after, calm, rest = done.uses
    names = [name for name in idle if name.partition(" ")[0] == part]
    count, nodes = done.load.guests, done.load.nodes
    calls = sum(n for request, n in done.requests.items() if request.part == part)
    resting = sum(n for request, n in done.quiet.items() if request.part == part)
    title = f"{part}, all {nodes}" if part == "executors" else part
    used = sum(after[n].seconds - idle[n].seconds for n in names)
    slept = sum(rest[n].seconds - calm[n].seconds for n in names)
    asks = part not in ("kube-apiserver", "etcd")
    return [
        title,
        f"{calls / count:.2f}" if asks else "",
        f"{1000 * used / count:.0f}",
        f"{done.memory(part):.0f}",
        f"{100 * slept / done.load.rest:.1f}",
        f"{60 * resting / done.load.rest:.0f}" if asks else "",
    ]


if __name__ == "__main__":
    sys.exit(main())
