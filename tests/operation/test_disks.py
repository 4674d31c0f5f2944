"""Disks on a cluster: on the node of their pool or of their guest, or of all nodes; made, used, kept while they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.operation.conftest import eventually
from tests.operation.nodes import condition, executors, hypervisors, libvirtds, ready
from tests.operation.test_guests import guest
from tests.operation.test_pools import pool

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.operation.conftest import Cluster

__all__ = ["executors", "hypervisors", "libvirtds"]


def disk(name: str, pool_name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineDisk",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"poolRef": {"name": pool_name}, "capacity": "8Mi", **spec},
    }


def guest_with(name: str, disk_name: str, node: str) -> dict[str, Any]:
    made = guest(name, nodeName=node, runStrategy="Halted")
    made["spec"]["domain"]["devices"]["disks"] = [
        {"type": "volume", "source": {"diskRef": {"name": disk_name}}, "target": {"dev": "vda", "bus": "virtio"}}
    ]
    return made


def created(cluster: Cluster, name: str) -> bool:
    return cluster.find("vm", name).get("status", {}).get("created") is True


@pytest.mark.usefixtures("executors")
def test_a_disk_is_bound_to_the_node_of_its_pool_or_of_its_guest(cluster: Cluster, tmp_path: Path) -> None:
    cluster.apply(pool("one", tmp_path / "one", nodeNames=["many-a"]), pool("both", tmp_path / "both"))
    cluster.apply(disk("only", "one"), disk("follows", "both", volume={"target": {"format": {"type": "qcow2"}}}))
    cluster.apply(disk("nowhere", "missing"))
    cluster.kubectl("wait", "vmdisk/only", "--for=condition=Ready", "--timeout=30s")
    only = cluster.get("vmdisk", "only")
    assert only["status"]["nodeName"] == "many-a"
    assert condition(only, "Bound")["reason"] == "Bound"
    assert (tmp_path / "one" / "only").stat().st_size == 8 << 20
    eventually(lambda: condition(cluster.find("vmdisk", "follows"), "Bound")["reason"] == "WaitsForGuest")
    assert condition(cluster.find("vmdisk", "nowhere"), "Bound")["reason"] == "PoolNotFound"
    assert "nodeName" not in cluster.get("vmdisk", "follows")["status"]
    cluster.apply(guest_with("owner", "follows", "many-b"))
    eventually(lambda: created(cluster, "owner"), lambda: cluster.find("vm", "owner"))
    found = cluster.get("vmdisk", "follows")
    assert found["status"]["nodeName"] == "many-b"
    assert found["status"]["usedBy"] == [{"kind": "VirtualMachine", "name": "owner"}]
    # What a guest has is kept, and what the deletion waits for is said.
    cluster.kubectl("delete", "vmdisk", "follows", "--wait=false")
    eventually(lambda: "the guest default_owner has its volume" in str(cluster.find("vmdisk", "follows")["status"]))
    assert (tmp_path / "both" / "follows").exists()
    cluster.kubectl("delete", "vm", "owner", "--timeout=60s")
    cluster.kubectl("wait", "vmdisk/follows", "--for=delete", "--timeout=60s")
    assert not (tmp_path / "both" / "follows").exists()
    cluster.kubectl("delete", "vmdisk,vmpool", "--all", "--timeout=60s")
    assert not (tmp_path / "one" / "only").exists()


@pytest.mark.usefixtures("executors")
def test_a_guest_waits_for_its_disk_and_says_so(cluster: Cluster, tmp_path: Path) -> None:
    cluster.apply(guest_with("early", "late", "many-a"))
    eventually(
        lambda: "waits for virtualmachinedisk/late" in condition(cluster.find("vm", "early"), "Synchronized")["message"]
    )
    assert condition(cluster.find("vm", "early"), "Synchronized")["reason"] == "Waiting"
    assert not created(cluster, "early")
    cluster.apply(pool("local", tmp_path / "local"), disk("late", "local"))
    eventually(lambda: created(cluster, "early"), lambda: cluster.find("vm", "early"))
    assert cluster.get("vmdisk", "late")["status"]["nodeName"] == "many-a"
    cluster.kubectl("delete", "vm,vmdisk,vmpool", "--all", "--timeout=60s")


@pytest.mark.usefixtures("executors")
def test_a_disk_in_a_shared_pool_is_on_no_node_and_made_once(
    cluster: Cluster, hypervisors: dict[str, Hypervisor], tmp_path: Path
) -> None:
    cluster.apply(pool("shared", tmp_path / "shared", shared=True))
    cluster.apply(disk("anywhere", "shared", volume={"target": {"format": {"type": "qcow2"}}}))
    cluster.kubectl("wait", "vmdisk/anywhere", "--for=condition=Ready", "--timeout=30s")
    found = cluster.get("vmdisk", "anywhere")
    assert condition(found, "Bound")["reason"] == "SharedPool"
    assert "nodeName" not in found["status"]
    other = next(name for name in hypervisors if name != found["status"]["executorNode"])
    cluster.apply(guest_with("user", "anywhere", other))
    eventually(lambda: created(cluster, "user"), lambda: cluster.find("vm", "user"))
    (domain,) = (each.domain for each in hypervisors[other].domains.summaries())
    # The node that did not make it knows, too, what is in it.
    assert "type='qcow2'" in domain.xml()
    cluster.kubectl("delete", "vmdisk", "anywhere", "--wait=false")
    cluster.kubectl("delete", "vm", "user", "--timeout=60s")
    cluster.kubectl("wait", "vmdisk/anywhere", "--for=delete", "--timeout=60s")
    cluster.kubectl("delete", "vmpool", "shared", "--timeout=60s")


@pytest.mark.usefixtures("executors")
def test_a_disk_is_left_where_its_policy_says_so(cluster: Cluster, tmp_path: Path) -> None:
    cluster.apply(pool("keeps", tmp_path / "keeps", nodeNames=["many-a"]), disk("data", "keeps"))
    cluster.kubectl("wait", "vmdisk/data", "--for=condition=Ready", "--timeout=30s")
    # Said last, and it counts at once.
    cluster.kubectl("patch", "vmdisk", "data", "--type=merge", "-p", '{"spec":{"deletionPolicy":"Retain"}}')
    cluster.kubectl("delete", "vmdisk", "data", "--timeout=60s")
    assert (tmp_path / "keeps" / "data").exists()
    cluster.apply(disk("data", "keeps", deletionPolicy="Delete"))
    eventually(lambda: ready(cluster.find("vmdisk", "data"))["status"] == "True")
    cluster.kubectl("delete", "vmdisk", "data", "--timeout=60s")
    assert not (tmp_path / "keeps" / "data").exists()
    cluster.kubectl("delete", "vmpool", "keeps", "--timeout=60s")
