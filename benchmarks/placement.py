"""``python -m benchmarks.placement``: how many Pods kube-scheduler places with our extender, against without it.

The API server and kube-scheduler are the real ones. Nodes are objects alone: Nodes with their status, and
VirtualMachineNodes as executors report them; no executor and no controller runs. Pods are placement Pods as the
controller makes them, and all of them wait before kube-scheduler starts, which it does for each turn anew, by turns as
``yamls/`` has it, as it comes, and as it comes but looking at as few nodes for each Pod as ``yamls/`` has it do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import re
import ssl
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from benchmarks import report
from benchmarks.cluster import MACHINES, NODES, PODS, Cluster
from benchmarks.scale import GUESTS
from benchmarks.usage import use
from controller import pods
from kube.client import Client
from tests.harness.server import free_ports

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from kube.object import Object

OURS, PLAIN, FEW = "with the extender", "without", "without, as few nodes"
WAYS: Final = (OURS, PLAIN, FEW, FEW, PLAIN, OURS)
"""The ways in which kube-scheduler starts by turns: what grows meanwhile is the same for all."""

TURNS: Final = 2 * len(WAYS)
"""How often it starts for each size of cluster."""

ROOM: Final = {"cpu": "128", "memory": "512Gi", "pods": "1k", pods.MARK: "1k"}
"""Of each node. The mark is ignored by who asks the extender, and must be there for who does not."""

WORDS: Final = [f"feature-{number}" for number in range(90)]
MODELS: Final = [f"Model-{number}" for number in range(60)]
CREATED: Final = 201
ZONES: Final = ("a", "b", "c")
SIZES: Final = (("1Gi", 1), ("2Gi", 2), ("4Gi", 2), ("8Gi", 4))
_TIMES: Final = re.compile(r"scheduler_scheduling_algorithm_duration_seconds_(sum|count) (\S+)")


class Turn(NamedTuple):
    """What kube-scheduler did with all Pods of a turn: how many a second, and its own seconds for each."""

    pace: float
    algorithm: float
    scheduler: float
    extender: float
    server: float
    """Of the API server and etcd."""

    @property
    def all(self) -> float:
        """Seconds of processor time for each Pod, of all that takes part."""
        return self.scheduler + self.extender + self.server


class _About(msgspec.Struct):
    subresource: str = ""


class _Status(msgspec.Struct):
    code: int = 0


class _Entry(msgspec.Struct, rename="camel"):
    stage: str
    stage_timestamp: str
    object_ref: _About = msgspec.field(default_factory=_About)
    response_status: _Status = msgspec.field(default_factory=_Status)


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.placement", description="Placement by kube-scheduler.")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 5000], help="clusters of so many, growing")
    parser.add_argument("--pods", type=int, default=500, help="Pods in a turn")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--output", type=Path, help="a Markdown page that gets the section")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kubevmm-placement-") as folder:
        text = measure(Path(folder), sorted(options.nodes), options.pods, options.turns)
    sys.stdout.write(text + "\n")
    if options.output:
        report.save(options.output, "Placement, with the extender against without", text)
    return 0


def measure(folder: Path, sizes: list[int], count: int, turns: int) -> str:
    """Return the section."""
    # Nodes are made as they are to be: no taint that a controller would take away.
    with Cluster(folder, "--disable-admission-plugins=TaintNodesByCondition") as cluster:
        found = asyncio.run(_measure(cluster, sizes, count, turns))
    return _text(found, count, turns)


async def _measure(cluster: Cluster, sizes: list[int], count: int, turns: int) -> dict[tuple[int, str], list[Turn]]:
    found: dict[tuple[int, str], list[Turn]] = {}
    async with contextlib.AsyncExitStack() as stack:
        client = Client(await stack.enter_async_context(cluster.session()))
        await cluster.prepare(client)
        # Nobody else may make placement Pods.
        kubeconfig = await cluster.kubeconfig(client, "kubevmm-controller")
        controller = Client(await stack.enter_async_context(cluster.session(kubeconfig)))
        guests = await _all(lambda number: client.create(GUESTS, guest(number)), range(count))
        port = await cluster.extender(client)
        there = number = 0
        for size in sizes:
            began = time.monotonic()
            await _all(lambda each: _node(client, each), range(there, size))
            there = size
            _tell(f"{size} nodes after {time.monotonic() - began:.0f} s")
            for turn in range(turns):
                way = WAYS[turn % len(WAYS)]
                # 0 is what kube-scheduler does by itself.
                settings = {"percentageOfNodesToScore": 0} if way == PLAIN else {}
                found.setdefault((size, way), []).append(
                    await _turn(cluster, controller, guests, port if way == OURS else 0, number, settings)
                )
                number += 1
                _tell(f"{size} nodes, {way}: {found[size, way][-1]}")
    return found


async def _turn(
    cluster: Cluster, controller: Client, guests: list[Object], port: int, number: int, settings: Mapping[str, Any]
) -> Turn:
    """Have Pods for all *guests* placed, with the extender at *port*, if it is not 0, and other *settings*."""

    async def make(found: Object) -> Object:
        made = pods.pod(found.decode())
        made["metadata"]["name"] += f"-{number}"
        return await controller.create(PODS, made)

    await _all(make, guests)
    (own,) = free_ports(1)
    before = {name: use(pid).seconds for name, pid in cluster.pids.items()}
    offset = cluster.audit.path.stat().st_size
    # By default it asks for at most fifty things a second: then that would be what is measured.
    server = cluster.scheduler(port, port=own, clientConnection={"qps": 10_000, "burst": 10_000}, **settings)
    times = await _bound(cluster.audit.path, offset, len(guests))
    sums = dict(_TIMES.findall(await asyncio.to_thread(_metrics, own)))
    used = {name: use(pid).seconds - before.get(name, 0.0) for name, pid in cluster.pids.items()}
    server.stop()
    del cluster.pids["kube-scheduler"]
    return Turn(
        (len(times) - 1) / (times[-1] - times[0]),
        float(sums["sum"]) / float(sums["count"]),
        used["kube-scheduler"] / len(guests),
        used["extender"] / len(guests),
        (used["kube-apiserver"] + used["etcd"]) / len(guests),
    )


async def _bound(path: Path, offset: int, count: int) -> list[float]:
    """Return when each of *count* Pods was bound, by the API server's audit log at *path* from *offset* on."""
    decoder = msgspec.json.Decoder(_Entry)
    times: list[float] = []
    end = time.monotonic() + 120
    while len(times) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(times)} of {count} Pods are bound after two minutes")
        await asyncio.sleep(0.5)
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                offset += len(line)
                entry = decoder.decode(line) if b'"binding"' in line else None
                if entry is not None and entry.stage == "ResponseComplete" and entry.response_status.code == CREATED:
                    times.append(dt.datetime.fromisoformat(entry.stage_timestamp).timestamp())
    return sorted(times)


def _metrics(port: int) -> str:
    # Its certificate is of its own making, and it listens on loopback alone.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(f"https://127.0.0.1:{port}/metrics", timeout=30) as response:
        return str(response.read().decode())


async def _all(make: Callable[[Any], Awaitable[Object]], over: Iterable[Any]) -> list[Object]:
    """Return what *make* returns for each, several at a time."""
    gate = asyncio.Semaphore(16)

    async def one(each: Any) -> Object:
        async with gate:
            return await make(each)

    return await asyncio.gather(*(one(each) for each in over))


async def _node(client: Client, number: int) -> Object:
    name, labels = f"node-{number:04}", {"kubernetes.io/hostname": f"node-{number:04}", "zone": ZONES[number % 3]}
    conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}]
    status = {"capacity": ROOM, "allocatable": ROOM, "conditions": conditions}
    machine = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}
    await client.create(MACHINES, machine)
    made = await client.create(NODES, {"apiVersion": NODES.api_version, "kind": NODES.kind, "metadata": {"name": name}})
    return await client.patch(NODES, made.key, {"status": offered(number)}, subresource="status")


def offered(number: int) -> dict[str, Any]:
    """Return what the node *number* reports: as much as a server with KVM does, in three zones with their networks."""
    zone = ZONES[number % 3]
    machines = [f"pc-{kind}-{version}" for kind in ("q35", "i440fx") for version in ("6.2", "7.0", "7.1", "7.2", "8.0")]
    when = "2026-01-01T00:00:00Z"
    return {
        "hostname": f"node-{number:04}", "arch": "x86_64",
        "cpu": {"sockets": 2, "cores": 32, "threads": 2, "model": "Model-1", "features": WORDS, "usableModels": MODELS},
        "capacity": {"cpu": "128", "memory": "512Gi"},
        "allocatable": {"cpu": "128", "memory": "512Gi"},
        "allocated": {"cpu": "2", "memory": f"{number % 40}Gi"},
        "domains": {"running": number % 9},
        "numa": [{"id": 0}, {"id": 1}],
        "guests": [
            {
                "arch": arch, "domainTypes": ["kvm", "qemu"], "machines": ["q35", "pc", *machines],
                "firmware": ["bios", "efi"], "tpm": True,
            }
            for arch in ("x86_64", "i686")
        ],
        "pools": [{"name": "images", "active": True, "available": "900Gi"}],
        "networks": [{"name": name, "active": True, "bridge": f"br-{name}"} for name in ("lan", f"zone-{zone}")],
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Reporting", "message": "", "lastTransitionTime": when}
        ],
    }  # fmt: skip


def guest(number: int) -> Mapping[str, Any]:
    """Return the guest *number*: of four sizes, half of which ask for a network that a third of the nodes have."""
    memory, vcpus = SIZES[number % len(SIZES)]
    network = f"zone-{ZONES[number % 3]}" if number % 2 else "lan"
    domain = {
        "type": "kvm", "memory": memory, "vcpu": {"value": vcpus},
        "os": {"type": {"arch": "x86_64", "machine": "pc-q35-7.2", "value": "hvm"}},
        "cpu": {"mode": "custom", "model": {"value": MODELS[number % 5]}},
        "devices": {
            "disks": [{"type": "volume", "device": "disk", "source": {"pool": "images", "volume": f"disk-{number}"},
                       "target": {"dev": "vda", "bus": "virtio"}}],
            "interfaces": [{"type": "network", "source": {"network": network}}],
        },
    }  # fmt: skip
    metadata = {"name": f"guest-{number}", "namespace": "default"}
    return {
        "apiVersion": GUESTS.api_version, "kind": GUESTS.kind, "metadata": metadata,
        "spec": {"runStrategy": "Always", "domain": domain},
    }  # fmt: skip


def _text(found: Mapping[tuple[int, str], list[Turn]], count: int, turns: int) -> str:
    head = (
        f"{turns} turns for each size, a third in each way by turns, of {count} placement Pods that all wait as "
        "kube-scheduler starts; medians. With the extender, kube-scheduler is as `yamls/` has it: for each Pod it "
        "looks at a twentieth of the nodes, at least a hundred. Without, it is as it comes, and looks at 42 % of 1,000 "
        "nodes and at 10 % of 5,000: two requests to the extender about so many names are what our share of nodes pays "
        "for. The last way, without the extender and with our share, says what the extender itself costs. To decide is "
        "scheduler_scheduling_algorithm_duration_seconds, what the extender is asked included. Processor time is that "
        "of all of a turn, the process's start and its reading of all nodes included."
    )
    header = [
        "nodes", "", "Pods a second", "ratio", "ms to decide", "ms of processor, all", "of that kube-scheduler",
        "extender",
    ]  # fmt: skip
    rows = []
    for size in sorted({size for size, _ in found}):
        plain = _median(found[size, PLAIN])
        for way in (PLAIN, OURS, FEW):
            each = _median(found[size, way])
            rows.append(
                [
                    f"{size:,}", way, f"{each.pace:.0f}", f"{each.pace / plain.pace:.2f}",
                    *(f"{1000 * used:.1f}" for used in (each.algorithm, each.all, each.scheduler, each.extender)),
                ]
            )  # fmt: skip
    return "\n\n".join([head, report.table(header, rows), report.machine("aiohttp", "msgspec")])


def _median(turns: list[Turn]) -> Turn:
    return Turn(*(statistics.median(each) for each in zip(*turns, strict=True)))


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
