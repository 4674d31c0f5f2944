"""Changes are told by libvirt's events: with none, nothing is looked at again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from executor.engine.listing import Query
from executor.engine.watching import What, changes
from tests.engine.objects import apply, vm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from executor.engine.watching import Change
    from executor.hypervisor.hypervisor import Hypervisor

NEVER = 3600.0
"""Seconds until it is looked again without an event: longer than any test."""

GUESTS = Query("VirtualMachine", None, unmanaged=True)


def _told(batch: list[Change]) -> list[tuple[What, str, str]]:
    return [(each.what, each.object["metadata"]["name"], each.object["status"]["printableStatus"]) for each in batch]


def _watch(node: Hypervisor, query: Query = GUESTS) -> Iterator[list[Change]]:
    return changes(node, [query], look_again=NEVER)


def test_what_is_there_comes_first_and_then_what_changes(node: Hypervisor) -> None:
    domain = node.domains.by_name("runs")
    watched = _watch(node)
    assert _told(next(watched)) == [(What.ADDED, "runs", "Running")]
    domain.suspend()
    assert _told(next(watched)) == [(What.MODIFIED, "runs", "Paused")]
    domain.destroy()
    assert _told(next(watched)) == [(What.MODIFIED, "runs", "Stopped")]
    domain.undefine()
    assert _told(next(watched)) == [(What.DELETED, "runs", "Stopped")]


def test_a_new_object_is_added(node: Hypervisor, write: Callable[..., str]) -> None:
    watched = _watch(node, Query("VirtualMachine", "default"))
    assert next(watched) == []
    apply(node, write(vm("web-1")))
    assert _told(next(watched))[0][:2] == (What.ADDED, "web-1")


def test_networks_and_pools_tell_too(node: Hypervisor) -> None:
    for kind, found in (("VirtualMachineNetwork", node.networks), ("VirtualMachineStoragePool", node.pools)):
        watched = _watch(node, Query(kind, None, unmanaged=True))
        assert [each.object["status"]["state"] for each in next(watched)] == ["Active"]
        found.all()[0].destroy()
        assert [each.object["status"]["state"] for each in next(watched)] == ["Inactive"]


def test_it_ends_in_time_after_one_look_at_least(node: Hypervisor) -> None:
    batches = list(changes(node, [GUESTS], deadline=time.monotonic(), look_again=NEVER))
    assert [_told(batch) for batch in batches] == [[(What.ADDED, "runs", "Running")]]
