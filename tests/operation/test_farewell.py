"""KubeVMM is taken out of a cluster though nodes are down: all objects go, by rights that outlive what is deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from controller import farewell
from tests.harness.controlplane import ControlPlane
from tests.harness.credentials import kubeconfig
from tests.operation.conftest import ROOT, Cluster, eventually
from tests.operation.test_guests import guest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.operation.conftest import Daemon

LOST = 200
HELD = {"finalizers": ["kubevmm.io/executor"]}
CONTROLLER = "system:serviceaccount:kubevmm-system:kubevmm-controller"


@pytest.fixture
def installed(cluster_binaries: Path, tmp_path: Path) -> Iterator[Cluster]:
    """Yield an API server with all of yamls/, which no Pod of ours runs in."""
    with ControlPlane(tmp_path / "plane", binaries=cluster_binaries) as plane:
        plane.kubectl("apply", "-f", str(ROOT / "yamls"))
        # No controller of Kubernetes' own runs here.
        plane.kubectl("create", "serviceaccount", "default")
        made = Cluster(plane, tmp_path)
        yield made
        made.stop()


@pytest.fixture
def controller(installed: Cluster) -> Daemon:
    """Start a controller that may do what its Pod may, and wait until it has all that it needs."""
    plane = installed.control_plane
    token = installed.kubectl("create", "token", "kubevmm-controller", "-n", "kubevmm-system").strip()
    config = installed.folder / "controller.kubeconfig"
    config.write_text(json.dumps(kubeconfig(url=plane.url, token=token, ca=plane.ca_file.read_bytes())))
    started = installed.controller(KUBECONFIG=str(config))
    found = ("get", "serviceaccount", farewell.NAME, "-n", farewell.HOME)
    eventually(lambda: plane.kubectl(*found, check=False).returncode == 0, started.log.read_text)
    return started


def lost() -> list[dict[str, Any]]:
    """Return what an executor has taken on that does not live any more."""
    halted = guest("lost", nodeName="gone", runStrategy="Halted")
    disk = {"poolRef": {"name": "fast"}, "nodeName": "gone"}
    others = {"VirtualMachineDisk": disk, "VirtualMachineSnapshot": {"virtualMachineRef": {"name": "lost-1"}}}
    return [{**halted, "metadata": {"name": f"lost-{number}", **HELD}} for number in range(LOST)] + [
        {"apiVersion": halted["apiVersion"], "kind": kind, "metadata": {"name": "lost", **HELD}, "spec": spec}
        for kind, spec in others.items()
    ]


def test_all_goes_though_nobody_is_left_who_may_let_it_go(installed: Cluster, controller: Daemon) -> None:
    plane = installed.control_plane
    # One that waits for a node has a Pod that keeps its room.
    waiting = guest("waiting", nodeName=None)
    installed.apply(waiting)
    eventually(lambda: "waiting" in installed.kubectl("get", "pods", "-o", "name"), controller.log.read_text)
    installed.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": lost()}))
    installed.kubectl("delete", "-f", str(ROOT / "yamls"), "--wait=false")
    mine = ("auth", "can-i", "patch", "virtualmachines.kubevmm.io", f"--as={CONTROLLER}")
    eventually(lambda: plane.kubectl(*mine, check=False).stdout.strip() == "no")
    # As the kubelet tells it, since the namespace goes.
    assert controller.stop() == 0, controller.log.read_text()
    eventually(lambda: "kubevmm.io" not in installed.kubectl("get", "crd", "-o", "name"), controller.log.read_text)
    assert installed.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.finalizers}") == ""
    # Without a garbage collector nobody takes away what goes with the namespace; it says that it does.
    owners = "jsonpath={.metadata.ownerReferences[*].name}"
    for each in ("clusterrole", "clusterrolebinding", f"serviceaccount -n {farewell.HOME}"):
        kind, *where = each.split()
        assert installed.kubectl("get", kind, farewell.NAME, *where, "-o", owners) == "kubevmm-system"


def test_a_controller_that_is_replaced_lets_go_of_nothing_and_gives_nobody_rights(
    installed: Cluster, controller: Daemon
) -> None:
    installed.kubectl("create", "-f", "-", stdin=json.dumps(lost()[-1]))
    installed.kubectl("delete", "vmsnapshot", "lost", "--wait=false")
    assert controller.stop() == 0, controller.log.read_text()
    assert installed.get("vmsnapshot", "lost")["metadata"]["finalizers"] == HELD["finalizers"]

    def may(who: str, *what: str) -> bool:
        answer = installed.control_plane.kubectl("auth", "can-i", *what, f"--as={who}", check=False)
        return answer.stdout.strip() == "yes"

    account = f"system:serviceaccount:{farewell.HOME}:{farewell.NAME}"
    assert may(account, "patch", "virtualmachines.kubevmm.io")
    for refused in (("delete", "virtualmachines.kubevmm.io"), ("get", "secrets"), ("create", "pods"), ("get", "nodes")):
        assert not may(account, *refused), refused
    assert may(CONTROLLER, "patch", f"clusterrolebindings/{farewell.NAME}")
    assert not may(CONTROLLER, "patch", "clusterrolebindings/any")
    assert not may(CONTROLLER, "create", "serviceaccounts/any", "-n", farewell.HOME)
    assert not may(CONTROLLER, "escalate", f"clusterroles/{farewell.NAME}")
