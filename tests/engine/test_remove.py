"""What `apply --prune`, and `delete -l`, take away, and what they never do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import apply as engine
from executor.engine import ownership, remove, source
from executor.engine.objects import selected
from schemas.errors import InputError, KubevmmError
from tests.engine.objects import apply, vm

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.hypervisor import Hypervisor

SHOP = "labels: {app: shop}"


def _pruned(node: Hypervisor, file: str, selector: str = "app=shop", namespace: str | None = None) -> list[str]:
    refs = remove.prunable(node, source.read([file]), selector, namespace)
    return [f"{each.ref} {each.done}" for each in remove.remove(node, refs)]


def test_what_was_applied_with_the_label_and_is_no_longer_there_is_pruned(
    node: Hypervisor, write: Callable[..., str]
) -> None:
    network = (
        "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineNetwork\nmetadata: {name: lan, labels: {app: shop}}\n"
    )
    network += "spec: {network: {name: lan}}\n"
    apply(node, write("---\n".join([vm("a", metadata=SHOP), vm("b", metadata=SHOP), network])))
    assert _pruned(node, write(vm("a", metadata=SHOP))) == [
        "virtualmachine/b deleted",
        "virtualmachinenetwork/lan deleted",
    ]
    assert sorted(domain.name for domain in node.domains.all()) == ["default_a", "runs"]


# What is there besides default/a, which is what the files say, and the selector.
KEPT = {
    "without the label": (vm("b"), "app=shop"),
    "with another label": (vm("b", metadata="labels: {app: blog}"), "app=shop"),
    "in another namespace": (vm("b", metadata=f"namespace: other\n{SHOP}"), "app=shop"),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_the_selector_or_the_namespaces_leave_out_stays(
    node: Hypervisor, write: Callable[..., str], case: str
) -> None:
    other, selector = KEPT[case]
    apply(node, write(f"{vm('a', metadata=SHOP)}---\n{other}"))
    assert _pruned(node, write(vm("a", metadata=SHOP)), selector) == []


def test_another_namespace_is_pruned_where_it_is_named(node: Hypervisor, write: Callable[..., str]) -> None:
    other = vm("b", metadata=f"namespace: other\n{SHOP}")
    apply(node, write(f"{vm('a', metadata=SHOP)}---\n{other}"))
    assert _pruned(node, write(vm("a", metadata=SHOP)), namespace="other") == ["virtualmachine/b deleted"]


def test_what_is_to_be_retained_is_released(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(f"{vm('a')}---\n{vm('b', spec='deletionPolicy: Retain', metadata=SHOP)}"))
    assert _pruned(node, write(vm("a"))) == ["virtualmachine/b released"]
    assert node.domains.by_name("default_b").persistent


def test_what_is_not_managed_or_was_only_adopted_is_never_pruned(node: Hypervisor, write: Callable[..., str]) -> None:
    node.domains.define(
        "<domain type='test'><name>plain</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    )
    ownership.adopt(node, "runs", "default")
    apply(node, write(f"{vm('a')}---\n{vm('b')}"))
    assert _pruned(node, write(vm("a")), selector="") == ["virtualmachine/b deleted"]
    assert sorted(domain.name for domain in node.domains.all()) == ["default_a", "plain", "runs"]


def test_nothing_is_pruned_for_an_input_without_objects(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm("a", metadata=SHOP)))
    with pytest.raises(KubevmmError, match="nothing is pruned"):
        _pruned(node, write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"))


def test_what_is_chosen_by_labels_is_of_the_kind_and_the_namespace(node: Hypervisor, write: Callable[..., str]) -> None:
    other = vm("b", metadata=f"namespace: other\n{SHOP}")
    apply(node, write("---\n".join([vm("a", metadata=SHOP), vm("c"), other])))
    assert [ref.name for ref in remove.chosen(node, ["VirtualMachine"], "default", "app=shop")] == ["a"]
    assert [ref.name for ref in remove.chosen(node, ["VirtualMachine"], "default", "")] == ["a", "c"]


def test_only_what_has_the_labels_is_applied(node: Hypervisor, write: Callable[..., str]) -> None:
    declared = source.read([write(f"{vm('a', metadata=SHOP)}---\n{vm('b')}")])
    assert [done.declared.ref.name for done in engine.apply(node, declared, selector="app=shop")] == ["a"]


def test_what_was_applied_is_shown_as_it_is_on_the_node(node: Hypervisor, write: Callable[..., str]) -> None:
    declared = source.read([write(f"{vm('a', spec='runStrategy: Always')}---\n{vm('b', spec='nodeName: elsewhere')}")])
    shown = engine.objects(node, engine.apply(node, declared))
    assert [obj["metadata"]["name"] for obj in shown] == ["a", "b"]
    assert shown[0]["status"]["printableStatus"] == "Running"
    assert "status" not in shown[1]


LABELS = {"app": "web", "tier": "front", "kubevmm.io/zone": "b"}
SELECTORS = {
    "": True,
    "app=web": True,
    "app==web , tier!=db": True,
    "app": True,
    "!app": False,
    "!old": True,
    "old=": False,
    "team!=red": True,
    "app in (web, shop)": True,
    "app notin (web,shop),tier": False,
    "team notin (red)": True,
    "kubevmm.io/zone in (a,b),app=web": True,
    "kubevmm.io/zone in (a)": False,
}


@pytest.mark.parametrize("selector", SELECTORS)
def test_selectors_are_kubectls(selector: str) -> None:
    assert selected(LABELS, selector) is SELECTORS[selector]


@pytest.mark.parametrize("selector", ["app=web tier=db", "app in web", "=web", "app=(web)", "app in (a", "app=$(x)"])
def test_what_is_no_selector_selects_nothing(selector: str) -> None:
    with pytest.raises(InputError, match="is no label selector"):
        selected(LABELS, selector)
