"""`virtctl fit`: which guests of an estate fit on which nodes, and why the others do not."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command import virtctl
from tests.scheduler.test_filters import GUEST, NODE, changed

if TYPE_CHECKING:
    from pathlib import Path

KUBERNETES_NODE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1", "labels": {"disk": "ssd"}},
    "status": {"allocatable": {"cpu": "7900m", "memory": "16Gi"}},
}


def guests(folder: Path, count: int, **spec: Any) -> Path:
    folder.mkdir()
    for number in range(count):
        made = copy.deepcopy(GUEST) | {"apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachine"}
        made["metadata"]["name"] = f"web-{number}"
        made["spec"] |= spec
        (folder / f"{number}.yaml").write_text(json.dumps(made))
    return folder


def nodes(file: Path, *found: dict[str, Any]) -> Path:
    ours = {"apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachineNode"}
    items = [each if "kind" in each else {**ours, **each} for each in found]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return file


def fit(folder: Path, file: Path, *options: str, code: int) -> dict[str, Any]:
    done = virtctl("fit", folder, "--nodes", file, "-o", "json", *options)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_guests_go_where_there_is_room_and_the_rest_is_left_over(tmp_path: Path) -> None:
    # Two vCPUs and 4 GiB each: three fit into 7.9 CPUs, one less than into the memory.
    found = fit(guests(tmp_path / "vms", 5), nodes(tmp_path / "n.json", NODE, KUBERNETES_NODE), code=1)
    assert len(found["placed"]) == 3
    assert list(found["leftOver"].values()) == [{"Insufficient cpu": 1, "Insufficient memory": 1}] * 2
    assert found["nodes"][0]["taken"]["cpu"] == 6


def test_guests_are_spread_over_equal_nodes(tmp_path: Path) -> None:
    two = (NODE, changed(NODE, "metadata.name", "n2"))
    found = fit(guests(tmp_path / "vms", 4), nodes(tmp_path / "n.json", *two), code=0)
    assert sorted(found["placed"].values()) == ["n1", "n1", "n2", "n2"]


def test_the_filters_say_why_and_can_be_left_out(tmp_path: Path) -> None:
    domain = changed(GUEST, "spec.domain.devices.interfaces", [{"type": "network", "source": {"network": "dmz"}}])
    folder = guests(tmp_path / "vms", 1, domain=domain["spec"]["domain"])
    file = nodes(tmp_path / "n.json", NODE)
    assert fit(folder, file, code=1)["leftOver"] == {"shop/web-0": {"has no network dmz that is up": 1}}
    assert fit(folder, file, "--ignore", "network", code=0)["placed"] == {"shop/web-0": "n1"}


@pytest.mark.parametrize(("selector", "code"), [({"disk": "ssd"}, 0), ({"disk": "hdd"}, 1)])
def test_a_nodes_labels_count(tmp_path: Path, selector: dict[str, str], code: int) -> None:
    fit(guests(tmp_path / "v", 1, nodeSelector=selector), nodes(tmp_path / "n.json", NODE, KUBERNETES_NODE), code=code)


def test_a_guest_that_names_a_node_goes_there_unless_told_otherwise(tmp_path: Path) -> None:
    folder, file = guests(tmp_path / "vms", 1, nodeName="old"), nodes(tmp_path / "n.json", NODE)
    assert fit(folder, file, code=1)["leftOver"] == {"shop/web-0": {"it is to be on old": 1}}
    fit(folder, file, "--anywhere", code=0)


def test_people_get_a_table_and_the_names_of_what_is_left(tmp_path: Path) -> None:
    done = virtctl("fit", guests(tmp_path / "vms", 5), "--nodes", nodes(tmp_path / "n.json", NODE, KUBERNETES_NODE))
    text = done.stdout.decode()
    assert "6 of 7" in text
    assert "3 of 5 guests fit on 1 nodes" in text
    assert "2 left over: 1 nodes: Insufficient cpu" in text


@pytest.mark.parametrize(
    ("written", "options", "said"),
    [
        ('{"kind": "Pod"}', (), "no VirtualMachineNode and no Node"),
        ("[", (), "n.json:1"),
        (json.dumps(NODE | {"kind": "VirtualMachineNode"}), ("--ignore", "luck"), "luck is no filter"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, written: str, options: tuple[str, ...], said: str) -> None:
    (tmp_path / "n.json").write_text(written)
    done = virtctl("fit", guests(tmp_path / "vms", 1), "--nodes", tmp_path / "n.json", *options)
    assert done.returncode == 1
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
