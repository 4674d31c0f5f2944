"""A guest's life on a cluster: applied with kubectl, run by its node's executor, deleted with kubectl."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.handle import Affect
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
            "controllers": [
                {"type": "pci", "model": "pcie-root"},
                *({"type": "pci", "index": n, "model": "pcie-root-port"} for n in range(1, 7)),
            ],
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


def run_of(hypervisor: Hypervisor, name: str) -> tuple[str, int]:
    """Return what tells one run of a guest from another: its UUID, and its number."""
    domain = domains(hypervisor)[name]
    return domain.uuid, int(domain.raw.ID())


def running(cluster: Cluster, name: str, **spec: Any) -> None:
    """Apply a guest and wait until it runs."""
    cluster.apply(guest(name, **spec))
    eventually(lambda: status(cluster, name).get("printableStatus") == "Running", lambda: cluster.get("vm", name))


def test_a_guest_is_applied_runs_and_goes(cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    running(cluster, "web")
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


def test_a_change_reaches_the_guest_as_it_runs_or_says_that_it_waits(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor
) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    running(cluster, "live")
    before = run_of(hypervisor, "default_live")
    rng = {"model": "virtio", "backend": {"model": "random", "value": "/dev/urandom"}}
    patch = {"spec": {"domain": {"title": "seen", "devices": {"rngs": [rng]}}}}
    cluster.kubectl("patch", "vm", "live", "--type", "merge", "-p", json.dumps(patch))
    eventually(lambda: "<rng" in domains(hypervisor)["default_live"].xml(), lambda: status(cluster, "live"))
    assert "<title>seen</title>" in domains(hypervisor)["default_live"].xml()
    cluster.kubectl("patch", "vm", "live", "--type", "merge", "-p", '{"spec":{"domain":{"memory":"96Mi"}}}')
    eventually(lambda: bool(status(cluster, "live").get("restartRequired")), lambda: status(cluster, "live"))
    assert "memory" in status(cluster, "live")["pendingChanges"]
    assert run_of(hypervisor, "default_live") == before
    cluster.kubectl("delete", "vm", "live", "--timeout=60s")


def test_what_is_changed_behind_our_back_is_repaired_or_reported(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor
) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    for name, policy in (("repaired", "Repair"), ("reported", "Report")):
        spec = guest(name, driftPolicy=policy)
        spec["spec"]["domain"]["title"] = "ours"
        cluster.apply(spec)
    for name in ("repaired", "reported"):
        eventually(lambda name=name: status(cluster, name).get("printableStatus") == "Running")
        domains(hypervisor)[f"default_{name}"].set_title("theirs", Affect.LIVE | Affect.CONFIG)
    eventually(lambda: "<title>ours</title>" in domains(hypervisor)["default_repaired"].xml())
    eventually(lambda: "title" in (status(cluster, "reported").get("drift") or ()), lambda: status(cluster, "reported"))
    assert "<title>theirs</title>" in domains(hypervisor)["default_reported"].xml()
    for name in ("repaired", "reported"):
        cluster.kubectl("delete", "vm", name, "--timeout=60s")


@pytest.mark.parametrize(
    ("spec", "how"), [({"deletionPolicy": "Retain"}, ()), ({}, ("--cascade=orphan",))], ids=["Retain", "orphan"]
)
def test_a_guest_that_is_let_go_runs_on_and_is_adopted_again(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor, spec: dict[str, Any], how: tuple[str, ...]
) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    running(cluster, "kept", **spec)
    before = run_of(hypervisor, "default_kept")
    cluster.kubectl("delete", "vm", "kept", *how, "--wait=false")
    # No garbage collector runs here: we are it.
    if how:
        eventually(lambda: "kubevmm" not in domains(hypervisor)["default_kept"].xml())
        cluster.kubectl("patch", "vm", "kept", "--type", "merge", "-p", '{"metadata":{"finalizers":null}}')
    cluster.kubectl("wait", "vm/kept", "--for=delete", "--timeout=30s")
    assert run_of(hypervisor, "default_kept") == before
    assert "kubevmm" not in domains(hypervisor)["default_kept"].xml()
    again = guest("kept")
    again["spec"]["domain"] |= {"uuid": before[0]}
    cluster.apply(again)
    eventually(lambda: status(cluster, "kept").get("ready") is True, lambda: status(cluster, "kept"))
    assert run_of(hypervisor, "default_kept") == before
    cluster.kubectl("delete", "vm", "kept", "--timeout=60s")


def test_guests_run_on_while_executor_and_api_server_are_killed(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor
) -> None:
    cluster.controller()
    executor = cluster.executor(NODE, libvirtd)
    running(cluster, "steady")
    before = run_of(hypervisor, "default_steady")
    executor.kill()
    cluster.kubectl("patch", "vm", "steady", "--type", "merge", "-p", '{"spec":{"domain":{"title":"meanwhile"}}}')
    executor.start()
    eventually(lambda: "<title>meanwhile</title>" in domains(hypervisor)["default_steady"].xml())
    cluster.control_plane.restart("kube-apiserver")
    cluster.kubectl("patch", "vm", "steady", "--type", "merge", "-p", '{"spec":{"domain":{"title":"afterwards"}}}')
    eventually(lambda: "<title>afterwards</title>" in domains(hypervisor)["default_steady"].xml())
    assert run_of(hypervisor, "default_steady") == before
    cluster.kubectl("delete", "vm", "steady", "--timeout=60s")


def test_an_executor_that_starts_without_an_api_server_keeps_its_guests(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor
) -> None:
    cluster.controller()
    executor = cluster.executor(NODE, libvirtd)
    running(cluster, "alone")
    executor.kill()
    cluster.control_plane.kill("kube-apiserver")
    domains(hypervisor)["default_alone"].destroy()
    executor.start()
    # As it was applied last: always running.
    eventually(lambda: domains(hypervisor)["default_alone"].active)
    cluster.control_plane.revive("kube-apiserver")
    eventually(lambda: status(cluster, "alone").get("ready") is True, lambda: status(cluster, "alone"))
    cluster.kubectl("delete", "vm", "alone", "--timeout=60s")


def test_the_addresses_of_a_guest_are_in_its_status(cluster: Cluster) -> None:
    # libvirt's test driver gives the interfaces of its guests addresses.
    cluster.controller()
    cluster.daemon(
        "executor", "executor.cli", "executor", "--node", "pretended", "--connect", "test:///default",
        "--listen", "none", KUBEVMM_STATE=str(cluster.folder / "state"),
    )  # fmt: skip
    made = guest("reached", nodeName="pretended")
    made["spec"]["domain"] = {
        "type": "test",
        "memory": "64Mi",
        "vcpu": {"value": 1},
        "os": {"type": {"value": "hvm"}},
        "devices": {"interfaces": [{"type": "network", "source": {"network": "default"}}]},
    }
    cluster.apply(made)
    eventually(lambda: bool(status(cluster, "reached").get("interfaces")), lambda: status(cluster, "reached"))
    (found,) = status(cluster, "reached")["interfaces"]
    wide = cluster.kubectl("get", "vm", "reached", "-o", "wide")
    assert found["ipAddress"] in wide
    assert "pretended" in wide
    cluster.kubectl("delete", "vm", "reached", "--timeout=60s")
