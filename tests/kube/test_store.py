"""The store: what readers find, what listeners are told, and what it costs."""

from __future__ import annotations

import datetime as dt
import gc
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kube.builder import owner_of
from kube.conditions import condition, find, is_true
from kube.object import Key, Object, decode
from kube.predicates import lifecycle, spec_changed
from kube.store import Delta, Store, by_namespace, by_owner
from kube.watch import Bookmark, Event, decode_event
from tests.kube.conftest import CONFIG_MAPS, GADGETS, NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Iterable


class Spec(msgspec.Struct):
    node: str


class Gadget(msgspec.Struct):
    spec: Spec


def made(name: str, *, uid: str = "u", version: int = 1, node: str = "", **metadata: Any) -> Object:
    all_of_it = {"name": name, "namespace": "n", "uid": uid, "resourceVersion": str(version), **metadata}
    return decode(json.dumps({"metadata": all_of_it, "spec": {"node": node}}).encode())


def by_node(found: Object) -> Iterable[str]:
    return [found.decode()["spec"]["node"]]


def told(store: Store) -> list[tuple[str | None, str | None]]:
    found: list[tuple[str | None, str | None]] = []

    def listen(delta: Delta) -> None:
        found.append(
            (delta.old.resource_version if delta.old else None, delta.new.resource_version if delta.new else None)
        )

    store.subscribe(listen)
    return found


def test_an_index_follows_what_changes_and_what_goes() -> None:
    store = Store({"node": by_node})
    for name, node in (("b", "x"), ("a", "x"), ("c", "y")):
        store.put(made(name, uid=name, node=node))
    assert [found.key.name for found in store.by("node", "x")] == ["a", "b"]
    store.put(made("a", uid="a", version=2, node="y"))
    store.remove(made("b", uid="b", version=3, node="x"))
    assert store.words("node") == ["y"]
    assert [found.key.name for found in store.by("node", "y")] == ["a", "c"]
    store.add_index("namespace", by_namespace)
    assert len(store.by("namespace", "n")) == 2
    with pytest.raises(KeyError):
        store.by("missing", "x")


def test_an_object_that_an_index_cannot_read_is_stored_all_the_same() -> None:
    store = Store({"broken": lambda found: [found.decode()["nothing"]]})
    store.put(made("a"))
    store.put(made("a", version=2))
    assert len(store) == 1
    assert store.words("broken") == []


def test_listeners_are_told_each_change_once_and_a_successor_as_another_object() -> None:
    store = Store()
    store.put(made("a"))
    found = told(store)
    assert found == [(None, "1")]
    store.put(made("a"))
    store.put(made("a", version=2))
    store.put(made("a", uid="successor", version=3))
    store.remove(made("a", uid="u", version=4))
    store.remove(made("a", uid="successor", version=5))
    assert found == [(None, "1"), ("1", "2"), ("2", None), (None, "3"), ("5", None)]


def test_what_is_not_in_a_whole_list_was_deleted() -> None:
    store = Store()
    for name in ("a", "b"):
        store.put(made(name, uid=name))
    found = told(store)
    found.clear()
    new = [made("b", uid="b"), made("c", uid="c", version=7)]
    store.replace({one.key: one for one in new})
    assert found == [("1", None), (None, "7")]


def test_a_listener_that_fails_does_not_keep_the_others_from_being_told() -> None:
    store = Store()

    def broken(_: Delta) -> None:
        raise ZeroDivisionError

    store.subscribe(broken)
    found = told(store)
    store.put(made("a"))
    assert found == [(None, "1")]


def test_ten_thousand_objects_of_5_kb_cost_little_more_than_their_bytes_and_are_nothing_to_the_collector() -> None:
    raw = json.dumps({"metadata": {"name": "NAME", "namespace": "n", "uid": "u"}, "spec": {"text": "x" * 5000}})
    store = Store()
    gc.collect()
    before = len(gc.get_objects())
    for number in range(10_000):
        store.put(decode(raw.replace("NAME", f"object-{number}").encode()))
    gc.collect()
    assert len(gc.get_objects()) - before < 1000
    total = sum(len(found.raw) for found in store)
    assert total < 10_000 * (5000 + 200)


def test_an_object_is_decoded_as_what_its_reader_asks_for() -> None:
    found = made("a", node="x", labels={"tier": "one"}, deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["f"])
    assert found.decode(Gadget).spec.node == "x"
    assert found.decode()["metadata"]["name"] == "a"
    assert (found.key, found.labels, found.finalizers, found.deleting) == (Key("n", "a"), {"tier": "one"}, ("f",), True)


def owned(**owner: Any) -> Object:
    reference = {"apiVersion": "runtime.kubevmm.io/v1", "kind": "Gadget", "name": "g", "uid": "o", "controller": True}
    return made("a", ownerReferences=[{**reference, **owner}])


@pytest.mark.parametrize(
    ("found", "keys"),
    [
        (owned(), [Key("n", "g")]),
        (owned(apiVersion="runtime.kubevmm.io/v2"), [Key("n", "g")]),
        (owned(apiVersion="other.io/v1"), []),
        (owned(kind="Gizmo"), []),
        (owned(controller=False), []),
        (made("a"), []),
    ],
)
def test_only_the_controlling_owner_of_the_kind_is_reconciled(found: Object, keys: list[Key]) -> None:
    assert list(owner_of(GADGETS)(found)) == keys
    assert list(owner_of(CONFIG_MAPS)(found)) == []


def test_an_owner_in_no_namespace_is_found_in_none() -> None:
    found = owned(apiVersion="v1", kind="Namespace", name="n")
    assert list(owner_of(NAMESPACES)(found)) == [Key("", "n")]
    assert list(by_owner(found)) == ["o"]


@pytest.mark.parametrize(
    ("old", "new", "spec", "life"),
    [
        (None, made("a"), True, True),
        (made("a"), None, True, True),
        (made("a", generation=1), made("a", generation=1, version=2), False, False),
        (made("a", generation=1), made("a", generation=2), True, False),
        (made("a"), made("a", version=2), True, False),
        (made("a", generation=1), made("a", generation=1, labels={"x": "y"}), True, False),
        (made("a", generation=1), made("a", generation=1, finalizers=["f"]), True, False),
        (made("a", generation=1), made("a", generation=1, deletionTimestamp="2026-01-01T00:00:00Z"), True, True),
    ],
)
def test_predicates_pass_what_they_say(old: Object | None, new: Object | None, spec: bool, life: bool) -> None:
    delta = Delta(old, new)
    assert (spec_changed(delta), lifecycle(delta)) == (spec, life)


def test_a_condition_keeps_since_when_it_has_been_so() -> None:
    first = condition([], "Ready", False, "Starting", generation=1, now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    same = condition([first], "Ready", False, "Waiting", "for a disk", generation=2)
    assert (same["lastTransitionTime"], same["reason"], same["observedGeneration"]) == (
        "2026-01-01T00:00:00Z",
        "Waiting",
        2,
    )
    changed = condition([same], "Ready", True, "Runs", generation=2, now=dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    assert changed["lastTransitionTime"] == "2026-02-01T00:00:00Z"
    assert condition([], "Ready", None, "Unknown", generation=1)["status"] == "Unknown"
    assert (is_true([changed], "Ready"), is_true([], "Ready"), find([], "Ready")) == (True, False, None)


def test_a_watchs_lines_are_told_apart() -> None:
    metadata = {"name": "a", "resourceVersion": "7", "annotations": {"k8s.io/initial-events-end": "true"}}
    body = json.dumps({"metadata": metadata})
    assert decode_event(f'{{"type":"BOOKMARK","object":{body}}}'.encode()) == Bookmark("7", ends_list=True)
    event = decode_event(f'{{"type":"DELETED","object":{body}}}'.encode())
    assert isinstance(event, Event)
    assert (event.type, event.object.raw) == ("DELETED", body.encode())
    with pytest.raises(msgspec.MsgspecError):
        decode_event(b'{"type":"ADDED","object":{"metad')
