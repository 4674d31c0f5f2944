"""What kube-scheduler asks of a node for itself: a row for each way in which it takes a guest, or does not."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.constraints import ELSEWHERE, TAINTED, UNSCHEDULABLE, constraints, machine, refusal

NODE: dict[str, Any] = {
    "metadata": {"name": "n1", "labels": {"zone": "a", "disk": "ssd", "cores": "64"}},
    "spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]},
}
BEARS = {"tolerations": [{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}]}


def needs(*expressions: dict[str, Any], where: str = "matchExpressions") -> dict[str, Any]:
    terms = {"nodeSelectorTerms": [{where: list(expressions)}]}
    return {**BEARS, "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "it bears the taint": (BEARS, ""),
    "it bears nothing": ({}, TAINTED),
    "it bears another value": ({"tolerations": [{"key": "gpu", "value": "no"}]}, TAINTED),
    "it bears another effect": (
        {"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]},
        TAINTED,
    ),
    "it bears the key whatever its value": ({"tolerations": [{"key": "gpu", "operator": "Exists"}]}, ""),
    "it bears everything": ({"tolerations": [{"operator": "Exists"}]}, ""),
    "its nodeSelector fits": ({**BEARS, "nodeSelector": {"zone": "a"}}, ""),
    "its nodeSelector does not": ({**BEARS, "nodeSelector": {"zone": "a", "disk": "hdd"}}, ELSEWHERE),
    "In": (needs(expression("zone", "In", "b", "a")), ""),
    "not In": (needs(expression("zone", "In", "b")), ELSEWHERE),
    "NotIn": (needs(expression("rack", "NotIn", "1")), ""),
    "Exists": (needs(expression("disk", "Exists")), ""),
    "DoesNotExist": (needs(expression("disk", "DoesNotExist")), ELSEWHERE),
    "Gt": (needs(expression("cores", "Gt", "32")), ""),
    "Lt": (needs(expression("cores", "Lt", "32")), ELSEWHERE),
    "Gt of what is no number": (needs(expression("zone", "Gt", "32")), ELSEWHERE),
    "a node's name": (needs(expression("metadata.name", "In", "n1"), where="matchFields"), ""),
    "another node's name": (needs(expression("metadata.name", "In", "n2"), where="matchFields"), ELSEWHERE),
    "all of a term": (needs(expression("zone", "In", "a"), expression("disk", "In", "hdd")), ELSEWHERE),
    "a term that says nothing means no node": (needs(), ELSEWHERE),
}


@pytest.mark.parametrize(("spec", "why"), ROWS.values(), ids=ROWS)
def test_a_node_takes_a_guest_as_kube_scheduler_would(spec: dict[str, Any], why: str) -> None:
    assert refusal(constraints(spec), machine(NODE)) == why


def test_a_taint_that_is_only_to_be_preferred_against_keeps_nobody_away() -> None:
    soft = {**NODE, "spec": {"taints": [{"key": "gpu", "effect": "PreferNoSchedule"}]}}
    assert refusal(constraints({}), machine(soft)) == ""


def test_a_node_that_is_cordoned_takes_only_who_bears_that() -> None:
    cordoned = {**NODE, "spec": {"unschedulable": True}}
    assert refusal(constraints({}), machine(cordoned)) == UNSCHEDULABLE
    assert refusal(constraints({"tolerations": [{"operator": "Exists"}]}), machine(cordoned)) == ""
