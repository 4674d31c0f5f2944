"""Networks on a cluster: on the nodes that they select, gathered in their status, and gone when they are deleted."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.libvirtd import Libvirtd
from tests.operation.conftest import eventually
from tests.operation.test_guests import guest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.operation.conftest import Cluster, Daemon

NODES = ("net-a", "net-b")


@pytest.fixture(scope="module")
def libvirtds(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Libvirtd]]:
    """Yield a libvirt for each of two nodes."""
    with Libvirtd(tmp_path_factory.mktemp("libvirtd-b")) as other:
        yield dict(zip(NODES, (libvirtd, other), strict=True))


@pytest.fixture
def hypervisors(libvirtds: dict[str, Libvirtd]) -> Iterator[dict[str, Hypervisor]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(Hypervisor(each.uri)) for name, each in libvirtds.items()}


@pytest.fixture
def executors(cluster: Cluster, libvirtds: dict[str, Libvirtd]) -> dict[str, Daemon]:
    """Start a controller, and an executor for each node."""
    cluster.controller()
    started = {name: cluster.executor(name, each) for name, each in libvirtds.items()}
    for name in NODES:
        eventually(lambda name=name: ready(cluster.find("vmnode", name))["status"] == "True")
    return started


def network(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineNetwork",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeNames": list(NODES), "network": {"name": name}, **spec},
    }


def ready(found: dict[str, Any]) -> dict[str, str]:
    """Return the condition Ready of an object; one without a status where there is none yet."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == "Ready"), {"status": "", "message": ""})


def states(found: dict[str, Any]) -> dict[str, str | None]:
    return {each["nodeName"]: each.get("state") for each in (found.get("status") or {}).get("nodes") or ()}


def names(hypervisor: Hypervisor) -> set[str]:
    return {each.name for each in hypervisor.networks.all()}


@pytest.mark.usefixtures("executors")
def test_a_network_comes_to_the_nodes_that_it_selects_and_goes_again(
    cluster: Cluster, hypervisors: dict[str, Hypervisor]
) -> None:
    cluster.kubectl("label", "vmnode", "net-a", "rack=one", "--overwrite")
    cluster.apply(network("lan"), network("rack", nodeNames=None, nodeSelector={"rack": "one"}))
    for name, nodes in (("lan", {"net-a", "net-b"}), ("rack", {"net-a"})):
        cluster.kubectl("wait", f"vmnet/{name}", "--for=condition=Ready", "--timeout=30s")
        status = cluster.get("vmnet", name)["status"]
        assert (status["nodesDesired"], status["nodesReady"]) == (len(nodes), len(nodes))
        assert states({"status": status}) == dict.fromkeys(nodes, "Active")
        assert {node for node, each in hypervisors.items() if name in names(each)} == nodes
    version = cluster.get("vmnet", "lan")["metadata"]["resourceVersion"]
    # Off the first, and on to the other.
    cluster.kubectl(
        "patch", "vmnet", "rack", "--type=merge", "-p", '{"spec":{"nodeSelector":null,"nodeNames":["net-b"]}}'
    )
    eventually(
        lambda: states(cluster.get("vmnet", "rack")) == {"net-b": "Active"}, lambda: cluster.get("vmnet", "rack")
    )
    assert "rack" not in names(hypervisors["net-a"])
    assert cluster.get("vmnet", "lan")["metadata"]["resourceVersion"] == version, "nothing to do, and written"
    cluster.kubectl("delete", "vmnet", "lan", "rack", "--timeout=30s")
    assert all(names(each).isdisjoint({"lan", "rack"}) for each in hypervisors.values())
