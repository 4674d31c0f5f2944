"""A cluster that kube-scheduler does not look at whole: what one node alone can run is placed there all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks.cluster import NODES, PODS, Cluster, machine
from benchmarks.scale import GUESTS
from controller import pods
from kube.client import Client
from tests.operation.test_fit_agrees import KINDS, OFFERS, Said, guest_of, until

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 350
"""Nodes; of those that have room kube-scheduler looks at a hundred for each guest."""

ROOM = {"cpu": "8", "memory": "24Gi"}
RARE = f"node-{SIZE - 1:03}"
BASE = {"type": "kvm", "memory": "1Gi", "vcpu": {"value": 1}}


def on(network: str) -> dict[str, object]:
    """Return a domain with an interface in *network*."""
    return {**BASE, "devices": {"interfaces": [{"type": "network", "source": {"network": network}}]}}


async def make_node(client: Client, name: str) -> None:
    await machine(client, name, {**ROOM, "pods": "100"}, {}, {})
    body = {"apiVersion": NODES.api_version, "kind": NODES.kind, "metadata": {"name": name}}
    made = await client.create(NODES, body)
    status = {**OFFERS, **(KINDS["dmz"] if name == RARE else {}), "capacity": ROOM, "allocatable": ROOM}
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
            wanted = {"rare-0": on("dmz"), "rare-1": on("dmz"), "nowhere": on("nowhere"), "common": on("lan")}
            guests = [await client.create(GUESTS, guest_of(name, domain, {})) for name, domain in wanted.items()]
            async with cluster.session(await cluster.kubeconfig(client, "kubevmm-controller")) as own:
                for each in guests:
                    await Client(own).create(PODS, pods.pod(each.decode()))
            await until(client, said, lambda: len(said.placed) == len(wanted) - 1 and "default/nowhere" in said.left)

    with Cluster(tmp_path) as cluster:
        asyncio.run(work(cluster))
    assert {said.placed["default/rare-0"], said.placed["default/rare-1"]} == {RARE}
    assert "default/common" in said.placed
    assert said.left.keys() == {"default/nowhere"}
    assert sum(said.left["default/nowhere"].values()) >= 100
