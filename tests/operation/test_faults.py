"""Guests while the network, the API server, controllers and executors fail: all converges, and nothing is touched that
need not be. Each seed is another order of the same faults."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.harness.faultproxy import NONE
from tests.operation.conftest import eventually
from tests.operation.network import BAD, Network
from tests.operation.test_guests import NODE, domains, guest, hypervisor, run_of, status

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd
    from tests.operation.conftest import Cluster, Daemon

__all__ = ["hypervisor"]

GUESTS = 5


@pytest.mark.parametrize("seed", range(int(os.environ.get("KUBEVMM_FAULT_SEEDS", "2"))))
def test_all_converges_after_faults_and_no_guest_is_started_twice(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor, seed: int
) -> None:
    names = [f"storm-{seed}-{number}" for number in range(GUESTS)]
    source = random.Random(seed)  # noqa: S311  (to be had again)
    with Network(cluster.control_plane, seed) as network:
        cluster.control_plane.write_kubeconfig(cluster.folder / "bad.kubeconfig", url=network.proxy.url)
        through = {"KUBECONFIG": str(cluster.folder / "bad.kubeconfig")}
        controllers = [cluster.controller(**through) for _ in range(2)]
        executor = cluster.executor(NODE, libvirtd, **through)
        network.be(BAD)
        cluster.apply(*(guest(name) for name in names))
        for name in names:
            eventually(lambda name=name: f"default_{name}" in domains(hypervisor), patience=120)
            eventually(lambda name=name: domains(hypervisor)[f"default_{name}"].active, patience=120)
        runs = {name: run_of(hypervisor, f"default_{name}") for name in names}
        titles = dict.fromkeys(names, "")
        for step in range(12):
            name = source.choice(names)
            titles[name] = f"step {step}"
            patch = {"spec": {"domain": {"title": titles[name]}}}
            cluster.kubectl("patch", "vm", name, "--type", "merge", "-p", json.dumps(patch))
            strike(cluster, network, executor, controllers, source)
        gone = names.pop()
        cluster.kubectl("delete", "vm", gone, "--wait=false")
        network.be(NONE)
        eventually(lambda: f"default_{gone}" not in domains(hypervisor), patience=120)
        for name in names:
            title = f"<title>{titles[name]}</title>" if titles[name] else ""
            eventually(
                lambda name=name, title=title: title in domains(hypervisor)[f"default_{name}"].xml(), patience=120
            )
            eventually(
                lambda name=name: status(cluster, name).get("ready") is True, lambda name=name: status(cluster, name)
            )
            assert run_of(hypervisor, f"default_{name}") == runs[name]
        cluster.kubectl("delete", "vm", *names, gone, "--ignore-not-found", "--timeout=60s")
        assert network.proxy.injected


def strike(
    cluster: Cluster, network: Network, executor: Daemon, controllers: list[Daemon], source: random.Random
) -> None:
    """Let one more thing go wrong, or none."""
    match source.randrange(8):
        case 0:
            executor.kill()
            executor.start()
        case 1:
            controller = source.choice(controllers)
            controller.kill()
            controller.start()
        case 2 | 3:
            network.cut()
        case 4:
            cluster.control_plane.restart("kube-apiserver")
        case _:
            pass
