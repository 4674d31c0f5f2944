"""`virtctl fit` says what the real kube-scheduler then does with our extender: who gets a place, and why others do not.

Guests come in groups, each of which asks for what only some nodes have and is too many for these, and then fill what is
left. Which guests of a group these are, and which of several equal nodes one goes to, is not compared.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp

from benchmarks.cluster import NODES, PODS, Cluster, machine
from benchmarks.scale import GUESTS
from controller import pods
from kube.client import Client
from tests.cli.command import virtctl
from tests.operation.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.harness.server import Server

GPU = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
OFFERS: dict[str, Any] = {
    "arch": "x86_64",
    "cpu": {"model": "Common", "usableModels": ["Common", "Older"]},
    "guests": [
        {"arch": "x86_64", "domainTypes": ["kvm"], "machines": ["q35"], "firmware": ["bios", "efi"], "tpm": False}
    ],
    "pools": [{"name": "images", "active": True, "available": "1Ti"}],
    "networks": [{"name": "lan", "active": True, "bridge": "br-lan"}],
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Reporting",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}

# Two nodes of each: what differs from OFFERS, of their room, and of the Node.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dmz": {"networks": [*OFFERS["networks"], {"name": "dmz", "active": True}]},
    "down": {"networks": [{"name": "lan", "active": False}]},
    "fast": {"pools": [*OFFERS["pools"], {"name": "fast", "active": True, "available": "1Ti"}]},
    "newer": {"guests": [{**OFFERS["guests"][0], "machines": ["q35", "pc-q35-8.2"]}]},
    "rare": {"cpu": {"model": "Rare", "usableModels": ["Common"]}},
    "secure": {"guests": [{**OFFERS["guests"][0], "secureBoot": True, "tpm": True}]},
    "device": {"devices": [{"name": "pci_3b", "type": "pci", "address": "0000:3b:00.0"}]},
    "huge": {"room": {"hugepages-1Gi": "8Gi"}},
    "tainted": {"taints": [GPU]},
    "cordoned": {"unschedulable": True},
    "zone": {"labels": {"zone": "b"}},
    "off": {"conditions": [{**OFFERS["conditions"][0], "status": "Unknown"}]},
}
CPUS = 8

# What each group asks for beside three CPUs, of which a node has room for two such guests: five are one too many.
GROUPS: dict[str, dict[str, Any]] = {
    "a-dmz": {"devices": {"interfaces": [{"type": "network", "source": {"network": "dmz"}}]}},
    "b-fast": {"devices": {"disks": [{"type": "volume", "source": {"pool": "fast", "volume": "v"}}]}},
    "c-newer": {"os": {"type": {"arch": "x86_64", "machine": "pc-q35-8.2", "value": "hvm"}}},
    "d-rare": {"cpu": {"mode": "custom", "model": {"value": "Rare"}}},
    "e-secure": {"os": {"firmware": "efi", "loader": {"secure": True}, "type": {"value": "hvm"}}},
    "f-huge": {"memoryBacking": {"hugepages": {"pages": [{"size": "1Gi"}]}}},
    "g-zone": {},
    "h-gpu": {},
    "i-affine": {},
    "j-nowhere": {"devices": {"interfaces": [{"type": "network", "source": {"network": "nowhere"}}]}},
    "k-future": {"os": {"type": {"arch": "x86_64", "machine": "pc-q35-99.0", "value": "hvm"}}},
    "l-too-many-cpus": {"vcpu": {"value": 64}},
    "m-device": {
        "devices": {
            "hostdevs": [
                {
                    "mode": "subsystem",
                    "type": "pci",
                    "source": {"address": {"domain": "0x0000", "bus": "0x3b", "slot": "0x00", "function": "0x0"}},
                }
            ]
        }
    },
}
ZONED = {
    "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "kind", "operator": "In", "values": ["plain", "newer"]}]}]
    }
}
SPECS: dict[str, dict[str, Any]] = {
    "g-zone": {"nodeSelector": {"zone": "b"}},
    "h-gpu": {"nodeSelector": {"kind": "tainted"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    "i-affine": {"affinity": {"nodeAffinity": ZONED}},
}
SMALL = 70


def estate() -> list[dict[str, Any]]:
    """Return the guests, the largest first and then by name, as `virtctl fit` takes them."""
    out = []
    for group, domain in GROUPS.items():
        for number in range(5):
            base = {"type": "kvm", "memory": "3Gi", "vcpu": {"value": 3}}
            out.append(guest_of(f"{group}-{number}", {**base, **domain}, SPECS.get(group, {})))
    out += [
        guest_of(f"z-{number:02}", {"type": "kvm", "memory": "512Mi", "vcpu": {"value": 1}}, {})
        for number in range(SMALL)
    ]
    return out


def guest_of(name: str, domain: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {
        "apiVersion": GUESTS.api_version,
        "kind": GUESTS.kind,
        "metadata": metadata,
        "spec": {"runStrategy": "Always", "domain": domain, **spec},
    }


async def make_nodes(client: Client) -> None:
    for kind, other in KINDS.items():
        status = {**OFFERS, **{key: value for key, value in other.items() if key in {*OFFERS, "devices"}}}
        room = {"cpu": str(CPUS), "memory": "24Gi", **other.get("room", {})}
        spec = {key: other[key] for key in ("taints", "unschedulable") if key in other}
        for number in range(2):
            name = f"{kind}-{number}"
            labels = {"kind": kind, **other.get("labels", {})}
            await machine(client, name, {**room, "pods": "100"}, labels, spec)
            body = {"apiVersion": NODES.api_version, "kind": NODES.kind, "metadata": {"name": name}}
            made = await client.create(NODES, body)
            status |= {"capacity": room, "allocatable": room}
            await client.patch(NODES, made.key, {"status": status}, subresource="status")


class Said:
    """What kube-scheduler says of each Pod, by its guest: the node, or how many nodes said what."""

    def __init__(self) -> None:
        self.placed: dict[str, str] = {}
        self.left: dict[str, Counter[str]] = {}

    async def read(self, client: Client) -> None:
        self.__init__()  # type: ignore[misc]
        for each in await client.list(PODS):
            owner, whole = each.controller(), each.decode()
            if owner is None:
                continue
            name = f"default/{owner.name}"
            if node := whole["spec"].get("nodeName"):
                self.placed[name] = node
            for condition in whole["status"].get("conditions") or ():
                if condition["type"] == "PodScheduled" and condition["status"] == "False":
                    self.left[name] = reasons(condition.get("message") or "")


def reasons(message: str) -> Counter[str]:
    """Return how many nodes said what, of `0/3 nodes are available: 2 Insufficient cpu, 1 ... . preemption: ...`."""
    said = message.partition("are available: ")[2].partition(" preemption: ")[0].rstrip(". ")
    parts = re.split(r", (?=\d+ )", said)
    return Counter({text: int(count) for count, _, text in (part.partition(" ") for part in parts if part)})


async def place(cluster: Cluster, client: Client, folder: Path, said: Said) -> dict[str, Any]:
    """Return what fit says of the cluster as it is, and fill *said* with what kube-scheduler then does."""
    await make_nodes(client)
    await cluster.prepare(client)
    foretold = await asyncio.to_thread(fit, folder, cluster.plane.kubeconfig)
    port = await cluster.extender(client)
    scheduler = cluster.scheduler(port)
    guests = [await client.create(GUESTS, each) for each in estate()]
    placements = [pods.pod(each.decode()) for each in guests]
    # In fit's order: kube-scheduler takes Pods as they come, but for those that the extender does not know yet.
    await known(port, placements[-1])
    async with cluster.session(await cluster.kubeconfig(client, "kubevmm-controller")) as session:
        for each in placements:
            await Client(session).create(PODS, each)
    await until(client, said, lambda: len(said.placed) + len(said.left) == len(guests))
    await again(cluster, scheduler, port)
    # Each says now what holds once all have their places.
    wanted = grouped(foretold["leftOver"])
    await until(client, said, lambda: grouped(said.left) == wanted)
    return foretold


async def known(port: int, pod: Mapping[str, Any]) -> None:
    """Wait until the extender at *port* knows the guest of *pod*, and so those that were made before it."""
    async with aiohttp.ClientSession() as session:
        while True:
            body = {"Pod": pod, "NodeNames": ["plain-0"]}
            async with session.post(f"http://127.0.0.1:{port}/filter", json=body) as answer:
                if "Error" not in await answer.json():
                    return
            await asyncio.sleep(0.1)


def grouped(left: Mapping[str, Mapping[str, int]]) -> Counter[tuple[str, frozenset[tuple[str, int]]]]:
    """Return of how many guests of each group how many nodes say what."""
    return Counter((group(name), frozenset(why.items())) for name, why in left.items())


def group(name: str) -> str:
    return name.partition("/")[2].rpartition("-")[0]


async def again(cluster: Cluster, scheduler: Server, port: int) -> None:
    """Have kube-scheduler look once more at all that it found no node for."""
    scheduler.stop()
    cluster.scheduler(port)


async def until(client: Client, said: Said, holds: Any) -> None:
    """Wait until what is *said* holds, or long enough."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        await said.read(client)
        if holds() or asyncio.get_running_loop().time() > end:
            return
        await asyncio.sleep(0.2)


def fit(folder: Path, kubeconfig: Path) -> dict[str, Any]:
    done = virtctl("fit", folder, "--kubeconfig", kubeconfig, "-o", "json")
    assert done.returncode == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_who_gets_a_place_and_who_does_not_is_as_fit_said_of_the_live_cluster(tmp_path: Path) -> None:
    folder = tmp_path / "estate"
    folder.mkdir()
    (folder / "guests.yaml").write_text("\n---\n".join(json.dumps(each) for each in estate()))
    said = Said()

    async def work(cluster: Cluster) -> tuple[dict[str, Any], Path]:
        async with cluster.session() as session:
            foretold = await place(cluster, Client(session), folder, said)
            return foretold, await cluster.kubeconfig(Client(session), "kubevmm-executor")

    with Cluster(tmp_path) as cluster:
        foretold, executor = asyncio.run(work(cluster))
        after = fit(folder, cluster.plane.kubeconfig)
        refused = virtctl("fit", folder, "--kubeconfig", executor)
    assert grouped(said.left) == grouped(foretold["leftOver"])
    assert Counter(map(group, said.placed)) == Counter(map(group, foretold["placed"]))
    # Some of all groups are left over, for a reason of each kind, and most are not.
    assert {group(name) for name in said.left} == {*GROUPS, "z"}
    assert len(said.placed) > len(said.left)
    # Whoever asks afterwards is told of what is there.
    assert after["placed"] == said.placed
    assert after["there"] == sorted(said.placed)
    assert grouped(after["leftOver"]) == grouped(said.left)
    # Who may not read all of that is told what to do instead.
    assert refused.returncode == 1
    assert "for --nodes" in refused.stderr.decode()
    assert "Traceback" not in refused.stderr.decode()
