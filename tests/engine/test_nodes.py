"""A node says what it is and has, in the words of its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from executor.engine import nodename, nodes
from executor.engine.listing import Query, listing
from schemas.api.virtualmachinenode import VirtualMachineNodeStatus
from tests.engine.objects import apply, vm

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.hypervisor import Hypervisor


def _status(hypervisor: Hypervisor) -> dict[str, Any]:
    (found,) = listing(hypervisor, Query("VirtualMachineNode", detail=True)).objects
    assert found["metadata"]["name"] == nodename.node_name(hypervisor)
    # A key that the schema does not have would be an error.
    msgspec.convert(found["status"], VirtualMachineNodeStatus)
    return dict(found["status"])


def test_a_node_tells_of_its_machine_guests_pools_and_networks(node: Hypervisor, write: Callable[..., str]) -> None:
    network = "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineNetwork\nmetadata: {name: lan}\n"
    apply(node, write("---\n".join([vm(spec="runStrategy: Always"), f"{network}spec: {{network: {{name: lan}}}}\n"])))
    found = _status(node)
    assert found["hypervisor"]["type"] == "TEST"
    assert found["domains"] == {"managed": 1, "unmanaged": 1, "running": 2}
    assert found["allocated"] == {"cpu": "2", "memory": "128Mi"}
    assert found["capacity"] == {"cpu": "16", "memory": "3Gi"}
    (pool,) = found["pools"]
    assert (pool["name"], pool["type"], pool["path"], pool["capacity"]) == ("images", "dir", "/images", "100Gi")
    networks = {each["name"]: each for each in found["networks"]}
    assert (networks["inner"]["mode"], networks["inner"]["bridge"]) == ("isolated", "virbr7")
    assert (networks["lan"]["objectName"], "objectName" in networks["inner"]) == ("lan", False)


@pytest.mark.libvirt
def test_a_node_tells_what_guests_qemu_can_run(qemu: Hypervisor) -> None:
    found = _status(qemu)
    guests = {guest["arch"]: guest for guest in found["guests"]}
    assert "qemu" in guests["x86_64"]["domainTypes"]
    assert {"pc", "q35"} <= set(guests["x86_64"]["machines"])
    assert found["cpu"]["usableModels"]
    assert [each["id"] for each in found["numa"]] == list(range(len(found["numa"])))
    assert found["numa"][0]["cpus"].startswith("0")
    assert found["allocatable"]["cpu"] == found["capacity"]["cpu"]


def test_a_list_of_nodes_asks_for_less(node: Hypervisor) -> None:
    (found,) = listing(node, Query("VirtualMachineNode")).objects
    assert found["status"]["allocatable"]["cpu"] == "16"
    assert "pools" not in found["status"]


@pytest.mark.parametrize(("numbers", "text"), [([0], "0"), ([0, 1, 2, 8, 10, 11], "0-2,8,10-11")])
def test_processors_are_told_in_ranges(numbers: list[int], text: str) -> None:
    assert nodes.ranges(numbers) == text
