"""Guests placed by the real kube-scheduler, which asks our extender: where, why not, and never past a node's room."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.build import CONTROL_PLANE, build
from tests.harness.controlplane import ControlPlane
from tests.harness.libvirtd import Libvirtd
from tests.harness.server import Server, free_ports
from tests.operation.conftest import Cluster, eventually, install
from tests.operation.test_guests import guest, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NODES = ("node-a", "node-b")


def scheduler_configuration(kubeconfig: Path, extender: int) -> dict[str, Any]:
    """Return what `yamls/` gives the second kube-scheduler, but for where it finds whom."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "profiles": [{"schedulerName": "kubevmm-scheduler"}],
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 2,
        "extenders": [
            {
                "urlPrefix": f"http://127.0.0.1:{extender}",
                "filterVerb": "filter",
                "prioritizeVerb": "prioritize",
                "weight": 1,
                "nodeCacheCapable": True,
                "managedResources": [{"name": "kubevmm.io/guest", "ignoredByScheduler": True}],
            }
        ],
    }


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster with kube-scheduler, the extender, a controller, and two nodes with executors."""
    folder = tmp_path_factory.mktemp("placement")
    binaries = build((*CONTROL_PLANE, "kube-scheduler"))
    with (
        ControlPlane(folder / "control-plane", binaries=binaries) as control_plane,
        Libvirtd(folder / "a") as first,
        Libvirtd(folder / "b") as second,
    ):
        cluster = Cluster(control_plane, folder)
        install(control_plane)
        cluster.kubectl("create", "serviceaccount", "default")
        for name in NODES:
            node(cluster, name, cpu="4", memory="1Gi")
        port, health = free_ports(2)
        configuration = folder / "scheduler.json"
        configuration.write_text(json.dumps(scheduler_configuration(control_plane.kubeconfig, port)))
        cluster.daemon("extender", "scheduler", "--port", str(port), "--health-port", str(health))
        scheduler = Server(
            control_plane.program("kube-scheduler"),
            [f"--config={configuration}", "--secure-port=0"],
            log=folder / "kube-scheduler.log",
        )
        cluster.controller()
        for name, libvirtd in zip(NODES, (first, second), strict=True):
            cluster.executor(name, libvirtd)
        eventually(lambda: all(ready(cluster, name) for name in NODES), lambda: cluster.kubectl("get", "vmnode"))
        yield cluster
        cluster.stop()
        scheduler.stop()
        sys.stdout.write((folder / "kube-scheduler.log").read_text()[-4000:])


def node(cluster: Cluster, name: str, **amounts: str) -> None:
    """Make a Node, as a kubelet would."""
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
    capacity = {**amounts, "pods": "110"}
    conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}]
    patch = {"status": {"capacity": capacity, "allocatable": capacity, "conditions": conditions}}
    cluster.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", json.dumps(patch))
    # The API server taints a new node until a controller sees that it is ready; none runs here.
    cluster.kubectl("patch", "node", name, "--type=merge", "-p", '{"spec":{"taints":null}}')


def ready(cluster: Cluster, name: str) -> bool:
    return bool(cluster.find("vmnode", name).get("status", {}).get("guests"))


def anywhere(name: str, **spec: Any) -> dict[str, Any]:
    """Return a guest that names no node."""
    made = guest(name, **spec)
    del made["spec"]["nodeName"]
    return made


def delete(cluster: Cluster, *names: str) -> None:
    cluster.kubectl("delete", "vm", *names, "--timeout=60s")
    # No garbage collector runs here.
    cluster.kubectl("delete", "pod", *(f"{name}-placement" for name in names), "--ignore-not-found", "--force")


def test_a_guest_that_names_no_node_is_placed_and_runs_there(placed: Cluster) -> None:
    placed.apply(anywhere("free"))
    eventually(lambda: status(placed, "free").get("printableStatus") == "Running", lambda: placed.get("vm", "free"))
    pod = placed.get("pod", "free-placement")
    assert status(placed, "free")["nodeName"] == pod["spec"]["nodeName"] in NODES
    assert status(placed, "free")["placementPod"] == "free-placement"
    assert pod["metadata"]["ownerReferences"][0]["name"] == "free"
    delete(placed, "free")


def test_guests_that_may_not_be_together_are_apart(placed: Cluster) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for name in ("db-1", "db-2"):
        made = anywhere(name, affinity=affinity)
        made["metadata"]["labels"] = {"app": "db"}
        placed.apply(made)
    for name in ("db-1", "db-2"):
        eventually(lambda name=name: status(placed, name).get("printableStatus") == "Running")
    assert {status(placed, name)["nodeName"] for name in ("db-1", "db-2")} == set(NODES)
    delete(placed, "db-1", "db-2")


def test_a_guest_that_no_node_can_run_says_why(placed: Cluster) -> None:
    made = anywhere("picky")
    made["spec"]["domain"]["devices"]["interfaces"] = [{"type": "network", "source": {"network": "nowhere"}}]
    placed.apply(made)
    eventually(lambda: status(placed, "picky").get("printableStatus") == "ErrorUnschedulable")
    (said,) = [each for each in status(placed, "picky")["conditions"] if each["type"] == "Scheduled"]
    assert "has no network nowhere that is up" in said["message"]
    delete(placed, "picky")


def test_a_guest_that_waits_for_a_network_is_placed_as_soon_as_a_node_has_it(placed: Cluster) -> None:
    made = anywhere("patient")
    made["spec"]["domain"]["devices"]["interfaces"] = [{"type": "network", "source": {"network": "late"}}]
    placed.apply(made)
    eventually(lambda: status(placed, "patient").get("printableStatus") == "ErrorUnschedulable")
    with Hypervisor(placed.libvirts["node-b"].uri) as hypervisor:
        network = hypervisor.networks.define(
            "<network><name>late</name><forward mode='bridge'/><bridge name='lo'/></network>"
        )
        network.start()
        # Well before the five minutes after which kube-scheduler looks by itself.
        eventually(lambda: status(placed, "patient").get("nodeName") == "node-b", lambda: placed.get("vm", "patient"))
        delete(placed, "patient")
        network.destroy()
        network.undefine()


def test_a_full_cluster_takes_no_more_and_goes_on_when_there_is_room(placed: Cluster) -> None:
    # Beside what a guest has itself, its QEMU takes some: of a gibibyte, one such guest is left room for.
    for name in ("big-1", "big-2", "big-3"):
        made = anywhere(name)
        made["spec"]["domain"]["memory"] = "600Mi"
        placed.apply(made)
    names = ("big-1", "big-2", "big-3")
    eventually(lambda: sorted(status(placed, n).get("printableStatus", "") for n in names) == [
        "ErrorUnschedulable", "Running", "Running"
    ])  # fmt: skip
    waits = next(n for n in names if status(placed, n)["printableStatus"] == "ErrorUnschedulable")
    (said,) = [each for each in status(placed, waits)["conditions"] if each["type"] == "Scheduled"]
    assert "Insufficient memory" in said["message"]
    delete(placed, next(n for n in names if n != waits))
    eventually(lambda: status(placed, waits).get("printableStatus") == "Running", lambda: placed.get("vm", waits))
    delete(placed, *(n for n in names if placed.control_plane.kubectl("get", "vm", n, check=False).returncode == 0))
