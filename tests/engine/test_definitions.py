"""Networks are adopted as they are, and deleted only where they are ours; pools go the same way."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from executor.engine import definitions
from executor.engine.listing import Query, listing
from executor.engine.objects import Ref
from executor.hypervisor.calls import hooked
from executor.hypervisor.errors import NotFound
from executor.hypervisor.handle import Affect
from tests.engine.objects import apply, recorded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from executor.hypervisor.calls import Call
    from executor.hypervisor.errors import LibvirtError
    from executor.hypervisor.hypervisor import Hypervisor

LAN = Ref("VirtualMachineNetwork", "default", "lan")
DATA = Ref("VirtualMachineStoragePool", "default", "data")


def network(name: str, spec: str = "") -> str:
    head = "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineNetwork\nmetadata: {name: lan}\n"
    return f"{head}spec: {{{spec}network: {{name: {name}}}}}\n"


@pytest.mark.parametrize("up", [True, False])
def test_a_network_is_adopted_up_or_down(node: Hypervisor, write: Callable[..., str], up: bool) -> None:
    file = write(network("inner"))
    if not up:
        node.networks.by_name("inner").destroy()
    assert recorded(node, file) == (["virtualmachinenetwork/lan adopted"], [])
    assert recorded(node, file) == (["virtualmachinenetwork/lan unchanged"], [])
    assert node.networks.by_name("inner").active is up


def test_what_should_be_up_is_started(node: Hypervisor, write: Callable[..., str]) -> None:
    node.networks.by_name("inner").destroy()
    apply(node, write(network("inner")))
    assert apply(node, write(network("inner", "active: true, "))) == ["virtualmachinenetwork/lan configured"]
    assert node.networks.by_name("inner").active


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_network_is_deleted_as_its_policy_says(node: Hypervisor, write: Callable[..., str], policy: str) -> None:
    apply(node, write(network("other", f"deletionPolicy: {policy}, ")))
    definitions.delete(node, LAN)
    assert ("other" in [each.name for each in node.networks.all()]) is (policy == "Retain")
    with pytest.raises(NotFound):
        definitions.delete(node, LAN)


def test_a_network_that_is_not_ours_is_never_deleted(node: Hypervisor) -> None:
    with pytest.raises(NotFound):
        definitions.delete(node, Ref("VirtualMachineNetwork", "default", "inner"))
    assert node.networks.by_name("inner").active


def test_a_network_of_another_object_is_not_taken(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(network("other")))
    (line,) = apply(node, write(network("other").replace("name: lan", "name: wan")))
    assert "belongs to virtualmachinenetwork/lan" in line


def test_a_changed_definition_is_named_and_written(node: Hypervisor, write: Callable[..., str]) -> None:
    # The test driver tells of a network that is up only how it runs.
    apply(node, write(network("other", "active: false, ")))
    changed = write(network("other", "active: false, ").replace("name: other", "name: other, domain: {name: lan.test}"))
    assert apply(node, changed) == ["virtualmachinenetwork/lan configured"]
    assert "<domain name='lan.test'" in node.networks.by_name("other").xml()
    assert recorded(node, changed) == (["virtualmachinenetwork/lan unchanged"], [])


HOSTS = "dns: {hosts: [{ip: 192.0.2.9, hostnames: [db]}]}, bridge: {name: virbr9}"


def test_a_running_network_is_changed_where_libvirt_can(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(network("other, bridge: {name: virbr9}")))
    lines, calls = recorded(node, write(network(f"other, {HOSTS}")))
    assert (lines, calls) == (
        ["virtualmachinenetwork/lan configured"],
        ["connection.networkDefineXML", "network.update"],
    )
    assert "<hostname>db</hostname>" in node.networks.by_name("other").xml()
    assert recorded(node, write(network(f"other, {HOSTS}"))) == (["virtualmachinenetwork/lan unchanged"], [])


def test_what_was_changed_behind_our_back_is_put_back_unless_it_is_only_to_be_reported(
    node: Hypervisor, write: Callable[..., str]
) -> None:
    file = write(network(f"other, {HOSTS}"))
    apply(node, file)
    entry = "<host ip='192.0.2.9'><hostname>db</hostname></host>"
    node.networks.by_name("other").update("delete", "DNS_HOST", entry, Affect.BOTH)
    report = write(network(f"other, {HOSTS}", "driftPolicy: Report, "), "report.yaml")
    assert recorded(node, report) == (["virtualmachinenetwork/lan unchanged"], [])
    assert apply(node, file) == ["virtualmachinenetwork/lan configured"]
    assert "<hostname>db</hostname>" in node.networks.by_name("other").xml()


def test_a_network_is_up_and_starts_with_the_node_unless_the_object_says_otherwise(
    node: Hypervisor, write: Callable[..., str]
) -> None:
    apply(node, write(network("other")))
    other = node.networks.by_name("other")
    assert (other.active, other.autostart) == (True, True)
    apply(node, write(network("other", "active: false, autostart: false, ")))
    assert (other.active, other.autostart) == (False, False)


def test_how_old_it_is_is_known_and_stays(node: Hypervisor, write: Callable[..., str]) -> None:
    def made() -> str:
        (found,) = listing(node, Query("VirtualMachineNetwork")).objects
        return str(found["metadata"]["creationTimestamp"])

    apply(node, write(network("other")))
    before = made()
    assert before.endswith("Z")
    apply(node, write(network("other", "driftPolicy: Report, ")))
    assert made() == before


class Fault:
    """Lets the first calls that change something through, and then none."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def before(self, call: Call) -> None:
        if call.mutating:
            self.calls -= 1
            if self.calls < 0:
                raise ConnectionError

    def after(self, call: Call, error: LibvirtError | None) -> None:
        pass


@pytest.mark.parametrize("calls", range(4))
def test_a_network_that_was_left_half_made_is_finished_by_the_next_apply(
    node: Hypervisor, write: Callable[..., str], calls: int
) -> None:
    file = write(network("other"))
    with contextlib.suppress(ConnectionError), hooked(Fault(calls)):
        apply(node, file)
    apply(node, file)
    assert recorded(node, file) == (["virtualmachinenetwork/lan unchanged"], [])
    assert node.networks.by_name("other").active


def pool(path: Path, spec: str = "") -> str:
    head = "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineStoragePool\nmetadata: {name: data}\n"
    return f"{head}spec: {{{spec}pool: {{type: dir, target: {{path: {path}}}}}}}\n"


@pytest.mark.libvirt
def test_the_folder_of_a_pool_is_made_where_it_is_missing(
    qemu: Hypervisor, write: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "pool"
    (line,) = apply(qemu, write(pool(folder, "buildPolicy: Never, ")))
    assert line.startswith("error: ")
    assert not folder.exists()
    assert apply(qemu, write(pool(folder))) == ["virtualmachinestoragepool/data configured"]
    assert folder.is_dir()
    assert recorded(qemu, write(pool(folder))) == (["virtualmachinestoragepool/data unchanged"], [])
    definitions.delete(qemu, DATA)
    assert folder.is_dir()


@pytest.mark.libvirt
def test_the_folder_of_a_pool_that_was_up_before_is_not_made_anew(
    qemu: Hypervisor, write: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "pool"
    apply(qemu, write(pool(folder)))
    qemu.pools.by_name("data").destroy()
    folder.rmdir()
    (line,) = apply(qemu, write(pool(folder)))
    assert line.startswith("error: ")
    assert not folder.exists()
    definitions.delete(qemu, DATA)
