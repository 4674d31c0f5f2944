"""Nodes that are cordoned and drained with kubectl: what becomes of their guests, and what kubectl is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.operation.conftest import eventually
from tests.operation.nodes import condition
from tests.operation.placing import NODES, anywhere, delete, other, runs
from tests.operation.test_guests import status
from tests.operation.test_operations import do

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.operation.conftest import Cluster, Daemon
    from tests.operation.placing import Placed


@pytest.fixture
def steady(placed: Placed) -> Iterator[Placed]:
    """Yield the cluster with all nodes open, and leave it so."""
    yield placed
    for node in NODES:
        placed.kubectl("uncordon", node)


def drain(cluster: Cluster, node: str, *, code: int = 0, timeout: str = "60s") -> str:
    """Drain the node, as its administrator would; return what kubectl says of what it waits for."""
    done = cluster.control_plane.kubectl("drain", node, f"--timeout={timeout}", check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stderr


def evicted(cluster: Cluster, name: str) -> dict[str, str]:
    return condition(cluster.get("vm", name), "Evicted")


def shuts_down(cluster: Cluster, name: str, policy: str = "Retain") -> str:
    """Make a guest that shuts down for a drain, and stays where it is if its *policy* is to retain its domain.

    Return its node.
    """
    made = anywhere(name, evictionStrategy="Shutdown")
    made["spec"]["deletionPolicy"] = policy
    cluster.apply(made)
    return runs(cluster, name)


def gone(cluster: Cluster, name: str) -> None:
    """Delete such a guest, with its domain."""
    cluster.kubectl("patch", "vm", name, "--type=merge", "-p", '{"spec":{"deletionPolicy":"Delete"}}')
    delete(cluster, name)


def executor_of(cluster: Cluster, node: str) -> Daemon:
    (found,) = [each for each in cluster.daemons if each.log.name.startswith(f"executor-{node}")]
    return found


def test_a_cordoned_node_gets_no_guests_and_keeps_those_that_it_has(steady: Cluster) -> None:
    steady.apply(anywhere("stays"))
    node = runs(steady, "stays")
    steady.kubectl("cordon", node)
    names = [f"comes-{number}" for number in range(3)]
    steady.apply(*(anywhere(name) for name in names))
    assert {runs(steady, name) for name in names} == {other(node)}
    assert runs(steady, "stays") == node
    delete(steady, "stays", *names)


def test_a_guest_that_shuts_down_for_a_drain_goes_on_elsewhere(steady: Cluster) -> None:
    steady.apply(anywhere("moves", evictionStrategy="Shutdown"))
    node = runs(steady, "moves")
    before = status(steady, "moves")["domain"]["uuid"]
    drain(steady, node)
    # The Pod went when nothing of the guest was left there.
    eventually(lambda: status(steady, "moves").get("nodeName") == other(node), lambda: steady.get("vm", "moves"))
    assert runs(steady, "moves") == other(node)
    assert status(steady, "moves")["domain"]["uuid"] == before
    assert "evacuationNodeName" not in status(steady, "moves")
    assert evicted(steady, "moves")["status"] == ""
    delete(steady, "moves")


def test_a_guest_that_cannot_go_is_shut_down_and_starts_when_its_node_is_back(steady: Cluster) -> None:
    node = shuts_down(steady, "rooted")
    drain(steady, node)
    eventually(lambda: evicted(steady, "rooted")["reason"] == "ShutDown", lambda: steady.get("vm", "rooted"))
    assert evicted(steady, "rooted")["status"] == "True"
    assert f"it starts when {node} takes guests again" in evicted(steady, "rooted")["message"]
    assert status(steady, "rooted")["printableStatus"] == "Stopped"
    assert status(steady, "rooted")["nodeName"] == node
    steady.kubectl("uncordon", node)
    assert runs(steady, "rooted") == node
    eventually(lambda: evicted(steady, "rooted")["status"] == "")
    gone(steady, "rooted")


def test_what_was_stopped_for_a_drain_starts_again_though_that_was_not_said(steady: Placed) -> None:
    node = shuts_down(steady, "unsaid")
    placement = steady.get("pod", "unsaid-placement")["metadata"]
    # As of a controller that ended, or whose word an older one took back: the operation is there, and no condition.
    do(steady, f"unsaid-stop-{placement['uid'][:8]}", "Stop", "unsaid")
    eventually(lambda: condition(steady.get("vm", "unsaid"), "Synchronized")["reason"] == "HeldByHand")
    drain(steady, node)
    eventually(lambda: evicted(steady, "unsaid")["reason"] == "ShutDown", lambda: steady.get("vm", "unsaid"))
    steady.kubectl("uncordon", node)
    assert runs(steady, "unsaid") == node
    gone(steady, "unsaid")


@pytest.mark.parametrize(
    ("strategy", "said"),
    [("LiveMigrate", "with evictionStrategy Shutdown, it shuts down"), ("None", "until it is stopped")],
)
def test_a_drain_waits_for_a_guest_that_nothing_may_stop(steady: Cluster, strategy: str, said: str) -> None:
    name = f"firm-{strategy.lower()}"
    steady.apply(anywhere(name, evictionStrategy=strategy))
    node = runs(steady, name)
    waits = drain(steady, node, code=1, timeout="5s")
    assert f"{name}-placement" in waits
    eventually(lambda: evicted(steady, name)["reason"] == "Refused")
    assert said in evicted(steady, name)["message"]
    assert status(steady, name)["printableStatus"] == "Running"
    assert steady.get("pod", f"{name}-placement")["spec"]["nodeName"] == node

    steady.apply(anywhere(name, evictionStrategy="Shutdown"))
    drain(steady, node)
    assert runs(steady, name) == other(node)
    delete(steady, name)


def test_a_guest_that_would_not_go_keeps_its_room_when_the_drain_is_given_up(steady: Placed) -> None:
    # LiveMigrate, as it says nothing.
    steady.apply(anywhere("stubborn"))
    node = runs(steady, "stubborn")
    first = steady.get("pod", "stubborn-placement")["metadata"]["uid"]
    drain(steady, node, code=1, timeout="2s")
    eventually(lambda: evicted(steady, "stubborn")["reason"] == "Refused")
    # As a kubelet does in the end, whatever holds the Pod.
    patch = ("--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Failed"}}')
    steady.kubectl("patch", "pod", "stubborn-placement", *patch)
    assert steady.get("pod", "stubborn-placement")["metadata"]["uid"] == first
    steady.kubectl("uncordon", node)
    eventually(lambda: steady.find("pod", "stubborn-placement").get("spec", {}).get("nodeName") == node)
    assert steady.get("pod", "stubborn-placement")["metadata"]["uid"] != first
    assert status(steady, "stubborn")["printableStatus"] == "Running"
    delete(steady, "stubborn")


def test_a_guest_that_is_off_by_hand_stays_so_and_where_it_is(steady: Placed) -> None:
    steady.apply(anywhere("rests", evictionStrategy="Shutdown"))
    node = runs(steady, "rests")
    do(steady, "rests-off", "PowerOff", "rests")
    eventually(lambda: condition(steady.get("vm", "rests"), "Synchronized")["reason"] == "HeldByHand")
    drain(steady, node)
    said = steady.get("vm", "rests")["status"]
    assert (said["nodeName"], said["printableStatus"]) == (node, "Stopped")
    assert "evacuationNodeName" not in said
    do(steady, "rests-on", "Start", "rests")
    assert runs(steady, "rests") == node
    delete(steady, "rests")


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_guest_that_is_off_by_hand_and_called_running_is_not_started_after_a_drain(
    steady: Placed, policy: str
) -> None:
    name = f"resting-{policy.lower()}"
    node = shuts_down(steady, name, policy)
    do(steady, f"{name}-off", "PowerOff", name)
    eventually(lambda: condition(steady.get("vm", name), "Synchronized")["reason"] == "HeldByHand")
    executor = executor_of(steady, node)
    executor.kill()
    # As it was before it was powered off, if the executor had ended right then.
    old = {"status": {"printableStatus": "Running", "conditions": None}}
    steady.kubectl("patch", "vm", name, "--subresource=status", "--type=merge", "-p", json.dumps(old))
    drain(steady, node, code=1, timeout="3s")
    begun = {"Retain": "ShuttingDown", "Delete": "Leaving"}[policy]
    eventually(lambda: evicted(steady, name)["reason"] == begun)
    executor.start()
    drain(steady, node)
    eventually(lambda: evicted(steady, name)["status"] == "", lambda: steady.get("vm", name))
    assert "evacuationNodeName" not in status(steady, name)
    steady.kubectl("uncordon", node)
    # It has its place, so that it would be started now.
    eventually(lambda: steady.find("pod", f"{name}-placement").get("spec", {}).get("nodeName") == node)
    eventually(lambda: condition(steady.get("vm", name), "Synchronized")["reason"] == "HeldByHand")
    do(steady, f"{name}-still", "Stop", name)
    assert condition(steady.get("vmop", f"{name}-still"), "Complete")["reason"] == "Unchanged"
    found = [each["metadata"]["name"] for each in json.loads(steady.kubectl("get", "vmop", "-o", "json"))["items"]]
    assert not [each for each in found if each.startswith(f"{name}-start-")]
    do(steady, f"{name}-on", "Start", name)
    assert runs(steady, name) == node
    gone(steady, name)


def test_a_guest_that_is_called_off_and_runs_leaves_its_node_before_its_pod_does(steady: Placed) -> None:
    steady.apply(anywhere("late", evictionStrategy="Shutdown"))
    node = runs(steady, "late")
    executor = executor_of(steady, node)
    executor.kill()
    # As it said before the guest was started, and its executor ended.
    old = {"status": {"printableStatus": "Stopped"}}
    steady.kubectl("patch", "vm", "late", "--subresource=status", "--type=merge", "-p", json.dumps(old))
    pod = steady.get("pod", "late-placement")["metadata"]["uid"]
    drain(steady, node, code=1, timeout="3s")
    eventually(lambda: status(steady, "late").get("evacuationNodeName") == node)
    assert steady.get("pod", "late-placement")["metadata"]["uid"] == pod
    executor.start()
    eventually(lambda: status(steady, "late").get("nodeName") == other(node), lambda: steady.get("vm", "late"))
    assert runs(steady, "late") == other(node)
    delete(steady, "late")


def test_a_set_keeps_its_guests_through_a_drain(steady: Cluster) -> None:
    template: dict[str, Any] = {"metadata": {"labels": {"app": "kept"}}}
    template["spec"] = anywhere("any", evictionStrategy="Shutdown")["spec"]
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "kept"}}, "template": template}
    metadata = {"name": "kept", "namespace": "default"}
    steady.apply(
        {"apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachineReplicaSet", "metadata": metadata, "spec": spec}
    )
    eventually(lambda: (steady.get("vmrs", "kept").get("status") or {}).get("readyReplicas") == 3)
    names = steady.kubectl("get", "vm", "-l", "app=kept", "-o", "name").split()
    drain(steady, NODES[0])
    eventually(
        lambda: {runs(steady, name.partition("/")[2]) for name in names} == {NODES[1]},
        lambda: steady.kubectl("get", "vm", "-o", "wide"),
    )
    assert steady.kubectl("get", "vm", "-l", "app=kept", "-o", "name").split() == names
    steady.kubectl("delete", "vmrs", "kept")
    delete(steady, *(name.partition("/")[2] for name in names))
