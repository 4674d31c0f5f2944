"""Guests placed by the real kube-scheduler, which asks our extender: where, why not, and never past a node's room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.hypervisor.hypervisor import Hypervisor
from tests.operation.conftest import eventually
from tests.operation.placing import NODES, anywhere, delete, scheduler_configuration
from tests.operation.test_guests import status

if TYPE_CHECKING:
    from tests.operation.placing import Placed

__all__ = ["scheduler_configuration"]


def test_a_guest_that_names_no_node_is_placed_and_runs_there(placed: Placed) -> None:
    placed.apply(anywhere("free"))
    eventually(lambda: status(placed, "free").get("printableStatus") == "Running", lambda: placed.get("vm", "free"))
    pod = placed.get("pod", "free-placement")
    assert status(placed, "free")["nodeName"] == pod["spec"]["nodeName"] in NODES
    assert status(placed, "free")["placementPod"] == "free-placement"
    assert pod["metadata"]["ownerReferences"][0]["name"] == "free"
    delete(placed, "free")


def test_guests_that_may_not_be_together_are_apart(placed: Placed) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for name in ("db-1", "db-2"):
        placed.apply(anywhere(name, labels={"app": "db"}, affinity=affinity))
    for name in ("db-1", "db-2"):
        eventually(lambda name=name: status(placed, name).get("printableStatus") == "Running")
    assert {status(placed, name)["nodeName"] for name in ("db-1", "db-2")} == set(NODES)
    delete(placed, "db-1", "db-2")


def test_a_guest_that_no_node_can_run_says_why(placed: Placed) -> None:
    made = anywhere("picky")
    made["spec"]["domain"]["devices"]["interfaces"] = [{"type": "network", "source": {"network": "nowhere"}}]
    placed.apply(made)
    eventually(lambda: status(placed, "picky").get("printableStatus") == "ErrorUnschedulable")
    (said,) = [each for each in status(placed, "picky")["conditions"] if each["type"] == "Scheduled"]
    assert "has no network nowhere that is up" in said["message"]
    delete(placed, "picky")


def test_a_guest_that_waits_for_a_network_is_placed_as_soon_as_a_node_has_it(placed: Placed) -> None:
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


def test_a_full_cluster_takes_no_more_and_goes_on_when_there_is_room(placed: Placed) -> None:
    # Beside what a guest has itself, its QEMU takes some: of a gibibyte, one such guest is left room for.
    for name in ("big-1", "big-2", "big-3"):
        placed.apply(anywhere(name, memory="600Mi"))
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
