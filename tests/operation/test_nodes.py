"""Nodes on a cluster: what is said of one that does not report, and of its guests, which nobody touches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.operation.conftest import eventually
from tests.operation.nodes import condition, die, executors, hypervisors, libvirtds, ready, states
from tests.operation.test_guests import run_of, running
from tests.operation.test_networks import network

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor
    from tests.operation.conftest import Cluster, Daemon

__all__ = ["executors", "hypervisors", "libvirtds"]


def test_a_node_that_does_not_report_is_unknown_and_its_guests_are_told_and_left_alone(
    cluster: Cluster, executors: dict[str, Daemon], hypervisors: dict[str, Hypervisor]
) -> None:
    running(cluster, "stranded", nodeName="many-b")
    running(cluster, "fine", nodeName="many-a")
    before = run_of(hypervisors["many-b"], "default_stranded")
    node = cluster.get("vmnode", "many-b")
    assert ready(node)["reason"] == "Reporting"
    assert node["status"]["capacity"]["cpu"]
    die(cluster, "many-b", executors["many-b"])
    assert ready(cluster.get("vmnode", "many-b"))["reason"] == "LeaseExpired"
    eventually(lambda: condition(cluster.find("vm", "stranded"), "NodeReady")["status"] == "Unknown")
    found = cluster.get("vm", "stranded")
    assert "many-b does not report" in condition(found, "NodeReady")["message"]
    assert found["status"]["printableStatus"] == "Running"
    assert condition(cluster.get("vm", "fine"), "NodeReady")["status"] == ""
    assert ready(cluster.get("vmnode", "many-a"))["status"] == "True"
    executors["many-b"].start()
    eventually(lambda: condition(cluster.find("vm", "stranded"), "NodeReady")["status"] == "")
    assert ready(cluster.get("vmnode", "many-b"))["status"] == "True"
    assert run_of(hypervisors["many-b"], "default_stranded") == before
    cluster.kubectl("delete", "vm", "stranded", "fine", "--timeout=60s")


@pytest.mark.usefixtures("executors")
def test_a_node_has_the_labels_of_its_kubernetes_node(cluster: Cluster) -> None:
    labels = {"topology.kubernetes.io/zone": "north"}
    cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "many-a", "labels": labels}})
    cluster.apply(network("north", nodeNames=None, nodeSelector=labels))
    eventually(
        lambda: ready(cluster.find("vmnet", "north"))["status"] == "True", lambda: cluster.find("vmnet", "north")
    )
    eventually(lambda: states(cluster.get("vmnet", "north")) == {"many-a": "Active"})
    # Beside them stands what people said of the node themselves.
    assert labels.items() <= cluster.get("vmnode", "many-a")["metadata"]["labels"].items()
    # That the Node goes says nothing of what the machine is.
    version = cluster.get("vmnet", "north")["metadata"]["resourceVersion"]
    cluster.kubectl("delete", "node", "many-a")
    cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "many-b", "labels": {"seen": "yes"}}})
    eventually(lambda: cluster.get("vmnode", "many-b")["metadata"].get("labels") == {"seen": "yes"})
    assert cluster.get("vmnet", "north")["metadata"]["resourceVersion"] == version
    cluster.kubectl("delete", "node", "many-b")
    cluster.kubectl("delete", "vmnet", "north", "--timeout=30s")


@pytest.mark.usefixtures("executors")
def test_a_node_that_is_deleted_by_mistake_loses_nothing(cluster: Cluster, hypervisors: dict[str, Hypervisor]) -> None:
    cluster.apply(network("stays"))
    cluster.kubectl("wait", "vmnet/stays", "--for=condition=Ready", "--timeout=30s")
    uid = cluster.get("vmnode", "many-b")["metadata"]["uid"]
    number = hypervisors["many-b"].networks.by_name("stays").uuid
    cluster.kubectl("delete", "vmnode", "many-b")
    eventually(lambda: ready(cluster.find("vmnode", "many-b"))["status"] == "True")
    assert cluster.get("vmnode", "many-b")["metadata"]["uid"] != uid
    cluster.kubectl("wait", "vmnet/stays", "--for=condition=Ready", "--timeout=30s")
    eventually(lambda: states(cluster.get("vmnet", "stays")) == {"many-a": "Active", "many-b": "Active"})
    assert hypervisors["many-b"].networks.by_name("stays").uuid == number
    cluster.kubectl("delete", "vmnet", "stays", "--timeout=30s")
