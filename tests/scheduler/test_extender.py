"""The extender's answers over HTTP, as kube-scheduler reads them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from aiohttp.test_utils import TestClient, TestServer

from scheduler.demand import demand
from scheduler.extender import Extender
from scheduler.scorers import score
from tests.scheduler.test_filters import GUEST, PLACES
from tests.scheduler.test_judge import BY_NAME

if TYPE_CHECKING:
    from scheduler.caches import Caches
    from scheduler.demand import Demand


class Known:
    """Caches as far as the extender asks them."""

    nodes = BY_NAME
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


def test_a_guest_that_is_not_known_yet_fits_nowhere_and_says_so() -> None:
    found = asked("filter", "late", ["n1"])
    assert found == {"NodeNames": [], "FailedAndUnresolvableNodes": {"n1": "there is no VirtualMachine late"}}
    assert asked("prioritize", "late") == []
