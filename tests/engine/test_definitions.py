"""Networks are adopted as they are, and deleted only where they are ours; pools go the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import definitions
from executor.engine.objects import Ref
from executor.hypervisor.errors import NotFound
from tests.engine.objects import apply, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.hypervisor import Hypervisor

LAN = Ref("VirtualMachineNetwork", "default", "lan")


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
