"""Quota holds for guests: nobody forges, shrinks or takes away Pods that keep their room, or leaves guests behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from controller import pods
from controller.cloning import clone
from tests.admission.api import Caller, RefusedError, manifest, path
from tests.admission.conftest import TENANT, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.controlplane import ControlPlane

PODS = f"/api/v1/namespaces/{TENANT}/pods"
RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{TENANT}"
GUEST = path("virtualmachines", TENANT, "kept")
POD = f"{PODS}/kept-placement"


@pytest.fixture(scope="module")
def controller(cluster: ControlPlane, admin: Caller) -> Caller:
    """Return the controller."""
    return Caller(cluster, token_of(admin, "kubevmm-controller", {}))


@pytest.fixture(scope="module", autouse=True)
def guest(cluster: ControlPlane, admin: Caller, controller: Caller) -> Iterator[dict[str, Any]]:
    """Keep a guest with its Pod, and let the owner do to Pods what the built-in roles let one."""
    rules = [
        {"apiGroups": [""], "resources": ["pods", "pods/eviction", "pods/resize"], "verbs": ["*"]},
    ]
    admin.create(f"{RBAC}/roles", {"metadata": {"name": "pods"}, "rules": rules})
    cluster.kubectl("create", "rolebinding", "pods", "-n", TENANT, "--role=pods", "--user=owner")
    cluster.kubectl("create", "serviceaccount", "default", "-n", TENANT)
    spec = {"runStrategy": "Always", "domain": {"type": "kvm", "memory": "1Gi"}}
    admin.create(path("virtualmachines", TENANT), manifest("VirtualMachine", "kept", TENANT, spec=spec))
    admin.merge(GUEST, {"metadata": {"finalizers": ["kubevmm.io/executor"]}})
    made: dict[str, Any] = admin.get(GUEST)
    controller.create(PODS, pods.pod(made))
    yield made
    admin.merge(POD, {"metadata": {"finalizers": None}})
    admin.delete(POD)
    admin.merge(GUEST, {"metadata": {"finalizers": None}})
    admin.delete(GUEST)


def _forged(guest: dict[str, Any]) -> dict[str, Any]:
    """Return a Pod that would pass for the guest's, on a node of the tenant's choice, and asks for nothing."""
    body = pods.pod({**guest, "metadata": {**guest["metadata"], "name": "other"}})
    body["spec"]["nodeName"] = "node-1"
    body["spec"]["containers"][0].pop("resources")
    return body


EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "kept-placement", "namespace": TENANT}}


@pytest.mark.parametrize(
    ("method", "where", "body", "said"),
    [
        ("merge", POD, {"metadata": {"finalizers": None}}, "keeps the room of the guest kept, and follows it"),
        (
            "merge",
            POD,
            {"metadata": {"labels": {pods.LABEL: None}}},
            "keeps the room of the guest kept, and follows it",
        ),
        ("merge", POD, {"metadata": {"ownerReferences": None}}, "keeps the room of the guest kept, and follows it"),
        ("delete", POD, None, "stop that instead (kubectl virt stop kept)"),
        ("delete", PODS, None, "stop that instead (kubectl virt stop kept)"),
        ("create", f"{POD}/eviction", EVICTION, "keeps the room of a guest: stop that instead"),
        ("merge", GUEST, {"metadata": {"finalizers": None}}, "neither is set or taken away here"),
        ("merge", GUEST, {"metadata": {"finalizers": ["kubevmm.io/executor", "orphan"]}}, "neither is set"),
        ("delete", f"{GUEST}?propagationPolicy=Orphan", None, "would stay on its node as nobody's"),
        ("delete", f"{GUEST}?orphanDependents=true", None, "would stay on its node as nobody's"),
    ],
)
def test_a_tenant_does_not_get_room_that_is_in_no_quota(
    owner: Caller, method: str, where: str, body: dict[str, Any] | None, said: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        getattr(owner, method)(*([where] if body is None else [where, body]))
    assert refused.value.code == 403
    assert said in str(refused.value)


def test_a_tenant_shrinks_no_placement(owner: Caller, admin: Caller) -> None:
    pod = admin.get(POD)
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "1m"
    with pytest.raises(RefusedError, match="keeps the room of the guest kept, and follows it"):
        owner.put(f"{POD}/resize", pod)
    admin.send("PUT", f"{POD}/resize?dryRun=All", pod)


def test_a_tenant_forges_no_placement(owner: Caller, guest: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="which KubeVMM's controller makes"):
        owner.create(PODS, _forged(guest), dry_run=True)
    plain = _forged(guest)
    plain["metadata"]["labels"] = {}
    made = owner.create(PODS, plain)
    # Nor of a Pod of its own: without the label the controller does not know it.
    with pytest.raises(RefusedError, match="follows it"):
        owner.merge(f"{PODS}/{made['metadata']['name']}", {"metadata": {"labels": {pods.LABEL: "kept"}}})
    owner.merge(f"{PODS}/{made['metadata']['name']}", {"metadata": {"finalizers": None, "labels": {"app": "mine"}}})
    owner.delete(f"{PODS}/{made['metadata']['name']}?gracePeriodSeconds=0")


def test_what_else_tenants_do_to_their_guests_and_pods_they_may(owner: Caller) -> None:
    owner.merge(POD, {"metadata": {"annotations": {"note": "mine"}}})
    owner.merge(GUEST, {"metadata": {"finalizers": ["kubevmm.io/executor", "example.org/backup"]}})
    owner.merge(GUEST, {"metadata": {"finalizers": ["kubevmm.io/executor"]}})
    owner.send("DELETE", f"{GUEST}?dryRun=All")


def test_whoever_runs_the_nodes_drains_them(admin: Caller, operator: Caller) -> None:
    admin.create(f"{POD}/eviction", EVICTION, dry_run=True)
    admin.send("DELETE", f"{POD}?dryRun=All")
    operator.send("DELETE", f"{GUEST}?dryRun=All&propagationPolicy=Orphan")


def test_only_those_who_may_make_guests_and_disks_have_a_guest_cloned(
    cluster: ControlPlane, admin: Caller, owner: Caller
) -> None:
    spec = {"type": "Clone", "virtualMachineRef": {"name": "kept"}, "clone": {"target": "copy"}}
    body = manifest("VirtualMachineOperation", "copying", TENANT, spec=spec)
    where = path("virtualmachineoperations", TENANT)
    owner.create(where, body, dry_run=True)
    rule = {"apiGroups": ["kubevmm.io"], "resources": ["virtualmachineoperations"], "verbs": ["create"]}
    admin.create(f"{RBAC}/roles", {"metadata": {"name": "operators"}, "rules": [rule]})
    cluster.kubectl("create", "rolebinding", "operators", "-n", TENANT, "--role=operators", "--user=nobody")
    nobody = Caller(cluster, cluster.tokens["nobody"])
    try:
        with pytest.raises(RefusedError, match="whoever asks for one must be allowed to make those"):
            nobody.create(where, body, dry_run=True)
        restart = {"type": "Restart", "virtualMachineRef": {"name": "kept"}}
        nobody.create(where, manifest("VirtualMachineOperation", "again", TENANT, spec=restart), dry_run=True)
    finally:
        admin.delete(f"{RBAC}/rolebindings/operators")
        admin.delete(f"{RBAC}/roles/operators")


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ({"disks": [{"source": {"diskRef": {"name": "root"}}, "target": {"dev": "vda"}}]}, ""),
        ({"interfaces": [{"type": "bridge", "source": {"bridge": "br0"}}]}, "type: bridge"),
        ({"hostdevs": [{"type": "pci", "mode": "subsystem"}]}, "hostdevs"),
    ],
)
def test_a_clone_is_held_to_what_a_tenant_may_have(controller: Caller, devices: dict[str, Any], said: str) -> None:
    guest = {
        "metadata": {"name": "golden", "namespace": TENANT},
        "spec": {"nodeName": "node-1", "deletionPolicy": "Retain", "domain": {"type": "kvm", "devices": devices}},
    }
    spec = {"virtualMachineRef": {"name": "golden"}, "clone": {"target": "copy", "mode": "Linked"}}
    disk = {"spec": {"poolRef": {"name": "fast", "namespace": "kubevmm-system"}}, "status": {"phase": "Ready"}}
    made = clone(guest, {"metadata": {"uid": "0f0f"}, "spec": spec}, lambda _: disk)
    for body in made.disks:
        controller.create(path("virtualmachinedisks", TENANT), body, dry_run=True)
    if not said:
        controller.create(path("virtualmachines", TENANT), made.guest, dry_run=True)
        return
    with pytest.raises(RefusedError) as refused:
        controller.create(path("virtualmachines", TENANT), made.guest, dry_run=True)
    assert said in str(refused.value)
