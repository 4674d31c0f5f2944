"""Server-side apply writes what differs, and asks nothing of the server when nothing does."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest

from kube.apply import apply, apply_status
from kube.conditions import condition
from kube.errors import Conflict, NotFound
from kube.managed import unchanged
from tests.kube.conftest import GADGETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.object import Object
    from tests.kube.conftest import Cluster

SPEC: dict[str, Any] = {
    "size": 1,
    "note": "",
    "flag": True,
    "tags": ["a", "b"],
    "path": ["x", "y"],
    "parts": [{"name": "one", "value": 1}, {"name": "two", "value": 2}],
    "options": {"fast": "no", "a/b~c": "1"},
}


def edit(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda desired: desired["spec"].update(changes)


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda desired: desired["spec"].pop(name)


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a scalar": edit(size=2),
    "true for one": edit(flag=False),
    "a text": edit(note="said"),
    "an entry more": edit(parts=[*SPEC["parts"], {"name": "three"}]),
    "an entry less": edit(parts=SPEC["parts"][:1]),
    "an entry's field": edit(parts=[{"name": "one", "value": 1}, {"name": "two", "value": 3}]),
    "an entry's field less": edit(parts=[{"name": "one", "value": 1}, {"name": "two"}]),
    "another order of entries": edit(parts=SPEC["parts"][::-1]),
    "another order of a set": edit(tags=["b", "a"]),
    "a word more in a set": edit(tags=["a", "b", "c"]),
    "a word less in a set": edit(tags=["b"]),
    "another order of a list": edit(path=["y", "x"]),
    "a key more": edit(options={**SPEC["options"], "new": "1"}),
    "a key less": edit(options={"fast": "no"}),
    "a field less": drop("note"),
    "a whole map less": drop("options"),
    "a label": lambda desired: desired["metadata"].update(labels={"tier": "two"}),
    "labels less": lambda desired: desired["metadata"].pop("labels"),
    "a finalizer": lambda desired: desired["metadata"].update(finalizers=["kubevmm.io/test"]),
}


def test_applying_the_same_again_sends_nothing_and_whatever_differs_is_sent(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            for number, (name, change) in enumerate(CHANGES.items()):
                desired = cluster.gadget(f"gadget-{number}", labels={"tier": "one"}, **copy.deepcopy(SPEC))
                first = await apply(client, GADGETS, desired, manager="test")
                assert first.changed, name
                again = await apply(client, GADGETS, desired, manager="test", current=first.object)
                assert again.object is first.object, name
                change(desired)
                changed = await apply(client, GADGETS, desired, manager="test", current=first.object)
                assert changed.changed, name
                once_more = await apply(client, GADGETS, desired, manager="test", current=changed.object)
                assert once_more.object is changed.object, name

    asyncio.run(scenario())


def test_what_others_have_written_is_neither_a_difference_nor_touched(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            desired = cluster.gadget("shared", size=1, parts=[{"name": "mine", "value": 1}])
            await apply(client, GADGETS, desired, manager="us")
            theirs = cluster.gadget("shared", note="theirs", parts=[{"name": "theirs", "value": 2}])
            both = await apply(client, GADGETS, theirs, manager="them")
            assert not (await apply(client, GADGETS, desired, manager="us", current=both.object)).changed
            await client.patch(GADGETS, both.object.key, {"spec": {"size": 5}})
            taken = await client.get(GADGETS, both.object.key)
            with pytest.raises(Conflict):
                await apply(client, GADGETS, desired, manager="us", current=taken, force=False)
            back = await apply(client, GADGETS, desired, manager="us", current=taken)
            assert back.object.decode()["spec"]["size"] == 1
            assert back.object.decode()["spec"]["note"] == "theirs"

    asyncio.run(scenario())


def test_a_status_is_applied_apart_from_the_spec_and_kept_from_changing_for_nothing(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            made = await client.create(GADGETS, cluster.gadget("with-status", size=1))
            ready = condition([], "Ready", True, "Works", generation=1)
            status = {"node": "a", "conditions": [ready]}
            first = await apply_status(client, GADGETS, made, status, manager="test")
            assert first.changed
            before = first.object.decode()["status"]["conditions"]
            status = {"node": "a", "conditions": [condition(before, "Ready", True, "Works", generation=1)]}
            assert (await apply_status(client, GADGETS, first.object, status, manager="test")).object is first.object
            status = {"node": "a", "conditions": [condition(before, "Ready", False, "Broke", "why", generation=1)]}
            assert (await apply_status(client, GADGETS, first.object, status, manager="test")).changed

    asyncio.run(scenario())


def test_a_status_that_must_fit_exactly_lands_neither_on_a_changed_object_nor_on_a_successor(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:

            async def say(found: Object) -> bool:
                said = await apply_status(client, GADGETS, found, {"node": "a"}, manager="test", exactly=True)
                return said.changed

            old = await client.create(GADGETS, cluster.gadget("same-name"))
            changed = await client.patch(GADGETS, old.key, {"spec": {"size": 1}})
            with pytest.raises(Conflict):
                await say(old)
            assert await say(changed)
            await client.delete(GADGETS, old.key)
            with pytest.raises(NotFound):
                await say(changed)
            await client.create(GADGETS, cluster.gadget("same-name"))
            with pytest.raises(Conflict):
                await say(changed)

    asyncio.run(scenario())


def test_fields_owned_in_another_version_or_by_another_operation_are_for_the_server_to_judge() -> None:
    def current(**entry: str) -> dict[str, Any]:
        managed = {"manager": "us", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:spec": {"f:size": {}}}}
        return {"metadata": {"managedFields": [{**managed, **entry}]}, "spec": {"size": 1}}

    desired = {"apiVersion": "v1", "spec": {"size": 1}}
    assert unchanged(desired, current(), "us", None)
    for entry in (
        {"apiVersion": "v2"},
        {"operation": "Update"},
        {"manager": "them"},
        {"subresource": "status"},
    ):
        assert not unchanged(desired, current(**entry), "us", None), entry
    assert not unchanged({"apiVersion": "v1", "spec": {"size": True}}, current(), "us", None)
