"""A cluster that kube-scheduler does not look at whole: what one node alone can run is placed there all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks.cluster import NODES, PODS, Cluster, machine
from benchmarks.scale import GUESTS
from controller import pods
from kube.client import Client
from tests.operation.test_fit_agrees import OFFERS, Said, guest_of, until

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 350
"""Nodes; of those that have room kube-scheduler looks at a hundred for each guest."""

RARE = {f"node-{number:03}": f"only-{number}" for number in range(30, SIZE, 60)}
"""Nodes that have a network which no other one has."""

ROOM = {"cpu": "8", "memory": "24Gi"}
BASE = {"type": "kvm", "memory": "1Gi", "vcpu": {"value": 1}}


def on(network: str) -> dict[str, object]:
    """Return a domain with an interface in *network*."""
    return {**BASE, "devices": {"interfaces": [{"type": "network", "source": {"network": network}}]}}


async def make_node(client: Client, name: str) -> None:
    await machine(client, name, {**ROOM, "pods": "100"}, {}, {})
    body = {"apiVersion": NODES.api_version, "kind": NODES.kind, "metadata": {"name": name}}
    made = await client.create(NODES, body)
    networks = [*OFFERS["networks"], *([{"name": RARE[name], "active": True}] if name in RARE else [])]
    status = {**OFFERS, "networks": networks, "capacity": ROOM, "allocatable": ROOM}
    await client.patch(NODES, made.key, {"status": status}, subresource="status")


def test_a_guest_that_one_of_hundreds_of_nodes_can_run_is_placed_and_one_that_none_can_is_told_so(
    tmp_path: Path,
) -> None:
    said = Said()

    async def work(cluster: Cluster) -> None:
        async with cluster.session() as session:
            client = Client(session)
            gate = asyncio.Semaphore(16)

            async def make(number: int) -> None:
                async with gate:
                    await make_node(client, f"node-{number:03}")

            await asyncio.gather(*(make(number) for number in range(SIZE)))
            await cluster.prepare(client)
            cluster.scheduler(await cluster.extender(client))
            async with cluster.session(await cluster.kubeconfig(client, "kubevmm-controller")) as own:
                # One after the other: what happens to one would be a reason to look at another again.
                for name, network in {"nowhere": "nowhere", **RARE}.items():
                    made = await client.create(GUESTS, guest_of(name, on(network), {}))
                    await Client(own).create(PODS, pods.pod(made.decode()))
                    key = f"default/{name}"
                    await until(client, said, lambda key=key: key in said.placed or len(said.left.get(key, ())))

    with Cluster(tmp_path) as cluster:
        asyncio.run(work(cluster))
    assert said.placed == {f"default/{name}": name for name in RARE}
    assert said.left.keys() == {"default/nowhere"}
    assert sum(said.left["default/nowhere"].values()) >= 100
