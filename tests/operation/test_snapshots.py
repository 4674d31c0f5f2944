"""Snapshots on a cluster: taken once by the executor of the guest's node, and deleted with their object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.snapshots import Snapshots
from tests.operation.conftest import eventually
from tests.operation.nodes import condition, executors, hypervisors, libvirtds, ready
from tests.operation.test_disks import disk, guest_with
from tests.operation.test_guests import domains
from tests.operation.test_pools import pool

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.operation.conftest import Cluster

__all__ = ["executors", "hypervisors", "libvirtds"]


def snapshot(name: str, guest: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineSnapshot",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"virtualMachineRef": {"name": guest}, **spec},
    }


def names(hypervisor: Hypervisor, guest: str) -> set[str]:
    return {each.name for each in Snapshots(domains(hypervisor)[guest]).all()}


@pytest.mark.usefixtures("executors")
def test_a_snapshot_is_taken_on_the_node_of_its_guest(
    cluster: Cluster, hypervisors: dict[str, Hypervisor], tmp_path: Path
) -> None:
    cluster.apply(snapshot("early", "shown"))
    eventually(lambda: condition(cluster.find("vmsnapshot", "early"), "Bound")["reason"] == "GuestNotFound")
    assert cluster.get("vmsnapshot", "early")["status"]["phase"] == "Pending"
    cluster.apply(
        pool("there", tmp_path / "there", nodeNames=["many-b"]),
        disk("shown", "there", volume={"target": {"format": {"type": "qcow2"}}}),
        guest_with("shown", "shown", "many-b"),
        snapshot("kept", "shown", deletionPolicy="Retain"),
    )
    for name in ("early", "kept"):
        cluster.kubectl("wait", f"vmsnapshot/{name}", "--for=condition=Ready", "--timeout=60s")
    found = cluster.get("vmsnapshot", "early")
    assert found["status"]["nodeName"] == "many-b"
    assert (found["status"]["phase"], found["status"]["readyToUse"]) == ("Ready", True)
    assert found["status"]["domainUuid"] == cluster.get("vm", "shown")["metadata"]["uid"]
    assert names(hypervisors["many-b"], "default_shown") == {"early", "kept"}
    cluster.kubectl("delete", "vmsnapshot", "early", "kept", "--timeout=60s")
    assert names(hypervisors["many-b"], "default_shown") == {"kept"}
    cluster.apply(snapshot("again", "shown"))
    cluster.kubectl("wait", "vmsnapshot/again", "--for=condition=Ready", "--timeout=60s")
    # All at once, in whichever order.
    cluster.kubectl("delete", "vm,vmsnapshot,vmdisk,vmpool", "--all", "--timeout=60s")
    assert "default_shown" not in domains(hypervisors["many-b"])
    assert not (tmp_path / "there" / "shown").exists()


@pytest.mark.usefixtures("executors")
def test_a_snapshot_that_is_gone_is_not_taken_again(
    cluster: Cluster, hypervisors: dict[str, Hypervisor], tmp_path: Path
) -> None:
    cluster.apply(
        pool("there", tmp_path / "there", nodeNames=["many-a"]),
        disk("lost", "there", volume={"target": {"format": {"type": "qcow2"}}}),
        guest_with("lost", "lost", "many-a"),
        snapshot("lost", "lost"),
    )
    cluster.kubectl("wait", "vmsnapshot/lost", "--for=condition=Ready", "--timeout=60s")
    Snapshots(domains(hypervisors["many-a"])["default_lost"]).by_name("lost").delete()
    cluster.kubectl("annotate", "vmsnapshot", "lost", "look=again")
    eventually(lambda: ready(cluster.find("vmsnapshot", "lost"))["reason"] == "Gone")
    assert cluster.get("vmsnapshot", "lost")["status"]["readyToUse"] is False
    assert names(hypervisors["many-a"], "default_lost") == set()
    cluster.kubectl("delete", "vm,vmsnapshot,vmdisk,vmpool", "--all", "--timeout=60s")
