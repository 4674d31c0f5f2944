"""Networks on a cluster: on the nodes that they select, gathered in their status, and gone when they are deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.operation.conftest import eventually
from tests.operation.nodes import NODES, die, executors, hypervisors, libvirtds, ready, states
from tests.operation.test_guests import guest

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor
    from tests.operation.conftest import Cluster, Daemon

__all__ = ["executors", "hypervisors", "libvirtds"]


def network(name: str, **spec: Any) -> dict[str, Any]:
    """Return a network for both nodes; on a bridge that is none of libvirt's, since the libvirts have one host."""
    bridged = {"name": name, "forward": {"mode": "bridge"}, "bridge": {"name": f"br-{name}"[:15]}}
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineNetwork",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeNames": list(NODES), "network": bridged, **spec},
    }


def names(hypervisor: Hypervisor) -> set[str]:
    return {each.name for each in hypervisor.networks.all()}


@pytest.mark.usefixtures("executors")
def test_a_network_comes_to_the_nodes_that_it_selects_and_goes_again(
    cluster: Cluster, hypervisors: dict[str, Hypervisor]
) -> None:
    cluster.kubectl("label", "vmnode", "many-a", "rack=one", "--overwrite")
    cluster.apply(network("lan"), network("rack", nodeNames=None, nodeSelector={"rack": "one"}))
    for name, nodes in (("lan", {"many-a", "many-b"}), ("rack", {"many-a"})):
        cluster.kubectl("wait", f"vmnet/{name}", "--for=condition=Ready", "--timeout=30s")
        status = cluster.get("vmnet", name)["status"]
        assert (status["nodesDesired"], status["nodesReady"]) == (len(nodes), len(nodes))
        assert states({"status": status}) == dict.fromkeys(nodes, "Active")
        assert {node for node, each in hypervisors.items() if name in names(each)} == nodes
    version = cluster.get("vmnet", "lan")["metadata"]["resourceVersion"]
    # Off the first, and on to the other.
    cluster.kubectl(
        "patch", "vmnet", "rack", "--type=merge", "-p", '{"spec":{"nodeSelector":null,"nodeNames":["many-b"]}}'
    )
    eventually(
        lambda: states(cluster.get("vmnet", "rack")) == {"many-b": "Active"}, lambda: cluster.get("vmnet", "rack")
    )
    assert "rack" not in names(hypervisors["many-a"])
    assert cluster.get("vmnet", "lan")["metadata"]["resourceVersion"] == version, "nothing to do, and written"
    cluster.kubectl("delete", "vmnet", "lan", "rack", "--timeout=30s")
    assert all(names(each).isdisjoint({"lan", "rack"}) for each in hypervisors.values())


@pytest.mark.usefixtures("executors")
def test_a_network_that_fails_on_one_node_says_which_and_why(
    cluster: Cluster, hypervisors: dict[str, Hypervisor]
) -> None:
    there = "<network><name>theirs</name><forward mode='bridge'/><bridge name='br-other'/></network>"
    hypervisors["many-b"].networks.define(there)
    cluster.apply(network("theirs"))
    # The two nodes say so each in its own time.
    eventually(lambda: states(cluster.find("vmnet", "theirs")) == {"many-a": "Active", "many-b": "Failed"})
    eventually(lambda: cluster.get("vmnet", "theirs")["status"]["nodesReady"] == 1)
    found = cluster.get("vmnet", "theirs")
    assert ready(found)["reason"] == "Failed"
    assert ready(found)["message"].startswith("many-b: virtualmachinenetwork/theirs: theirs is here, is not managed")
    assert (found["status"]["nodesDesired"], found["status"]["nodesReady"]) == (2, 1)
    cluster.kubectl("delete", "vmnet", "theirs", "--timeout=30s")
    # What was never ours stays.
    assert "theirs" in names(hypervisors["many-b"])
    hypervisors["many-b"].networks.by_name("theirs").undefine()


@pytest.mark.usefixtures("executors")
def test_a_network_that_is_used_waits_with_its_end(cluster: Cluster, hypervisors: dict[str, Hypervisor]) -> None:
    cluster.apply(network("used", nodeNames=["many-a"]))
    cluster.kubectl("wait", "vmnet/used", "--for=condition=Ready", "--timeout=30s")
    user = guest("user", nodeName="many-a", runStrategy="Halted")
    user["spec"]["domain"]["devices"]["interfaces"] = [{"type": "network", "source": {"networkRef": {"name": "used"}}}]
    cluster.apply(user)
    eventually(lambda: cluster.find("vm", "user").get("status", {}).get("created") is True)
    cluster.kubectl("delete", "vmnet", "used", "--wait=false")
    eventually(lambda: "virtualmachine/user in default uses it" in ready(cluster.find("vmnet", "used"))["message"])
    assert "used" in names(hypervisors["many-a"])
    cluster.kubectl("delete", "vm", "user", "--timeout=60s")
    cluster.kubectl("wait", "vmnet/used", "--for=delete", "--timeout=30s")
    assert "used" not in names(hypervisors["many-a"])


@pytest.mark.usefixtures("executors")
def test_a_guest_waits_for_a_network_that_is_no_object_yet(
    cluster: Cluster, hypervisors: dict[str, Hypervisor]
) -> None:
    # What libvirt has by that name is not for whoever guesses it.
    bare = "<network><name>later</name><forward mode='bridge'/><bridge name='br-later'/></network>"
    hypervisors["many-a"].networks.define(bare)
    user = guest("patient", nodeName="many-a", runStrategy="Halted")
    user["spec"]["domain"]["devices"]["interfaces"] = [{"type": "network", "source": {"networkRef": {"name": "later"}}}]
    cluster.apply(user)
    waits = "waits for virtualmachinenetwork/later: there is none on the node many-a"
    eventually(lambda: waits in str(cluster.find("vm", "patient").get("status", {}).get("conditions")))
    assert not cluster.find("vm", "patient")["status"].get("created")
    hypervisors["many-a"].networks.by_name("later").undefine()
    cluster.apply(network("later", nodeNames=["many-a"]))
    eventually(lambda: cluster.find("vm", "patient").get("status", {}).get("created") is True)
    cluster.kubectl("delete", "vm", "patient", "--timeout=60s")
    cluster.kubectl("delete", "vmnet", "later", "--timeout=60s")


def test_a_dead_node_holds_a_deletion_and_says_so_and_cleans_up_when_it_is_back(
    cluster: Cluster, executors: dict[str, Daemon], hypervisors: dict[str, Hypervisor]
) -> None:
    cluster.apply(network("held"), network("given-up"), network("kept", deletionPolicy="Retain"))
    for name in ("held", "given-up", "kept"):
        cluster.kubectl("wait", f"vmnet/{name}", "--for=condition=Ready", "--timeout=30s")
    die(cluster, "many-b", executors["many-b"])
    eventually(lambda: "many-b: its executor does not report" in ready(cluster.find("vmnet", "held"))["message"])
    cluster.kubectl("delete", "vmnet", "held", "kept", "--wait=false")
    eventually(lambda: states(cluster.find("vmnet", "held")) == {"many-b": "Active"})
    eventually(lambda: "delete the VirtualMachineNode many-b" in ready(cluster.find("vmnet", "held"))["message"])
    executors["many-b"].start()
    cluster.kubectl("wait", "vmnet/held", "vmnet/kept", "--for=delete", "--timeout=60s")
    assert "held" not in names(hypervisors["many-b"])
    for each in hypervisors.values():
        each.networks.by_name("kept").destroy()
        each.networks.by_name("kept").undefine()
    # Nobody waits for a node that somebody took away for good.
    eventually(lambda: ready(cluster.find("vmnode", "many-b"))["status"] == "True")
    die(cluster, "many-b", executors["many-b"])
    cluster.kubectl("delete", "vmnet", "given-up", "--wait=false")
    cluster.kubectl("delete", "vmnode", "many-b")
    cluster.kubectl("wait", "vmnet/given-up", "--for=delete", "--timeout=60s")
    assert "given-up" in names(hypervisors["many-b"])
    hypervisors["many-b"].networks.by_name("given-up").destroy()
    hypervisors["many-b"].networks.by_name("given-up").undefine()
