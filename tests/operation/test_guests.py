"""A guest's life on a cluster: applied with kubectl, run by its node's executor, deleted with kubectl."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.operation.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.domain import Domain
    from tests.harness.libvirtd import Libvirtd
    from tests.operation.conftest import Cluster

NODE = "node-a"


def guest(name: str, **spec: Any) -> dict[str, Any]:
    """Return a guest that does nothing, on the node."""
    domain = {
        "type": "qemu",
        "memory": "64Mi",
        "vcpu": {"value": 1},
        "os": {"type": {"arch": "x86_64", "machine": "q35", "value": "hvm"}},
        "devices": {
            "controllers": [{"type": "pci", "model": "pcie-root"}, {"type": "pci", "model": "pcie-root-port"}],
        },
    }
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": NODE,
            "runStrategy": "Always",
            "terminationGracePeriodSeconds": 0,
            "domain": domain,
            **spec,
        },
    }


@pytest.fixture
def hypervisor(libvirtd: Libvirtd) -> Iterator[Hypervisor]:
    with Hypervisor(libvirtd.uri) as opened:
        yield opened


def domains(hypervisor: Hypervisor) -> dict[str, Domain]:
    return {summary.domain.name: summary.domain for summary in hypervisor.domains.summaries()}


def status(cluster: Cluster, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get("vm", name).get("status") or {}
    return found


def test_a_guest_is_applied_runs_and_goes(cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    cluster.apply(guest("web"))
    eventually(lambda: status(cluster, "web").get("printableStatus") == "Running", lambda: cluster.get("vm", "web"))
    domain = domains(hypervisor)["default_web"]
    assert domain.active
    assert domain.uuid == cluster.get("vm", "web")["metadata"]["uid"]
    assert status(cluster, "web")["nodeName"] == NODE
    cluster.kubectl("wait", "vm/web", "--for=condition=Ready", "--timeout=30s")
    cluster.kubectl("patch", "vm", "web", "--type", "merge", "-p", '{"spec":{"runStrategy":null,"running":false}}')
    # Nothing in it listens to a shutdown: it is asked, and that is seen.
    eventually(lambda: status(cluster, "web").get("printableStatus") == "Stopping", lambda: status(cluster, "web"))
    cluster.kubectl("delete", "vm", "web", "--timeout=60s")
    assert "default_web" not in domains(hypervisor)
