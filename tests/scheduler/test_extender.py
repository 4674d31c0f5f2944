"""The extender's answers over HTTP, as kube-scheduler reads them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from aiohttp.test_utils import TestClient, TestServer

from scheduler.demand import demand
from scheduler.extender import Extender
from scheduler.scorers import score
from scheduler.windows import PODS, ROUNDS, Windows
from tests.scheduler.test_filters import GUEST, PLACES
from tests.scheduler.test_judge import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.caches import Caches
    from scheduler.demand import Demand
    from scheduler.supply import Supply


class Known:
    """Caches as far as the extender asks them."""

    nodes: Mapping[str, Supply] = BY_NAME
    places = PLACES

    def demand(self, _namespace: str, name: str) -> Demand | None:
        return demand(GUEST) if name == "web" else None


def pod(guest: str) -> dict[str, Any]:
    owner = {"kind": "VirtualMachine", "name": guest, "controller": True}
    return {"metadata": {"namespace": "shop", "ownerReferences": [owner]}}


def asked(verb: str, guest: str = "web", names: list[str] | None = None) -> Any:
    async def work() -> Any:
        async with TestClient(TestServer(Extender(cast("Caches", Known())).app())) as client:
            body = {"Pod": pod(guest), "NodeNames": names if names is not None else [*BY_NAME, "gone"]}
            answer = await client.post(f"/{verb}", json=body)
            return await answer.json()

    return asyncio.run(work())


def test_nodes_that_cannot_run_a_guest_are_named_with_why() -> None:
    found = asked("filter")
    assert found["NodeNames"] == ["n1", "n2", "n3", "n5", "n6"]
    assert found["FailedAndUnresolvableNodes"] == {
        "n4": "runs the most guests that it may (3)",
        "gone": "reports nothing: no executor runs there",
    }


def test_nodes_are_told_apart_by_what_one_has_above_another() -> None:
    names = ["n1", "n3", "n6"]
    said = {each["Host"]: each["Score"] for each in asked("prioritize", names=names)}
    marks = {name: score(demand(GUEST), BY_NAME[name], PLACES) for name in names}
    least = min(marks.values())
    # Who is not in the answer has nothing more than the others.
    assert {name: said.get(name, 0) for name in names} == {name: mark - least for name, mark in marks.items()}
    assert said
    assert min(said.values()) > 0


def test_nodes_that_suit_alike_need_no_word() -> None:
    assert asked("prioritize", names=["n1", "n2"]) == []
    assert asked("prioritize", names=[]) == []


MANY = {f"m{number}": replace(BY_NAME["n4"], name=f"m{number}") for number in range(300)}
"""Nodes that run the most guests that they may."""


class Large(Known):
    """A cluster of which kube-scheduler shows a part at a time; one node can run the guest."""

    nodes: Mapping[str, Supply] = {**MANY, "n1": BY_NAME["n1"]}


def shown(*windows: list[str], caches: type[Known] = Large) -> list[Any]:
    async def work() -> list[Any]:
        async with TestClient(TestServer(Extender(cast("Caches", caches())).app())) as client:
            out = []
            for names in windows:
                placement = pod("web")
                placement["metadata"]["uid"] = "1"
                answer = await client.post("/filter", json={"Pod": placement, "NodeNames": names})
                out.append(await answer.json())
            return out

    return asyncio.run(work())


def test_where_a_part_of_a_large_cluster_cannot_run_a_guest_the_next_is_asked_for_until_it_has_come_round() -> None:
    first, third = list(MANY)[:100], list(MANY)[200:]
    often = ROUNDS * len(Large.nodes) // 100
    *others, last, again = shown(*[first] * (often + 2))
    assert [each["Error"] for each in [*others, again]] == [
        "none of the 100 nodes looked at so far can run the guest: looking at others"
    ] * (often + 1)
    # The one that can is not among those that have room: now it is said why the others cannot.
    assert last["NodeNames"] == []
    assert last["FailedAndUnresolvableNodes"].keys() == set(first)
    found = shown(first, [*third[:99], "n1"])[1]
    assert found["NodeNames"] == ["n1"]


class Full(Known):
    """A large cluster no node of which can run the guest."""

    nodes: Mapping[str, Supply] = MANY


def test_where_no_node_can_run_a_guest_or_all_were_shown_it_is_said_at_once() -> None:
    first = list(MANY)[:100]
    assert shown(first, caches=Full)[0]["FailedAndUnresolvableNodes"].keys() == set(first)
    assert shown(first[:99])[0]["FailedAndUnresolvableNodes"].keys() == set(first[:99])


def test_no_more_pods_are_remembered_than_may_be() -> None:
    windows = Windows()
    for number in range(PODS + 5):
        assert windows.goes_on(str(number), 100, 100)
    assert len(windows) == PODS
    windows.end(str(PODS))
    assert len(windows) == PODS - 1


def test_of_a_guest_that_is_not_known_yet_it_is_asked_again() -> None:
    assert asked("filter", "late", ["n1"]) == {"Error": "there is no VirtualMachine late yet"}
    assert asked("prioritize", "late") == []


def test_a_pod_that_is_no_guests_fits_nowhere_and_says_so() -> None:
    found = asked("filter", "", ["n1"])
    assert found == {"NodeNames": [], "FailedAndUnresolvableNodes": {"n1": "the Pod is no VirtualMachine's"}}
