"""An executor writes what its own node holds, by the node that its token names, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.admission.api import RefusedError, manifest, path
from tests.admission.conftest import SYSTEM, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.admission.api import Caller

FINALIZER = "kubevmm.io/executor"
EVENTS = f"/apis/events.k8s.io/v1/namespaces/{TENANT}/events"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
SERIES = {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}
HELD = {
    "virtualmachines": ("VirtualMachine", {"runStrategy": "Halted"}),
    "virtualmachinedisks": ("VirtualMachineDisk", {"poolRef": {"name": "fast"}}),
    "virtualmachinesnapshots": ("VirtualMachineSnapshot", {"virtualMachineRef": {"name": "web"}}),
    "virtualmachineoperations": (
        "VirtualMachineOperation", {"type": "Reset", "virtualMachineRef": {"name": "web"}},
    ),
}  # fmt: skip
SHARED = {
    "virtualmachinenetworks": ("VirtualMachineNetwork", "nodes"),
    "virtualmachinestoragepools": ("VirtualMachineStoragePool", "nodes"),
    "virtualmachineimages": ("VirtualMachineImage", "copies"),
}


@pytest.fixture(scope="module", autouse=True)
def objects(admin: Caller, one: Caller, two: Caller) -> Iterator[None]:  # noqa: ARG001  (the nodes must be there)
    """Keep an object of each kind that is on node-1, and one of each that both nodes have."""
    made = []
    for plural, (kind, spec) in HELD.items():
        admin.create(path(plural, TENANT), manifest(kind, "web", TENANT, spec=spec))
        admin.merge(path(plural, TENANT, "web") + "/status", {"status": {"nodeName": "node-1"}})
        made.append(path(plural, TENANT, "web"))
    for plural, (kind, entries) in SHARED.items():
        admin.create(path(plural, TENANT), manifest(kind, "all", TENANT, spec={}))
        admin.apply(path(plural, TENANT, "all") + "/status", _status(kind, entries, _wanted(plural)), "controller")
        made.append(path(plural, TENANT, "all"))
    for each in ("virtualmachinedisks", "virtualmachines"):
        kind = HELD[each][0]
        admin.create(path(each, TENANT), manifest(kind, "nowhere", TENANT, spec={}))
        made.append(path(each, TENANT, "nowhere"))
    yield
    for each in made:
        admin.merge(each, {"metadata": {"finalizers": None}})
        admin.delete(each)


def _status(kind: str, entries: str, wanted: list[dict[str, Any]]) -> dict[str, Any]:
    return manifest(kind, "all", TENANT, status={entries: wanted})


def _wanted(plural: str) -> list[dict[str, Any]]:
    pool = {"pool": "fast"} if plural == "virtualmachineimages" else {}
    return [{"nodeName": node, "desired": True, **pool} for node in ("node-1", "node-2")]


def _refused(caller: Caller, method: str, *arguments: Any) -> str:
    with pytest.raises(RefusedError) as refused:
        getattr(caller, method)(*arguments)
    assert refused.value.code == 403
    return str(refused.value)


@pytest.mark.parametrize("plural", HELD)
def test_a_node_writes_finalizer_and_status_of_what_it_holds(one: Caller, plural: str) -> None:
    where = path(plural, TENANT, "web")

    one.merge(where, {"metadata": {"finalizers": [FINALIZER]}})
    status = manifest(HELD[plural][0], "web", TENANT, status={"observedGeneration": 1})
    written = one.apply(where + "/status", status)
    one.merge(where, {"metadata": {"finalizers": None}})

    assert written["metadata"]["finalizers"] == [FINALIZER]
    assert written["status"] == {"nodeName": "node-1", "observedGeneration": 1}


@pytest.mark.parametrize("plural", HELD)
@pytest.mark.parametrize("part", ["", "/status"])
def test_a_node_writes_nothing_of_what_another_node_holds(two: Caller, plural: str, part: str) -> None:
    change = {"status": {"observedGeneration": 9}} if part else {"metadata": {"finalizers": [FINALIZER]}}

    said = _refused(two, "merge", path(plural, TENANT, "web") + part, change)

    assert "the node node-2 does not hold shop/web: node-1 does" in said


@pytest.mark.parametrize("plural", ["virtualmachines", "virtualmachinedisks"])
def test_what_no_node_holds_is_not_taken_by_one(one: Caller, plural: str) -> None:
    said = _refused(one, "merge", path(plural, TENANT, "nowhere") + "/status", {"status": {"nodeName": "node-1"}})

    assert "the node node-1 does not hold shop/nowhere: no node does" in said


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("", {"spec": {"runStrategy": "Always"}}, "a node never changes a spec"),
        ("", {"spec": {"domain": {"memory": "1Gi"}}}, "a node never changes a spec"),
        ("", {"metadata": {"labels": {"app": "mine"}}}, "neither labels nor annotations"),
        ("", {"metadata": {"annotations": {"kubevmm.io/adopted": "true"}}}, "neither labels nor annotations"),
        ("", {"metadata": {"finalizers": ["example.org/hold"]}}, "kubevmm.io/executor alone"),
        ("/status", {"status": {"nodeName": "node-2"}}, "status.nodeName does not change here"),
        ("/status", {"status": {"nodeName": None}}, "status.nodeName does not change here"),
    ],
)
def test_even_of_what_it_holds_a_node_writes_its_part_alone(
    one: Caller, part: str, change: dict[str, Any], said: str
) -> None:
    assert said in _refused(one, "merge", path("virtualmachines", TENANT, "web") + part, change)


@pytest.mark.parametrize("plural", [*HELD, *SHARED])
def test_a_node_neither_makes_nor_deletes_objects(one: Caller, plural: str) -> None:
    kind, spec = HELD.get(plural) or (SHARED[plural][0], {})
    name = "web" if plural in HELD else "all"

    # Applying what is not there makes it.
    made = _refused(one, "apply", path(plural, TENANT, "new"), manifest(kind, "new", TENANT, spec=spec))
    gone = _refused(one, "delete", path(plural, TENANT, name))

    assert "forbidden" in made
    assert "forbidden" in gone


def test_a_disk_in_a_shared_pool_is_its_executors(admin: Caller, one: Caller, two: Caller) -> None:
    where = path("virtualmachinedisks", TENANT, "shared")
    admin.create(path("virtualmachinedisks", TENANT), manifest("VirtualMachineDisk", "shared", TENANT, spec={}))
    admin.merge(where + "/status", {"status": {"executorNode": "node-2"}})

    said = _refused(one, "merge", where + "/status", {"status": {"phase": "Ready"}})
    two.merge(where + "/status", {"status": {"phase": "Ready"}})
    admin.delete(where)

    assert "node-2 does" in said


@pytest.mark.parametrize("plural", SHARED)
def test_each_node_writes_its_own_entries_of_what_many_have(one: Caller, two: Caller, plural: str) -> None:
    kind, entries = SHARED[plural]
    pool = {"pool": "fast"} if plural == "virtualmachineimages" else {}
    where = path(plural, TENANT, "all") + "/status"
    for caller, node in ((one, "node-1"), (two, "node-2")):
        entry = {"nodeName": node, "state": "Active", **pool}
        written = caller.apply(where, _status(kind, entries, [entry]), f"kubevmm-executor-{node}")
    assert [each["state"] for each in written["status"][entries]] == ["Active", "Active"]
    foreign = {"nodeName": "node-1", "state": "Failed", **pool}

    said = _refused(two, "apply", where, _status(kind, entries, [foreign]), "kubevmm-executor-node-2")
    robbed = _refused(two, "apply", where, manifest(kind, "all", TENANT, status={}), "kubevmm-executor-node-1")
    unwanted = {"nodeName": "node-2", "desired": False, **pool}
    decided = _refused(two, "apply", where, _status(kind, entries, [unwanted]), "kubevmm-executor-node-2")
    other = _refused(two, "merge", where, {"status": {"observedGeneration": 7}})
    label = _refused(two, "merge", path(plural, TENANT, "all"), {"metadata": {"labels": {"app": "mine"}}})
    two.apply(where, manifest(kind, "all", TENANT, status={}), "kubevmm-executor-node-2")

    assert f"the node node-2 writes its own entries of status.{entries}" in said
    assert f"the node node-2 writes its own entries of status.{entries}" in robbed
    assert "`desired` does not change here" in decided
    assert f"writes its entries of status.{entries} alone" in other
    assert "writes its entries in the status alone" in label


def test_a_node_reports_of_itself_alone(one: Caller, two: Caller) -> None:
    nodes = path("virtualmachinenodes")
    one.apply(f"{nodes}/node-1", manifest("VirtualMachineNode", "node-1"))
    one.merge(f"{nodes}/node-1/status", {"status": {"hostname": "one"}})

    other = _refused(two, "merge", f"{nodes}/node-1/status", {"status": {"hostname": "two"}})
    made = _refused(two, "apply", f"{nodes}/node-9", manifest("VirtualMachineNode", "node-9"))
    spec = _refused(one, "merge", f"{nodes}/node-1", {"spec": {"maxGuests": 1000}})

    assert "the node node-2 reports of itself alone, not of node-1" in other
    assert "the node node-2 reports of itself alone, not of node-9" in made
    assert "a node never changes a spec" in spec


def _lease(name: str, holder: str) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": SYSTEM},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 40},
    }


def test_a_node_renews_its_own_lease_alone(one: Caller, two: Caller) -> None:
    one.apply(f"{LEASES}/node-node-1", _lease("node-node-1", "node-1"))

    alive = _refused(two, "apply", f"{LEASES}/node-node-1", _lease("node-node-1", "node-1"))
    leads = _refused(two, "apply", f"{LEASES}/kubevmm-controller", _lease("kubevmm-controller", "node-2"))
    holder = _refused(one, "apply", f"{LEASES}/node-node-1", _lease("node-node-1", "node-2"))

    assert "the node node-2 renews the Lease kubevmm-system/node-node-2 alone" in alive
    assert "the node node-2 renews the Lease kubevmm-system/node-node-2 alone" in leads
    assert "as its holder" in holder


def _event(name: str, node: str, about: str = "kubevmm.io/v1alpha1") -> dict[str, Any]:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": TENANT},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "kubevmm.io/executor",
        "reportingInstance": node,
        "type": "Normal",
        "reason": "Started",
        "action": "Reconcile",
        "note": "the guest was started",
        "regarding": {"apiVersion": about, "kind": "VirtualMachine", "name": "web", "namespace": TENANT},
    }


def test_a_node_says_in_events_who_it_is(one: Caller, two: Caller) -> None:
    one.create(EVENTS, _event("web.1", "node-1"))

    forged = _refused(two, "create", EVENTS, _event("web.2", "node-1"))
    one.merge(f"{EVENTS}/web.1", {"series": SERIES})
    foreign = _refused(two, "create", EVENTS, _event("web.3", "node-2", "apps/v1"))
    changed = _refused(two, "merge", f"{EVENTS}/web.1", {"series": {**SERIES, "count": 99}})

    assert "the node node-2 writes events of its own alone" in forged
    assert "about objects of kubevmm.io" in foreign
    assert "the node node-2 writes events of its own alone" in changed


@pytest.mark.parametrize(
    ("where", "body"),
    [
        (path("virtualmachines", TENANT, "web") + "/status", {"status": {"ready": True}}),
        (path("virtualmachinenetworks", TENANT, "all") + "/status", {"status": {"nodes": []}}),
        (path("virtualmachinenodes", "", "early"), manifest("VirtualMachineNode", "early")),
        (f"{LEASES}/node-node-1", _lease("node-node-1", "node-1")),
    ],
)
def test_a_token_of_no_node_writes_nothing(nowhere: Caller, where: str, body: dict[str, Any]) -> None:
    method = "apply" if "kind" in body else "merge"

    assert "this token says nothing of a node" in _refused(nowhere, method, where, body)


def test_others_are_not_held_to_what_nodes_are(admin: Caller) -> None:
    changed = admin.merge(path("virtualmachines", TENANT, "web"), {"metadata": {"labels": {"app": "web"}}})

    assert changed["metadata"]["labels"] == {"app": "web"}
