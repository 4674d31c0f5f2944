"""The placement Pod: what it asks kube-scheduler for, and what it hands on of its guest."""

from __future__ import annotations

from typing import Any

import pytest

from controller import pods

GUEST: dict[str, Any] = {
    "apiVersion": "kubevmm.io/v1alpha1",
    "kind": "VirtualMachine",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": {"app": "web"}},
    "spec": {"domain": {"memory": "4Gi", "vcpu": {"value": 4}}, "nodeSelector": {"disk": "ssd"}},
}


def test_it_asks_for_the_guests_vcpus_and_memory_and_what_its_emulator_takes() -> None:
    (container,) = pods.pod(GUEST)["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "4", "memory": "4200Mi", pods.MARK: "1"}
    assert container["resources"]["limits"] == {"memory": "4200Mi", pods.MARK: "1"}


@pytest.mark.parametrize(
    ("vcpu", "cpu"), [({"value": 4, "current": 2}, "2"), ({"value": 4}, "4"), (3, "3"), ({}, "1"), (None, "1")]
)
def test_vcpus_that_are_off_line_take_nothing(vcpu: Any, cpu: str) -> None:
    assert pods.amounts_of({"memory": "1Gi", "vcpu": vcpu})["cpu"] == cpu


@pytest.mark.parametrize(("pages", "name"), [({"pages": [{"size": "1Gi"}]}, "hugepages-1Gi"), ({}, "hugepages-2Mi")])
def test_huge_pages_are_asked_for_in_place_of_memory(pages: dict[str, Any], name: str) -> None:
    wanted = pods.amounts_of({"memory": "4Gi", "memoryBacking": {"hugepages": pages}})
    assert wanted[name] == "4Gi"
    assert wanted["memory"] == "80Mi"


CELLS = {"cpu": {"numa": {"cells": [{"id": 0, "memory": "8Gi"}, {"id": 1, "memory": "8Gi"}]}}}
MODULES = {"devices": {"memoryDevices": [{"model": "dimm", "target": {"size": "4Gi", "node": 1}}]}}
SCREEN = {"devices": {"videos": [{"model": {"type": "qxl", "ram": 65536, "vram": 65536}}]}}
BY_NODE = {"memoryBacking": {"hugepages": {"pages": [{"size": "1Gi", "nodeset": "0"}, {"size": "2Mi"}]}}}
ONLY_ONE = {"memoryBacking": {"hugepages": {"pages": [{"size": "1Gi", "nodeset": "0"}]}}}
SEVERAL = {"vcpus": {"vcpus": [{"id": n, "enabled": n < 6} for n in range(8)]}, "vcpu": {"value": 8, "current": 1}}


@pytest.mark.parametrize(
    ("domain", "wanted"),
    [
        # libvirt gives a guest the memory of its cells, whatever else it says.
        ({"memory": "1Gi", **CELLS}, {"cpu": "1", "memory": "16488Mi"}),
        ({"memory": "1Gi", **CELLS, **MODULES}, {"cpu": "1", "memory": "20592Mi"}),
        ({"memory": "8Gi", **MODULES}, {"cpu": "1", "memory": "8280Mi"}),
        ({"memory": "1Gi", **SCREEN}, {"cpu": "1", "memory": "1226Mi"}),
        (CELLS | MODULES | BY_NODE, {"cpu": "1", "memory": "112Mi", "hugepages-1Gi": "8Gi", "hugepages-2Mi": "12Gi"}),
        (
            {"memory": "8Gi", "memoryBacking": {"hugepages": {}}, **MODULES},
            {"cpu": "1", "memory": "88Mi", "hugepages-2Mi": "8Gi"},
        ),
        (CELLS | ONLY_ONE, {"cpu": "1", "memory": "8296Mi", "hugepages-1Gi": "8Gi"}),
        ({"memory": "1Gi", **SEVERAL}, {"cpu": "6", "memory": "1138Mi"}),
    ],
)  # fmt: skip
def test_it_asks_for_all_that_libvirt_will_give_the_guest(domain: dict[str, Any], wanted: dict[str, str]) -> None:
    assert pods.amounts_of(domain) == {pods.MARK: "1", **wanted}


def test_it_is_the_guests_own_and_carries_what_places_it() -> None:
    made = pods.pod(GUEST, offers="0f3c")
    assert made["metadata"]["labels"] == {"app": "web", pods.LABEL: "web", pods.OFFERS: "0f3c"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert made["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert made["spec"]["schedulerName"] == pods.SCHEDULER


def test_it_is_held_to_a_node_by_every_term_of_its_affinity() -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]} for zone in "ab"]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    guest = {**GUEST, "spec": {**GUEST["spec"], "affinity": {"nodeAffinity": required}}}
    found = pods.pod(guest, node="n1")["spec"]["affinity"]["nodeAffinity"]
    for term in found["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]:
        assert term["matchFields"] == [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]
        assert term["matchExpressions"]


def test_long_names_stay_names_and_apart() -> None:
    guests = [{**GUEST, "metadata": {**GUEST["metadata"], "name": "x" * 250 + end}} for end in "ab"]
    made = [pods.pod(guest)["metadata"] for guest in guests]
    for metadata in made:
        assert len(metadata["name"]) <= 63
        assert len(metadata["labels"][pods.LABEL]) <= 63
    assert made[0]["name"] != made[1]["name"]
    assert [metadata["ownerReferences"][0]["name"] for metadata in made] == ["x" * 250 + end for end in "ab"]
