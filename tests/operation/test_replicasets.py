"""Replica sets: as many guests as are asked for, through scaling, losses, bad networks and controllers that end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from controller.replicas import surplus
from controller.selectors import selects, text
from kube.object import decode
from tests.harness.build import CONTROL_PLANE, build
from tests.harness.faultproxy import NONE
from tests.harness.server import Server
from tests.operation.conftest import eventually
from tests.operation.network import BAD, Network
from tests.operation.nodes import condition
from tests.operation.test_guests import NODE, domains, guest, hypervisor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd
    from tests.operation.conftest import Cluster

__all__ = ["hypervisor"]


def replicas(name: str, count: int, **spec: Any) -> dict[str, Any]:
    """Return a set of *count* guests on the node; with *spec* they differ from what others have."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": guest("any", **spec)["spec"]}
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineReplicaSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": template},
    }


def halted(name: str, count: int) -> dict[str, Any]:
    """Return a set of guests that no node has anything to do with."""
    made = replicas(name, count, runStrategy="Halted")
    del made["spec"]["template"]["spec"]["nodeName"]
    return made


def guests(cluster: Cluster, name: str) -> dict[str, dict[str, Any]]:
    """Return the guests of the set *name* that are not being deleted, by name."""
    found = json.loads(cluster.kubectl("get", "vm", "-l", f"app={name}", "-o", "json"))["items"]
    return {each["metadata"]["name"]: each for each in found if "deletionTimestamp" not in each["metadata"]}


def status(cluster: Cluster, name: str) -> dict[str, Any]:
    return dict(cluster.find("vmrs", name).get("status") or {})


def settled(cluster: Cluster, name: str, count: int, *, ready: int | None = None) -> None:
    """Wait until the set *name* has *count* guests, and says so; with *ready* that so many are Ready."""
    eventually(
        lambda: (
            len(guests(cluster, name)) == status(cluster, name).get("replicas") == count
            and (ready is None or status(cluster, name).get("readyReplicas") == ready)
        ),
        lambda: (status(cluster, name), list(guests(cluster, name))),
        patience=120,
    )


def gone(cluster: Cluster, *names: str) -> None:
    """Delete the sets and their guests: no garbage collector runs here."""
    cluster.kubectl("delete", "vmrs", *names, "--ignore-not-found")
    for name in names:
        cluster.kubectl("delete", "vm", "-l", f"app={name}", "--timeout=60s")


@pytest.fixture
def collector(cluster: Cluster) -> Iterator[None]:
    """Run Kubernetes' own garbage collector."""
    program = build((*CONTROL_PLANE, "kube-controller-manager")) / "kube-controller-manager"
    log = cluster.folder / "kube-controller-manager.log"
    arguments = [
        f"--kubeconfig={cluster.control_plane.kubeconfig}", "--controllers=garbage-collector-controller",
        "--leader-elect=false", "--secure-port=0",
    ]  # fmt: skip
    running = Server(program, arguments, log=log)
    yield
    running.stop()


@pytest.mark.usefixtures("collector")
def test_guests_are_made_scaled_replaced_and_gone_with_their_set(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor
) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    cluster.apply(replicas("web", 2))
    settled(cluster, "web", 2, ready=2)
    cluster.kubectl("wait", "vmrs/web", "--for=condition=Ready", "--timeout=30s")
    first = guests(cluster, "web")
    uid = cluster.get("vmrs", "web")["metadata"]["uid"]
    for name, each in first.items():
        (owner,) = each["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (uid, True)
        assert domains(hypervisor)[f"default_{name}"].active

    # As an autoscaler asks.
    scale = json.loads(
        cluster.kubectl(
            "get", "--raw", "/apis/kubevmm.io/v1alpha1/namespaces/default/virtualmachinereplicasets/web/scale"
        )
    )
    assert scale["spec"]["replicas"] == scale["status"]["replicas"] == 2
    assert scale["status"]["selector"] == "app=web"
    cluster.kubectl("scale", "vmrs", "web", "--replicas=4")
    settled(cluster, "web", 4, ready=4)
    assert set(first) < set(guests(cluster, "web"))
    assert cluster.kubectl("get", "vmrs", "web", "--no-headers").split()[:4] == ["web", "4", "4", "4"]

    lost = next(iter(first))
    cluster.kubectl("delete", "vm", lost, "--timeout=60s")
    settled(cluster, "web", 4, ready=4)
    assert lost not in guests(cluster, "web")

    # One that does not run goes before those that do.
    weak = next(name for name in first if name != lost)
    cluster.kubectl("patch", "vm", weak, "--type=merge", "-p", '{"spec":{"runStrategy":"Halted"}}')
    eventually(lambda: (cluster.get("vm", weak).get("status") or {}).get("printableStatus") == "Stopping")
    # Nothing in it listens when it is asked to shut down.
    domains(hypervisor)[f"default_{weak}"].raw.destroy()
    settled(cluster, "web", 4, ready=3)
    cluster.kubectl("scale", "vmrs", "web", "--replicas=3")
    settled(cluster, "web", 3, ready=3)
    assert weak not in guests(cluster, "web")

    cluster.kubectl("delete", "vmrs", "web", "--cascade=foreground", "--timeout=60s")
    assert not [name for name in domains(hypervisor) if name.startswith("default_web-")]


def test_guests_that_nobody_controls_are_taken_on_and_let_go_by_their_labels(cluster: Cluster) -> None:
    cluster.controller()
    lone = halted("lone", 1)["spec"]["template"]
    one = {"apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachine", "spec": lone["spec"]}
    cluster.apply({**one, "metadata": {"name": "mine", "namespace": "default", "labels": {"app": "lone"}}})
    cluster.apply(halted("lone", 2))
    settled(cluster, "lone", 2)
    assert "mine" in guests(cluster, "lone")
    owner = cluster.get("vm", "mine")["metadata"]["ownerReferences"][0]
    assert owner["name"] == "lone"

    cluster.kubectl("label", "vm", "mine", "app=other", "--overwrite")
    settled(cluster, "lone", 2)
    eventually(lambda: "ownerReferences" not in cluster.get("vm", "mine")["metadata"])

    # Deleted without its guests, it leaves them to the next one.
    before = set(guests(cluster, "lone"))
    cluster.kubectl("delete", "vmrs", "lone")
    cluster.kubectl("patch", "vm", *before, "--type=merge", "-p", '{"metadata":{"ownerReferences":null}}')
    cluster.apply(halted("lone", 2))
    settled(cluster, "lone", 2)
    assert set(guests(cluster, "lone")) == before
    cluster.kubectl("delete", "vm", "mine")
    gone(cluster, "lone")


def test_a_paused_set_is_left_alone(cluster: Cluster) -> None:
    cluster.controller()
    paused = halted("rest", 2)
    paused["spec"]["paused"] = True
    cluster.apply(paused)
    eventually(lambda: condition(cluster.find("vmrs", "rest"), "ReplicaPaused")["status"] == "True")
    assert not guests(cluster, "rest")
    cluster.kubectl("patch", "vmrs", "rest", "--type=merge", "-p", '{"spec":{"paused":false}}')
    settled(cluster, "rest", 2)
    assert condition(cluster.get("vmrs", "rest"), "ReplicaPaused")["status"] == ""
    gone(cluster, "rest")


def test_what_a_set_cannot_be_is_refused_or_said(cluster: Cluster) -> None:
    cluster.controller()
    named = halted("bad", 2)
    named["spec"]["template"]["spec"]["domain"]["name"] = "one"
    refused = cluster.control_plane.kubectl("apply", "-f", "-", input=json.dumps(named), check=False)
    assert "two guests cannot have the same" in refused.stderr
    strange = halted("bad", 2)
    strange["spec"]["selector"] = {"matchLabels": {"app": "others"}}
    cluster.apply(strange)
    eventually(lambda: condition(cluster.find("vmrs", "bad"), "ReplicaFailure")["status"] == "True")
    assert "does not select" in condition(cluster.get("vmrs", "bad"), "ReplicaFailure")["message"]
    strange["spec"]["selector"] = {"matchLabels": {"app": "bad"}}
    refused = cluster.control_plane.kubectl("apply", "-f", "-", input=json.dumps(strange), check=False)
    assert "the selector cannot change" in refused.stderr
    assert not guests(cluster, "bad")
    gone(cluster, "bad")


def test_what_a_quota_refuses_is_said_and_made_when_there_is_room(cluster: Cluster) -> None:
    cluster.controller()
    # No quota controller runs here: how much is used is said by hand.
    kind = "count/virtualmachines.kubevmm.io"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "default"}}
    cluster.apply({**quota, "spec": {"hard": {kind: "2"}}})
    used = {"status": {"hard": {kind: "2"}, "used": {kind: "0"}}}
    cluster.kubectl("patch", "quota", "few", "--subresource=status", "--type=merge", "-p", json.dumps(used))
    cluster.apply(halted("many", 5))
    eventually(lambda: condition(cluster.find("vmrs", "many"), "ReplicaFailure")["status"] == "True")
    assert "exceeded quota" in condition(cluster.get("vmrs", "many"), "ReplicaFailure")["message"]
    settled(cluster, "many", 2)
    cluster.kubectl("delete", "quota", "few")
    settled(cluster, "many", 5)
    eventually(lambda: condition(cluster.get("vmrs", "many"), "ReplicaFailure")["status"] == "False")
    gone(cluster, "many")


def test_a_bad_network_and_controllers_that_end_make_no_guest_too_many(cluster: Cluster) -> None:
    count = 30
    with Network(cluster.control_plane, 1) as network:
        cluster.control_plane.write_kubeconfig(cluster.folder / "bad.kubeconfig", url=network.proxy.url)
        # Answers are lost, watches lag and end; what the server itself says is never old.
        network.be(replace(BAD, stale=0.0, lose=0.2, stream_delay=0.5))
        controller = cluster.controller(KUBECONFIG=str(cluster.folder / "bad.kubeconfig"))
        cluster.apply(halted("storm", count))
        made: dict[str, dict[str, Any]] = {}

        def look() -> int:
            made.update(guests(cluster, "storm"))
            return len(made)

        for some in (5, 15):
            eventually(lambda some=some: look() >= some, patience=120)
            controller.kill()
            controller.start()
        eventually(lambda: look() >= count, patience=120)
        network.be(NONE)
        settled(cluster, "storm", count)
        look()
        assert len(made) == count
        assert network.proxy.injected["lose"]
        network.be(replace(BAD, stale=0.0, lose=0.2, stream_delay=0.5))
        cluster.kubectl("scale", "vmrs", "storm", "--replicas=10")
        eventually(lambda: len(guests(cluster, "storm")) <= 20, patience=120)
        controller.kill()
        controller.start()
        eventually(lambda: len(guests(cluster, "storm")) <= 10, patience=120)
        network.be(NONE)
        settled(cluster, "storm", 10)
        assert set(guests(cluster, "storm")) < set(made)
    gone(cluster, "storm")


def test_whoever_is_missed_least_goes_first() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    running = {"printableStatus": "Running", "conditions": ready}
    stands = {
        "old": ("2026-01-01T00:00:00Z", {"nodeName": "a", **running}),
        "alone": ("2026-01-03T00:00:00Z", {"nodeName": "b", **running}),
        "young": ("2026-01-02T00:00:00Z", {"nodeName": "a", **running}),
        "unready": ("2026-01-01T00:00:00Z", {"nodeName": "b", "printableStatus": "Running"}),
        "stopped": ("2026-01-01T00:00:00Z", {"nodeName": "b", "printableStatus": "Stopped"}),
        "nowhere": ("2026-01-01T00:00:00Z", {"printableStatus": "Scheduling"}),
    }
    objects = [
        decode(json.dumps({"metadata": {"name": name, "creationTimestamp": born}, "status": said}).encode())
        for name, (born, said) in stands.items()
    ]

    assert [each.key.name for each in surplus(objects)] == ["nowhere", "stopped", "unready", "alone", "young", "old"]


EXPRESSIONS: list[tuple[dict[str, Any], str, Mapping[str, str], bool]] = [
    ({"matchLabels": {"a": "1"}}, "a=1", {"a": "1", "b": "2"}, True),
    ({"matchLabels": {"a": "1"}}, "a=1", {"a": "2"}, False),
    ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["2", "1"]}]}, "a in (1,2)", {"a": "1"}, True),
    ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, "a in (1)", {}, False),
    ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, "a notin (1)", {}, True),
    ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, "a notin (1)", {"a": "1"}, False),
    ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a", {"a": ""}, True),
    ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, "!a", {"a": ""}, False),
    ({"matchExpressions": [{"key": "a", "operator": "Like", "values": ["1"]}]}, "a Like", {"a": "1"}, False),
    ({}, "", {"a": "1"}, False),
]


@pytest.mark.parametrize(("selector", "written", "labels", "fits"), EXPRESSIONS)
def test_a_selector_is_read_as_kubernetes_reads_it(
    selector: dict[str, Any], written: str, labels: Mapping[str, str], fits: bool
) -> None:
    assert text(selector) == written
    assert selects(selector, labels) is fits
