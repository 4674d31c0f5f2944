"""What of a node's report counts as another offer: what a filter may ask for, and not what moves all the time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from controller.offers import Offers, changed, of_node
from kube.object import Object, decode
from kube.store import Delta, Store
from tests.scheduler.test_filters import NODE
from tests.scheduler.test_filters import changed as with_value

if TYPE_CHECKING:
    from kube.manager import Manager
    from kube.resource import Resource

ANOTHER: dict[str, tuple[str, Any]] = {
    "readiness": ("status.conditions", [{"type": "Ready", "status": "Unknown"}]),
    "readiness that was lost meanwhile": (
        "status.conditions",
        [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    ),
    "cordoned": ("spec.unschedulable", True),
    "full": ("spec.maxGuests", 3),
    "a network that is up": ("status.networks", [{"name": "late", "active": True}]),
    "a network that is down": ("status.networks", [{"name": "default", "active": False}]),
    "a pool": ("status.pools", [{"name": "fast", "active": True}]),
    "a bridge": ("status.bridges", ["br1"]),
    "a device that is free again": ("status.devices", [{"address": "0000:3b:00.1"}]),
    "a machine type": ("status.guests", [{"arch": "x86_64", "machines": ["pc-q35-9.9"]}]),
    "a processor model": ("status.cpu.usableModels", ["SapphireRapids"]),
    "memory": ("status.allocatable.memory", "128Gi"),
}
THE_SAME: dict[str, tuple[str, Any]] = {
    "a guest more": ("status.domains.running", 4),
    "room in a pool": (
        "status.pools",
        [
            {"name": "images", "active": True, "available": "1Gi", "namespace": "infra", "objectName": "images"},
            {"name": "down", "active": False},
        ],
    ),
    "memory that is taken": ("status.allocated.memory", "20Gi"),
}


def node(document: dict[str, Any]) -> Object:
    return decode(json.dumps(document).encode())


@pytest.mark.parametrize(("path", "value"), ANOTHER.values(), ids=list(ANOTHER))
def test_what_a_filter_may_ask_for_is_another_offer(path: str, value: Any) -> None:
    assert changed(Delta(node(NODE), node(with_value(NODE, path, value))))


@pytest.mark.parametrize(("path", "value"), THE_SAME.values(), ids=list(THE_SAME))
def test_what_moves_all_the_time_is_none(path: str, value: Any) -> None:
    assert not changed(Delta(node(NODE), node(with_value(NODE, path, value))))


def test_a_node_that_comes_or_goes_is_one() -> None:
    assert changed(Delta(None, node(NODE)))
    assert changed(Delta(node(NODE), None))


def test_it_is_a_labels_value() -> None:
    assert of_node(node(NODE)).isalnum()


class Caching:
    """A manager as far as what follows nodes knows it."""

    def __init__(self) -> None:
        self.store = Store()

    def cache(self, _resource: Resource) -> Store:
        return self.store


def test_the_word_for_all_nodes_is_another_as_soon_as_one_offers_something_else_and_only_then() -> None:
    manager = Caching()
    offers = Offers(cast("Manager", manager))
    nothing = offers.word
    first, busy, wider = (
        with_value(each, "metadata.resourceVersion", str(number))
        for number, each in enumerate(
            (NODE, with_value(NODE, "status.domains.running", 4), with_value(NODE, "status.bridges", ["br1"])), 1
        )
    )
    manager.store.put(node(first))
    one = offers.word
    manager.store.put(node(busy))
    assert offers.word == one != nothing
    manager.store.put(node(wider))
    assert offers.word not in {one, nothing}
    manager.store.remove(node(wider))
    assert offers.word == nothing
