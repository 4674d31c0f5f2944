"""What kube-scheduler itself decides of guests, through their Pods: company, spread, taints, priority, quota, room."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.operation.conftest import eventually
from tests.operation.nodes import condition
from tests.operation.placing import (
    NODES,
    anywhere,
    container,
    delete,
    domains_on,
    node_of,
    other,
    runs,
    scheduled,
    waits,
)
from tests.operation.test_guests import status
from tests.operation.test_operations import operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.events import Event
    from tests.operation.placing import Placed

HOST = "kubernetes.io/hostname"
HALF = "600Mi"
"""The memory of a guest that a node has room for once, and not twice."""

NOBODY = "preemption: no candidate node for preemption"


def on(*nodes: str) -> dict[str, Any]:
    """Return the affinity of what may be on these *nodes* alone."""
    terms = [{"matchExpressions": [{"key": HOST, "operator": "In", "values": list(nodes)}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def rather(kind: str, label: str) -> dict[str, Any]:
    """Return the affinity (*kind*) of what would rather be with, or without, Pods that have the label."""
    term = {"labelSelector": {"matchLabels": {"app": label}}, "topologyKey": HOST}
    return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}}


def test_guests_are_with_those_that_they_like_and_without_those_that_they_do_not(placed: Placed) -> None:
    placed.apply(anywhere("liked", labels={"app": "liked"}))
    node = runs(placed, "liked")
    # By room and by density alone, each of them would be on the other node.
    placed.apply(anywhere("near", affinity=rather("podAffinity", "liked")))
    assert runs(placed, "near") == node
    placed.apply(anywhere("more", affinity=on(other(node))), anywhere("much", affinity=on(other(node))))
    assert {runs(placed, "more"), runs(placed, "much")} == {other(node)}
    placed.apply(
        anywhere("far", affinity=rather("podAntiAffinity", "liked"), nodeSelector={"kubernetes.io/os": "linux"})
    )
    assert runs(placed, "far") == other(node)
    delete(placed, "liked", "near", "more", "much", "far")


def test_guests_are_spread_as_they_ask_against_what_else_they_would_rather(placed: Placed) -> None:
    preference = {"matchExpressions": [{"key": HOST, "operator": "In", "values": [NODES[0]]}]}
    drawn = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 100, "preference": preference}]}}  # fmt: skip
    spread = {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "DoNotSchedule",
              "labelSelector": {"matchLabels": {"app": "even"}}}  # fmt: skip
    for number in range(2):
        placed.apply(anywhere(f"even-{number}", labels={"app": "even"}, affinity=drawn))
        assert runs(placed, f"even-{number}") == NODES[0]
    for number in range(2, 4):
        placed.apply(
            anywhere(f"even-{number}", labels={"app": "even"}, affinity=drawn, topologySpreadConstraints=[spread])
        )
        assert runs(placed, f"even-{number}") == NODES[1]
    delete(placed, *(f"even-{number}" for number in range(4)))


def test_a_guest_keeps_off_a_taint_until_it_bears_it(placed: Placed) -> None:
    placed.kubectl("taint", "node", NODES[1], "kind=metal:NoSchedule")
    try:
        placed.apply(anywhere("shy"), anywhere("bound", affinity=on(NODES[1])))
        assert runs(placed, "shy") == NODES[0]
        assert "had untolerated taint" in waits(placed, "bound")
        bears = {"key": "kind", "operator": "Equal", "value": "metal", "effect": "NoSchedule"}
        # What a guest without a node says of its place counts at once.
        placed.kubectl("patch", "vm", "bound", "--type=merge", "-p", json.dumps({"spec": {"tolerations": [bears]}}))
        assert runs(placed, "bound") == NODES[1]
    finally:
        placed.kubectl("taint", "node", NODES[1], "kind-")
    delete(placed, "shy", "bound")


@pytest.fixture
def classes(placed: Placed) -> None:
    """Make two classes of priority."""
    for name, value in (("low", 1000), ("high", 2000)):
        placed.apply(
            {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value}
        )


@pytest.fixture
def full(placed: Placed, classes: None) -> Iterator[dict[str, str]]:  # noqa: ARG001  (they must be there)
    """Yield the guests of low priority that fill the nodes, each with its node."""
    names = ("low-0", "low-1")
    for name in names:
        placed.apply(anywhere(name, memory=HALF, priorityClassName="low", terminationGracePeriodSeconds=1))
    yield {name: runs(placed, name) for name in names}
    delete(placed, *names)


def test_a_guest_of_high_priority_takes_the_room_of_a_low_one_once_that_is_off(
    placed: Placed, full: dict[str, str]
) -> None:
    told: list[tuple[str, str]] = []

    def note(event: Event) -> None:
        if event.what in ("started", "stopped"):
            told.append((event.name, event.what))

    with ExitStack() as stack:
        for node in NODES:
            stack.enter_context(stack.enter_context(Hypervisor(placed.libvirts[node].uri)).events(note))
        placed.apply(anywhere("high", memory=HALF, priorityClassName="high"))
        node = runs(placed, "high")
    (victim,) = (name for name, where in full.items() if where == node)
    assert told == [(f"default_{victim}", "stopped"), ("default_high", "started")]
    assert "Insufficient memory" in waits(placed, victim)
    assert status(placed, victim)["printableStatus"] == "ErrorUnschedulable"
    assert domains_on(placed, node) == {"default_high"}
    delete(placed, "high")
    assert runs(placed, victim) == node


def test_nobody_is_pushed_aside_for_what_a_node_has_not_anyway(placed: Placed, full: dict[str, str]) -> None:
    before = {name: placed.get("pod", f"{name}-placement")["metadata"]["uid"] for name in full}
    made = anywhere("picky", memory=HALF, priorityClassName="high")
    made["spec"]["domain"]["devices"]["interfaces"] = [{"type": "network", "source": {"network": "nowhere"}}]
    placed.apply(made)
    assert NOBODY in waits(placed, "picky")
    # Where there is room as well, the extender is asked before anybody is pushed aside at all.
    delete(placed, "low-0")
    eventually(lambda: "has no network nowhere that is up" in scheduled(placed, "picky")["message"])
    assert NOBODY in scheduled(placed, "picky")["message"]
    pod = placed.get("pod", "low-1-placement")
    assert (pod["metadata"]["uid"], "deletionTimestamp" in pod["metadata"]) == (before["low-1"], False)
    delete(placed, "picky")
    placed.apply(anywhere("low-0", memory=HALF, priorityClassName="low"))
    runs(placed, "low-0")


def test_a_guest_beyond_its_namespaces_quota_says_so_and_runs_when_that_grows(placed: Placed) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "guests", "namespace": "default"}}
    placed.apply({**quota, "spec": {"hard": {"requests.cpu": "1"}}})
    eventually(lambda: "used" in placed.get("quota", "guests").get("status", {}))
    placed.apply(anywhere("within"))
    runs(placed, "within")
    placed.apply(anywhere("beyond"))
    assert "exceeded quota: guests, requested: requests.cpu=1" in waits(placed, "beyond", "QuotaExceeded")
    assert status(placed, "beyond")["printableStatus"] == "ErrorUnschedulable"
    assert not placed.find("pod", "beyond-placement")
    placed.apply({**quota, "spec": {"hard": {"requests.cpu": "2"}}})
    runs(placed, "beyond")
    placed.kubectl("delete", "quota", "guests")
    delete(placed, "within", "beyond")


def test_guests_and_containers_together_take_no_more_than_a_node_has(placed: Placed) -> None:
    placed.apply(*(container(f"box-{number}", memory=HALF, affinity=on(NODES[number])) for number in range(2)))
    eventually(lambda: all(node_of(placed, f"box-{number}") == NODES[number] for number in range(2)))
    placed.apply(anywhere("beside", memory=HALF))
    assert "2 Insufficient memory" in waits(placed, "beside")
    placed.kubectl("delete", "pod", "box-1", "--force")
    assert runs(placed, "beside") == NODES[1]
    placed.apply(container("late", memory=HALF))
    eventually(lambda: "2 Insufficient memory" in condition(placed.get("pod", "late"), "PodScheduled")["message"])
    assert node_of(placed, "late") == ""
    placed.kubectl("delete", "vm", "beside", "--timeout=60s")
    eventually(lambda: node_of(placed, "late") == NODES[1])
    placed.kubectl("delete", "pod", "box-0", "late", "--force")


def test_a_guest_that_is_started_again_waits_for_the_room_that_others_took(placed: Placed) -> None:
    def run(strategy: str) -> None:
        placed.kubectl("patch", "vm", "back", "--type=merge", "-p", json.dumps({"spec": {"runStrategy": strategy}}))

    placed.apply(anywhere("back", memory=HALF, affinity=on(NODES[0]), terminationGracePeriodSeconds=1))
    runs(placed, "back")
    run("Halted")
    # Nothing in it listens to a shutdown; an operation cuts its power.
    placed.apply(operation("back-off", "PowerOff", "back"))
    eventually(lambda: not placed.find("pod", "back-placement"))
    placed.apply(container("quick", memory=HALF, affinity=on(NODES[0])))
    eventually(lambda: node_of(placed, "quick") == NODES[0])
    run("Always")
    assert "Insufficient memory" in waits(placed, "back")
    eventually(lambda: "waits for room on node-a" in condition(placed.get("vm", "back"), "Synchronized")["message"])
    assert domains_on(placed, NODES[0]) == set()
    placed.kubectl("delete", "pod", "quick", "--force")
    assert runs(placed, "back") == NODES[0]
    delete(placed, "back")


def test_a_guest_leaves_where_a_kubelet_has_not_the_room_after_all(placed: Placed) -> None:
    placed.apply(anywhere("squeezed", evictionStrategy="None"))
    node = runs(placed, "squeezed")
    # As a kubelet says of a Pod that another scheduler was quicker than.
    said = {"status": {"phase": "Failed", "reason": "OutOfmemory", "message": "Node didn't have enough resource"}}
    placed.kubectl("cordon", node)
    placed.kubectl(
        "patch", "pod", "squeezed-placement", "--subresource=status", "--type=merge", "-p", json.dumps(said)
    )  # fmt: skip
    eventually(lambda: status(placed, "squeezed").get("nodeName") == other(node), lambda: placed.get("vm", "squeezed"))
    assert runs(placed, "squeezed") == other(node)
    assert domains_on(placed, node) == set()
    placed.kubectl("uncordon", node)
    delete(placed, "squeezed")


def test_without_the_extender_guests_wait_and_say_why_and_others_are_placed(placed: Placed) -> None:
    placed.extender.kill()
    placed.apply(anywhere("patient"))
    assert "connection refused" in waits(placed, "patient", "SchedulerError")
    assert status(placed, "patient")["printableStatus"] == "Scheduling"
    placed.apply(container("quick"))
    eventually(lambda: node_of(placed, "quick") in NODES)
    assert "nodeName" not in status(placed, "patient")
    placed.extender.start()
    runs(placed, "patient")
    placed.kubectl("delete", "pod", "quick", "--force")
    delete(placed, "patient")
