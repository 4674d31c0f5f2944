"""The estate of the examples, imported as a user would."""

from __future__ import annotations

import json
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest
import yaml

from analyser import documents, xmlreader
from analyser.importer.proof import compare
from tests.cli.command import virtctl
from tests.importer.estates import OPENSTACK, guests, imported, read, tree

if TYPE_CHECKING:
    from pathlib import Path

WHERE = {
    "billing/billing-db-1": "compute-1",
    "billing/billing-quorum-1": "compute-1",
    "billing/billing-quorum-2": "compute-2",
    "billing/desk-win-1": "compute-2",
    "billing/ledger-archive": "legacy-1",
    "billing/vault-1": "compute-1",
    "default/ops-toolbox": "compute-2",
    "research-lab/edge-probe-1": "compute-2",
    "research-lab/gpu-train-1": "compute-2",
    "research-lab/rt-control-1": "compute-1",
    "research-lab/sim-mesh-1": "compute-1",
    "web-shop/cafe-kiosk-2": "legacy-1",
    "web-shop/shop-front-1": "compute-1",
    "web-shop/shop-front-2": "compute-2",
    "web-shop/shop-store-1": "compute-2",
    "web-shop/ukasz-s-r-d-prufstand": "compute-1",
}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("estate") / "out"
    imported(OPENSTACK, output)
    return output


def test_every_whole_guest_is_in_its_projects_namespace_on_its_node(estate: Path) -> None:
    assert {name: guest["spec"]["nodeName"] for name, guest in guests(estate).items()} == WHERE


def test_what_is_adopted_is_neither_started_nor_deleted(estate: Path) -> None:
    for guest in guests(estate).values():
        assert (guest["spec"]["runStrategy"], guest["spec"]["deletionPolicy"]) == ("Manual", "Retain")


def test_novas_words_are_labels_and_annotations(estate: Path) -> None:
    metadata = guests(estate)["research-lab/sim-mesh-1"]["metadata"]
    assert metadata["labels"]["nova.kubevmm.io/project"] == "Research-Lab"
    assert metadata["annotations"]["nova.kubevmm.io/project"] == "Research Lab"
    for name in ("flavor", "image", "user", "created"):
        assert f"nova.kubevmm.io/{name}" in metadata["labels"], name
        assert f"nova.kubevmm.io/{name}" in metadata["annotations"], name


def test_a_guest_comes_back_as_it_was_but_for_its_password(estate: Path) -> None:
    guest = guests(estate)["billing/desk-win-1"]
    for graphics in guest["spec"]["domain"]["devices"]["graphics"]:
        assert graphics.pop("passwdSecretRef")["name"] == "desk-win-1-secrets"
    source = OPENSTACK / "compute-2/etc/libvirt/qemu/instance-0000000b.xml"
    (before,) = xmlreader.parse(source.read_bytes())
    for graphics in before.iter("graphics"):
        assert graphics.attrib.pop("passwd")
    (after,) = xmlreader.parse(documents.to_xml(guest).encode())
    compare(before, after, file="desk-win-1")


def test_passwords_are_in_a_secret_that_nobody_else_reads_and_nowhere_else(estate: Path) -> None:
    path = estate / "billing/desk-win-1-secrets.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = read(path)
    assert (secret["kind"], secret["metadata"]["namespace"]) == ("Secret", "billing")
    assert set(secret["stringData"].values()) == {"example-only", "dummy-pw"}
    for name, data in tree(estate).items():
        if name != "billing/desk-win-1-secrets.yaml":
            assert b"example-only" not in data, name
            assert b"dummy-pw" not in data, name


def test_a_network_that_both_nodes_have_is_one_object_that_says_so(estate: Path) -> None:
    network = read(estate / "kubevmm-system/networks/default.yaml")
    assert network["spec"]["nodeNames"] == ["compute-1", "compute-2"]
    assert network["spec"]["deletionPolicy"] == "Retain"
    assert network["spec"]["network"]["bridge"]["name"] == "virbr0"
    assert "uuid" not in network["spec"]["network"]


def test_a_pool_of_one_node_keeps_its_uuid_and_not_its_use(estate: Path) -> None:
    pool = read(estate / "kubevmm-system/pools/ceph-volumes.yaml")["spec"]["pool"]
    assert pool["uuid"] == "cc774cd5-b7b8-4b24-8ad1-60b13cc273e3"
    assert not {"capacity", "allocation", "available"} & set(pool)


def test_the_kustomization_lists_all_that_is_applied_and_nothing_else(estate: Path) -> None:
    listed = read(estate / "kustomization.yaml")["resources"]
    assert listed == sorted(listed)
    applied = {
        str(path.relative_to(estate))
        for path in estate.rglob("*.yaml")
        if "libvirt" not in path.relative_to(estate).parts
    }
    assert set(listed) == applied - {"kustomization.yaml"}
    spaces = {each["metadata"]["name"] for each in yaml.safe_load_all((estate / "namespaces.yaml").read_text())}
    assert spaces == {"billing", "research-lab", "web-shop", "kubevmm-system"}


def test_the_report_says_what_needs_a_person(estate: Path) -> None:
    report = json.loads((estate / "report.json").read_text())
    assert report["summary"]["guests"] == 16
    codes = {f"{g['namespace']}/{g['name']}": {f["code"] for f in g["needsAPerson"]} for g in report["guests"]}
    assert "host-device" in codes["research-lab/gpu-train-1"]
    assert {"state-on-node", "secret-value"} <= codes["billing/vault-1"]
    assert "backing-chain" in codes["web-shop/shop-front-1"]
    assert "password-moved" in codes["billing/desk-win-1"]
    assert "network-filter" in codes["default/ops-toolbox"]
    assert not {"missing-network", "missing-pool", "disk-outside-pools"} & codes["default/ops-toolbox"]
    assert "disk-outside-pools" not in codes["billing/billing-db-1"]


def test_the_broken_file_is_named_with_its_line(estate: Path) -> None:
    (failure,) = json.loads((estate / "report.json").read_text())["failures"]
    assert failure["source"].endswith("compute-2/etc/libvirt/qemu/instance-0000000e.xml")
    assert failure["line"] == 84
    assert "instance-0000000e.xml:84:" in (estate / "report.html").read_text()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "zst"])
def test_a_tar_of_it_gives_the_same_bytes(estate: Path, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "estate.tar"
    with tarfile.open(path, "w" if mode == "zst" else mode) as archive:
        archive.add(OPENSTACK, "nodes")
    if mode == "zst":
        import zstandard  # noqa: PLC0415

        path.write_bytes(zstandard.compress(path.read_bytes()))
    imported(path, tmp_path / "out", jobs=2)
    assert tree(tmp_path / "out", reports=False) == tree(estate, reports=False)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_the_number_of_processes_makes_no_difference(estate: Path, tmp_path: Path, jobs: int) -> None:
    imported(OPENSTACK, tmp_path / "out", jobs=jobs)
    assert tree(tmp_path / "out") == tree(estate)


def test_on_the_command_line_it_ends_with_a_table_and_exit_code_1(tmp_path: Path) -> None:
    done = virtctl("import", OPENSTACK, "-o", tmp_path / "out")
    assert done.returncode == 1
    assert b"compute-2" in done.stdout
    assert b"instance-0000000e.xml:84:26: not well-formed XML" in done.stderr
    assert b"example-only" not in done.stdout + done.stderr


def test_its_result_is_json_on_request(tmp_path: Path) -> None:
    done = virtctl("import", OPENSTACK, "-o", tmp_path / "out", "--format", "json")
    result = json.loads(done.stdout)
    assert (result["guests"], result["failed"]) == (16, 1)
    assert result["byNode"] == {"compute-1": 7, "compute-2": 7, "legacy-1": 2}


def test_one_namespace_for_all_and_one_node_for_all(tmp_path: Path) -> None:
    done = virtctl("import", OPENSTACK, "-o", tmp_path / "out", "-n", "lab", "--node", "host-9")
    assert done.returncode == 1
    found = guests(tmp_path / "out")
    assert len(found) == 16
    assert {name.partition("/")[0] for name in found} == {"lab"}
    assert {guest["spec"]["nodeName"] for guest in found.values()} == {"host-9"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("import", "nowhere", "-o", "out"), 1, b"nowhere: no such file"),
        (("import", "nowhere"), 2, b"Missing option"),
        (("import", str(OPENSTACK), "-o", "out", "-n", "Not A Namespace"), 1, b"is no namespace"),
        (("import", str(OPENSTACK), "-o", "out", "-n", "../../x"), 1, b"is no namespace"),
        (("import", str(OPENSTACK), "-o", "out", "-n", "kube-system"), 1, b"belongs to Kubernetes"),
        (("import", str(OPENSTACK), "-o", "out", "--node", "../x"), 1, b"is no node's name"),
        (("import", "empty", "-o", "out"), 1, b"nothing to import"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: bytes
) -> None:
    (tmp_path / "empty").mkdir()
    done = virtctl(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert not list((tmp_path / "out").glob("*.yaml"))
