"""What `virtctl fit` knows of a cluster: what its Pods take, who has a place already, and where disks are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from executor.cli.fitting import cluster, taken
from tests.scheduler.test_filters import GUEST, NODE, changed
from tests.scheduler.test_fit import KUBERNETES_NODE, fit, guests, nodes

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1 << 20


def container(restart: str = "", **requests: str) -> dict[str, Any]:
    return {"resources": {"requests": requests}, **({"restartPolicy": restart} if restart else {})}


def pod(name: str, node: str, phase: str = "Running", **requests: str) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": node, "containers": [container(**requests)]},
        "status": {"phase": phase},
    }


TAKEN: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "its containers together": (
        {"containers": [container(cpu="250m", memory="64Mi"), container(cpu="1")]},
        {"cpu": 1250, "memory": 64 * MEBIBYTE},
    ),
    "what runs before them, where that is more": (
        {"containers": [container(cpu="1")], "initContainers": [container(cpu="2"), container(cpu="1500m")]},
        {"cpu": 2000},
    ),
    "what runs beside them": (
        {"containers": [container(cpu="1")], "initContainers": [container("Always", cpu="500m"), container(cpu="1")]},
        {"cpu": 1500},
    ),
    "what its runtime takes": ({"containers": [container(cpu="1")], "overhead": {"cpu": "100m"}}, {"cpu": 1100}),
    "what the whole Pod asks for": (
        {"containers": [container(cpu="1")], "resources": {"requests": {"cpu": "3"}}},
        {"cpu": 3000},
    ),
}


@pytest.mark.parametrize(("spec", "amounts"), TAKEN.values(), ids=TAKEN)
def test_a_pod_takes_what_kube_scheduler_counts(spec: dict[str, Any], amounts: dict[str, int]) -> None:
    assert taken(spec) == {**amounts, "pods": 1}


def test_pods_that_are_over_take_nothing_of_their_node() -> None:
    found = cluster([KUBERNETES_NODE, pod("done", "n1", "Succeeded", cpu="2"), pod("other", "n1", cpu="3")])
    assert found.nodes[0].taken == {"cpu": 3000, "pods": 1}


def test_what_runs_on_a_node_leaves_less_room(tmp_path: Path) -> None:
    file = nodes(tmp_path / "n.json", NODE, KUBERNETES_NODE, pod("web", "n1", cpu="4500m"))
    found = fit(guests(tmp_path / "vms", 2), file, code=1)
    assert len(found["placed"]) == 1
    assert list(found["leftOver"].values()) == [{"Insufficient cpu": 1}]


def test_a_guest_that_has_its_place_keeps_it(tmp_path: Path) -> None:
    there = pod("web-1-placement", "n1", cpu="2")
    there["metadata"] |= {
        "labels": {"kubevmm.io/vm": "web-1"},
        "ownerReferences": [{"kind": "VirtualMachine", "name": "web-1"}],
    }
    file = nodes(tmp_path / "n.json", NODE, KUBERNETES_NODE, there)
    found = fit(guests(tmp_path / "vms", 2), file, code=0)
    assert found["placed"] == {"shop/web-0": "n1", "shop/web-1": "n1"}
    assert found["there"] == ["shop/web-1"]
    assert found["nodes"][0]["taken"]["cpu"] == 4


def test_a_node_has_so_many_pods(tmp_path: Path) -> None:
    few = changed(KUBERNETES_NODE, "status.allocatable.pods", "1")
    found = fit(guests(tmp_path / "vms", 2), nodes(tmp_path / "n.json", NODE, few), code=1)
    assert list(found["leftOver"].values()) == [{"Too many pods": 1}]


def test_taints_keep_guests_away_that_do_not_bear_them(tmp_path: Path) -> None:
    tainted = changed(KUBERNETES_NODE, "spec", {"taints": [{"key": "gpu", "effect": "NoSchedule"}]})
    file = nodes(tmp_path / "n.json", NODE, tainted)
    found = fit(guests(tmp_path / "one", 1), file, code=1)
    assert found["leftOver"] == {"shop/web-0": {"node(s) had untolerated taint(s)": 1}}
    fit(guests(tmp_path / "two", 1, tolerations=[{"key": "gpu", "operator": "Exists"}]), file, code=0)


@pytest.mark.parametrize(("pool", "code"), [("images", 0), ("ceph", 1)])
def test_disks_of_the_estate_are_known_by_their_pools(tmp_path: Path, pool: str, code: int) -> None:
    source = [{"type": "volume", "source": {"diskRef": {"name": "root"}}}]
    domain = changed(GUEST, "spec.domain.devices.disks", source)["spec"]["domain"]
    folder = guests(tmp_path / "vms", 1, domain=domain)
    made = {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineDisk",
        "metadata": {"name": "root", "namespace": "shop"},
        "spec": {"poolRef": {"namespace": "infra", "name": pool}},
    }
    (folder / "disk.yaml").write_text(json.dumps(made))
    fit(folder, nodes(tmp_path / "n.json", NODE), code=code)
