"""What apply does to guests, and never does, on libvirt's test driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import apply as engine
from executor.engine import guests, ownership, source, store
from executor.engine.listing import Query, listing, node_name
from executor.engine.objects import Ref
from executor.hypervisor.calls import hooked
from executor.hypervisor.errors import Unanswered
from executor.hypervisor.handle import Affect
from executor.hypervisor.tuning import Tuning
from schemas.errors import KubevmmError
from tests.engine.objects import apply, recorded, vm
from tests.hypervisor.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.hypervisor import Hypervisor

WEB = Ref("VirtualMachine", "default", "web-1")


def test_a_new_guest_is_created_under_its_namespace_and_name(node: Hypervisor, write: Callable[..., str]) -> None:
    assert apply(node, write(vm())) == ["virtualmachine/web-1 created"]
    assert store.find(node, WEB).domain.name == "default_web-1"


def test_the_second_apply_says_unchanged_and_changes_nothing(node: Hypervisor, write: Callable[..., str]) -> None:
    file = write(vm(spec="runStrategy: Always", domain="title: Web"))
    apply(node, file)
    assert recorded(node, file) == (["virtualmachine/web-1 unchanged"], [])


def test_a_dry_run_changes_nothing(node: Hypervisor, write: Callable[..., str]) -> None:
    file = write(vm())
    assert apply(node, file, dry_run=True) == ["virtualmachine/web-1 created"]
    assert store.lookup(node, WEB) is None


def test_a_guest_keeps_its_uuid_when_it_is_made_anew(node: Hypervisor, write: Callable[..., str]) -> None:
    file = write(vm())
    apply(node, file)
    first = store.find(node, WEB).domain.uuid
    ownership.delete(node, store.find(node, WEB), grace=0)
    apply(node, file)
    assert store.find(node, WEB).domain.uuid == first


def test_a_title_changes_live_and_in_the_definition(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm(spec="runStrategy: Always", domain="title: Web")))
    assert apply(node, write(vm(spec="runStrategy: Always", domain="title: Shop"))) == [
        "virtualmachine/web-1 configured"
    ]
    domain = store.find(node, WEB).domain
    assert "<title>Shop</title>" in domain.xml()
    assert "<title>Shop</title>" in domain.xml(inactive=True)


def test_what_the_spec_no_longer_says_goes(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm(domain="title: Web\ndescription: Old")))
    apply(node, write(vm(domain="title: Web")))
    assert "<description>" not in store.find(node, WEB).domain.xml()


def test_a_guest_that_has_not_let_go_yet_is_asked_once_and_looked_at_again(
    node: Hypervisor, write: Callable[..., str]
) -> None:
    def has_not() -> None:
        raise Unanswered("domain default_web-1: vcpu unplug request timed out")

    two, one = (vm(spec="runStrategy: Always", domain=f"vcpu: {{value: 2, current: {n}}}") for n in (2, 1))
    apply(node, write(two))
    with hooked(Fault("before", 1, has_not, matching="setVcpusFlags")) as fault:
        (done,) = engine.apply(node, source.read([write(one)]))
        assert done.result is not None
        assert done.result.outcome == "configured"
        assert done.result.notes == (
            "the guest has not done its part yet: set the number of vCPUs to 1",
            "takes effect at the next start: vcpu.current",
        )
        assert done.result.wait is not None
        # It is not asked each time.
        assert recorded(node, write(one)) == (["virtualmachine/web-1 unchanged"], [])
        assert [call.method for call in fault.changes].count("setVcpusFlags") == 1
    status = listing(node, Query("VirtualMachine", names=("web-1",), detail=True)).objects[0]["status"]
    assert status["pendingChanges"] == ["vcpu.current"]
    # It lets go of it, later.
    Tuning(store.find(node, WEB).domain).set_vcpus(1, Affect.LIVE)
    assert apply(node, write(one)) == ["virtualmachine/web-1 configured"]
    status = listing(node, Query("VirtualMachine", names=("web-1",), detail=True)).objects[0]["status"]
    assert "pendingChanges" not in status
    assert recorded(node, write(one)) == (["virtualmachine/web-1 unchanged"], [])


def test_another_name_in_the_spec_renames_the_guest(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm()))
    uuid = store.find(node, WEB).domain.uuid
    assert apply(node, write(vm(domain="name: shop"))) == ["virtualmachine/web-1 configured"]
    assert (store.find(node, WEB).domain.name, store.find(node, WEB).domain.uuid) == ("shop", uuid)


POWER = {
    # strategy: whether a new guest runs, and whether one that was destroyed is started by the next apply
    "Always": (True, True),
    "RerunOnFailure": (True, False),
    "Once": (True, False),
    "Manual": (False, False),
    "Halted": (False, False),
}


@pytest.mark.parametrize("strategy", POWER)
def test_the_run_strategy_says_whether_a_guest_runs(node: Hypervisor, write: Callable[..., str], strategy: str) -> None:
    file = write(vm(spec=f"runStrategy: {strategy}"))
    apply(node, file)
    domain = store.find(node, WEB).domain
    first = domain.active
    if first:
        domain.destroy()
    apply(node, file)
    assert (first, domain.active) == POWER[strategy]


def test_halted_asks_a_running_guest_to_shut_down(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm(spec="runStrategy: Always")))
    lines, calls = recorded(node, write(vm(spec="runStrategy: Halted")))
    assert lines == ["virtualmachine/web-1 configured"]
    assert "domain.shutdown" in calls
    assert "domain.destroy" not in calls


def test_a_guest_that_is_as_the_file_says_is_adopted_by_a_mark_alone(
    node: Hypervisor, write: Callable[..., str]
) -> None:
    file = write(vm("runs", domain="name: runs"))
    lines, calls = recorded(node, file)
    assert lines == ["virtualmachine/runs adopted"]
    assert set(calls) == {"domain.setMetadata"}
    assert recorded(node, file) == (["virtualmachine/runs unchanged"], [])


UNLIKE = {
    "another value": vm("runs", domain="name: runs\ntitle: Mine"),
    "another state": vm("runs", spec="runStrategy: Halted", domain="name: runs"),
    "the same UUID": vm("other", domain="uuid: 11111111-1111-4111-8111-111111111111"),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_a_guest_that_is_not_ours_is_never_changed(node: Hypervisor, write: Callable[..., str], case: str) -> None:
    before = node.domains.by_name("runs").xml()
    (line,), calls = recorded(node, write(UNLIKE[case]))
    assert line.startswith("error: ")
    assert "runs" in line
    assert calls == []
    assert node.domains.by_name("runs").xml() == before


def test_adopting_a_file_and_applying_it_then_changes_the_guest(node: Hypervisor, write: Callable[..., str]) -> None:
    file = write(vm("runs", domain="name: runs\ntitle: Mine"))
    (declared,) = source.read([file]).objects
    ownership.adopt(node, "runs", "default", declared=declared)
    assert "<title>" not in node.domains.by_name("runs").xml()
    assert apply(node, file) == ["virtualmachine/runs configured"]
    assert "<title>Mine</title>" in node.domains.by_name("runs").xml()


@pytest.mark.parametrize("same", ["name: shared", "uuid: 22222222-2222-4222-8222-222222222222"])
def test_two_objects_that_name_one_domain_change_nothing(
    node: Hypervisor, write: Callable[..., str], same: str
) -> None:
    file = write(vm("a", domain=same) + "---\n" + vm("b", domain=same))
    with pytest.raises(KubevmmError, match="name one"):
        list(engine.apply(node, source.read([file])))
    assert [domain.name for domain in node.domains.all()] == ["runs"]


def test_an_object_cannot_take_another_ones_guest(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm("a", domain="name: shared")))
    (line,), calls = recorded(node, write(vm("b", domain="name: shared")))
    assert "belongs to virtualmachine/a" in line
    assert calls == []


def test_one_object_that_fails_keeps_no_other_from_being_applied(node: Hypervisor, write: Callable[..., str]) -> None:
    lines = apply(node, write(vm("runs", domain="name: runs\ntitle: Mine") + "---\n" + vm()))
    assert lines[0].startswith("error: ")
    assert lines[1] == "virtualmachine/web-1 created"


NIC = "devices:\n  interfaces:\n  - type: network\n    source: {networkRef: {name: lan}}"
NETWORK = (
    "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineNetwork\nmetadata: {name: lan}\n"
    "spec: {network: {name: inner-lan, bridge: {name: virbr9}}}\n"
)


def test_a_network_reference_becomes_the_networks_name_and_the_network_comes_first(
    node: Hypervisor, write: Callable[..., str]
) -> None:
    lines = apply(node, write(vm(domain=NIC) + "---\n" + NETWORK))
    assert lines == ["virtualmachinenetwork/lan created", "virtualmachine/web-1 created"]
    assert "<source network='inner-lan'/>" in store.find(node, WEB).domain.xml()
    assert node.networks.by_name("inner-lan").active


def test_networks_and_pools_are_applied_once(node: Hypervisor, write: Callable[..., str]) -> None:
    pool = (
        "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineStoragePool\nmetadata: {name: data}\n"
        "spec: {pool: {type: dir, target: {path: /data}}}\n"
    )
    file = write(f"{NETWORK}---\n{pool}")
    assert [line.split()[1] for line in apply(node, file)] == ["created", "created"]
    lines, calls = recorded(node, file)
    assert [line.split()[1] for line in lines] == ["unchanged", "unchanged"]
    assert calls == []


def test_a_network_that_is_not_ours_is_never_changed(node: Hypervisor, write: Callable[..., str]) -> None:
    (line,), calls = recorded(node, write(NETWORK.replace("inner-lan", "inner")))
    assert "is not managed, and differs: bridge.name" in line
    assert calls == []


KEYS = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {vnc: hush-hush}\n"
GRAPHICS = "devices:\n  graphics:\n  - type: vnc\n    passwdSecretRef: {name: keys, key: vnc}"


def test_a_password_comes_from_a_secret_and_is_not_kept_in_the_mark(
    node: Hypervisor, write: Callable[..., str]
) -> None:
    file = write(KEYS + "---\n" + vm(domain=GRAPHICS))
    apply(node, file)
    domain = store.find(node, WEB).domain
    assert "passwd='hush-hush'" in domain.xml(secure=True)
    assert "hush-hush" not in domain.xml()
    assert recorded(node, file) == (["virtualmachine/web-1 unchanged"], [])


def test_a_secret_that_is_missing_is_an_error_and_nothing_is_made(node: Hypervisor, write: Callable[..., str]) -> None:
    (line,) = apply(node, write(vm(domain=GRAPHICS)))
    assert "there is no Secret keys" in line
    assert store.lookup(node, WEB) is None


def test_references_come_back_as_they_were_written(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(NETWORK + "---\n" + vm(domain=NIC)))
    (found,) = listing(node, Query("VirtualMachine", "default")).objects
    assert found["spec"]["domain"]["devices"]["interfaces"][0]["source"] == {"networkRef": {"name": "lan"}}


def test_a_difference_is_found_field_by_field(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm(domain="title: Web")))
    every = source.read([write(vm(domain="title: Shop"))])
    found = guests.look(node, every.objects[0], every).differences()
    assert [(each.path, each.actual, each.desired) for each in found] == [("title", "Web", "Shop")]


def test_what_is_for_another_node_is_left_out(node: Hypervisor, write: Callable[..., str]) -> None:
    lines, calls = recorded(node, write(vm(spec="nodeName: some-other-node")))
    assert (lines, calls) == (["virtualmachine/web-1 skipped"], [])


def test_what_is_for_this_node_is_applied(node: Hypervisor, write: Callable[..., str]) -> None:
    assert apply(node, write(vm(spec=f"nodeName: {node_name(node)}"))) == ["virtualmachine/web-1 created"]


ARGUMENT = "qemuCommandline:\n  args:\n  - {value: -fw_cfg}\n  - valueSecretRef: {name: keys, key: vnc}"


def test_a_secret_under_a_harmless_key_is_not_kept_in_the_mark_either(
    node: Hypervisor, write: Callable[..., str]
) -> None:
    every = source.read([write(KEYS + "---\n" + vm(domain=ARGUMENT))])
    case = guests.look(node, every.objects[0], every)
    assert case.wanted["qemuCommandline"]["args"][1]["value"] == "hush-hush"
    mark = guests.mark_for(case)
    assert "hush-hush" not in mark.element()
    last = mark.last("spec", "domain")
    assert last is not None
    assert last["qemuCommandline"]["args"][1]["value"] == "(secret)"
