"""Storage pools on a cluster: gathered from the nodes that have them, each with what only it can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.operation.conftest import eventually
from tests.operation.nodes import NODES, executors, hypervisors, libvirtds, ready, states

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.operation.conftest import Cluster

__all__ = ["executors", "hypervisors", "libvirtds"]


def pool(name: str, path: Path, **spec: Any) -> dict[str, Any]:
    """Return a pool of files for both nodes."""
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineStoragePool",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeNames": list(NODES),
            "pool": {"name": name, "type": "dir", "target": {"path": str(path)}},
            **spec,
        },
    }


@pytest.mark.usefixtures("executors")
def test_a_pool_is_on_its_nodes_and_its_room_is_gathered(
    cluster: Cluster, hypervisors: dict[str, Hypervisor], tmp_path: Path
) -> None:
    cluster.apply(pool("own", tmp_path / "own"), pool("shared", tmp_path / "shared", shared=True))
    for name in ("own", "shared"):
        cluster.kubectl("wait", f"vmpool/{name}", "--for=condition=Ready", "--timeout=30s")
    own, shared = cluster.get("vmpool", "own")["status"], cluster.get("vmpool", "shared")["status"]
    assert own["nodesReady"] == shared["nodesReady"] == 2
    assert "executorNode" not in own
    assert shared["executorNode"] in NODES
    capacities = {each["capacity"] for each in own["nodes"]}
    # One file system is behind both here: once what both say, and once what one says.
    assert len(capacities) == 1
    assert shared["capacity"] in capacities
    assert own["capacity"] not in capacities
    (tmp_path / "own" / "data").write_text("precious")
    cluster.kubectl("delete", "vmpool", "own", "shared", "--timeout=30s")
    for each in hypervisors.values():
        assert {found.name for found in each.pools.all()}.isdisjoint({"own", "shared"})
    assert (tmp_path / "own" / "data").read_text() == "precious"


@pytest.mark.usefixtures("executors")
def test_a_pool_that_fails_on_one_node_says_which_and_why(
    cluster: Cluster, hypervisors: dict[str, Hypervisor], tmp_path: Path
) -> None:
    there = f"<pool type='dir'><name>theirs</name><target><path>{tmp_path}/theirs</path></target></pool>"
    hypervisors["many-b"].pools.define(there)
    cluster.apply(pool("theirs", tmp_path / "ours"))
    # The two nodes say so each in its own time.
    eventually(lambda: states(cluster.find("vmpool", "theirs")) == {"many-a": "Active", "many-b": "Failed"})
    said = "many-b: virtualmachinestoragepool/theirs: theirs is here, is not managed"
    eventually(lambda: said in ready(cluster.get("vmpool", "theirs"))["message"])
    assert ready(cluster.get("vmpool", "theirs"))["reason"] == "Failed"
    # As soon as it is out of the way, all is well.
    hypervisors["many-b"].pools.by_name("theirs").undefine()
    cluster.kubectl("wait", "vmpool/theirs", "--for=condition=Ready", "--timeout=30s")
    cluster.kubectl("delete", "vmpool", "theirs", "--timeout=30s")
