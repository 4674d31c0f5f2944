"""`virtctl compare` as a user runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import EXAMPLES, GUEST, lines, virtctl

if TYPE_CHECKING:
    from pathlib import Path

A = """\
<domain type='kvm'>
  <name>web-1</name>
  <memory unit='KiB'>4194304</memory>
  <devices>
    <disk type='file' device='disk'>
      <source file='/var/lib/libvirt/images/web-1.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <graphics type='vnc' passwd='one secret'/>
  </devices>
</domain>
"""


@pytest.fixture
def a(tmp_path: Path) -> Path:
    file = tmp_path / "a.xml"
    file.write_text(A)
    return file


def test_xml_and_the_yaml_that_it_becomes_are_the_same(tmp_path: Path, a: Path) -> None:
    virtctl("convert", a, "-o", tmp_path / "a.yaml")
    for one, other in ((a, tmp_path / "a.yaml"), (tmp_path / "a.yaml", a), (a, a)):
        done = virtctl("compare", one, other)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_differences_are_one_line_each_and_exit_1(a: Path) -> None:
    b = A.replace("4194304", "8388608").replace("bus='virtio'", "bus='scsi'").replace(" device='disk'", "")
    done = virtctl("compare", a, "-", stdin=b.encode())
    assert (done.returncode, done.stderr) == (1, b"")
    assert lines(done.stdout) == [
        "spec.domain.memory: 4Gi -> 8Gi",
        "- spec.domain.devices.disks[vda].device: disk",
        "spec.domain.devices.disks[vda].target.bus: virtio -> scsi",
    ]
    turned = lines(virtctl("compare", "-", a, stdin=b.encode()).stdout)
    assert "+ spec.domain.devices.disks[vda].device: disk" in turned


def test_json_says_the_same_to_programs(a: Path) -> None:
    done = virtctl("compare", a, "-", "-o", "json", stdin=A.replace("4194304", "8388608").encode())
    assert done.returncode == 1
    assert json.loads(done.stdout) == [
        {"document": "VirtualMachine/web-1", "path": "spec.domain.memory", "change": "changed", "a": "4Gi", "b": "8Gi"}
    ]
    same = virtctl("compare", a, "-", "-o", "json", stdin=A.encode())
    assert (same.returncode, json.loads(same.stdout)) == (0, [])


@pytest.mark.parametrize("how", [[], ["-o", "json"], ["--xml"]], ids=["text", "json", "xml"])
def test_a_secret_is_compared_and_never_shown(a: Path, how: list[str]) -> None:
    done = virtctl("compare", a, "-", *how, stdin=A.replace("one secret", "another secret").encode())
    assert done.returncode == 1
    assert b"passwd" in done.stdout
    assert b"one secret" not in done.stdout
    assert b"another secret" not in done.stdout


def test_xml_shows_the_steps_from_one_to_the_other(a: Path) -> None:
    done = virtctl("compare", a, "-", "--xml", stdin=A.replace("vda", "vdb").encode())
    assert (done.returncode, lines(done.stdout)) == (
        1,
        ['[update-attribute, /domain/devices/disk/target[1], dev, "vdb"]'],
    )
    assert virtctl("compare", a, a, "--xml").returncode == 0


def test_what_is_too_large_for_xmldiff_is_shown_by_key_paths(a: Path) -> None:
    many = "".join(f"<disk type='file'><target dev='vd{number}'/></disk>" for number in range(3000))
    done = virtctl("compare", a, "-", "--xml", stdin=A.replace("</devices>", f"{many}</devices>").encode())
    assert done.returncode == 1
    assert "too large for xmldiff" in lines(done.stderr)[0]
    assert lines(done.stdout)[0].startswith("+ spec.domain.devices.disks[vd0]: ")


def test_several_documents_are_compared_pair_by_pair(tmp_path: Path) -> None:
    one, other = tmp_path / "one.xml", tmp_path / "other.xml"
    one.write_text(A + A.replace("web-1", "web-2") + A.replace("web-1", "web-3"))
    other.write_text(A.replace("web-1", "web-4") + A.replace("web-1", "web-2").replace("vda", "vdb") + A)
    done = virtctl("compare", one, other)
    assert done.returncode == 1
    assert lines(done.stdout) == [
        "VirtualMachine/web-2: spec.domain.devices.disks[vda].target.dev: vda -> vdb",
        "- VirtualMachine/web-3: the whole document",
        "+ VirtualMachine/web-4: the whole document",
    ]


def test_documents_of_different_kinds_are_different(a: Path) -> None:
    done = virtctl("compare", a, "-", stdin=b"<network><name>web-1</name></network>")
    assert done.returncode == 1
    assert lines(done.stdout) == [
        "- VirtualMachine/web-1: the whole document",
        "+ VirtualMachineNetwork/web-1: the whole document",
    ]


def test_runtime_state_can_be_left_out(a: Path) -> None:
    running = A.replace("<domain type='kvm'>", "<domain type='kvm' id='7'>")
    assert virtctl("compare", a, "-", stdin=running.encode()).returncode == 1
    assert virtctl("compare", a, "-", "--ignore-runtime", stdin=running.encode()).returncode == 0


TROUBLE = {
    "not there": ["nosuch.xml", "a.xml"],
    "a folder": [".", "a.xml"],
    "standard input twice": ["-", "-"],
    "not well-formed": ["a.xml", "broken.xml"],
    "nothing in it": ["a.xml", "empty.yaml"],
    "nothing for libvirt": ["a.xml", "secret.yaml"],
    "cannot be XML": ["a.xml", "wrong.yaml"],
    "two ways at once": ["a.xml", "a.xml", "--xml", "-o", "json"],
}


@pytest.mark.parametrize("arguments", TROUBLE.values(), ids=TROUBLE.keys())
def test_what_cannot_be_compared_is_exit_2_and_one_line(tmp_path: Path, a: Path, arguments: list[str]) -> None:
    (tmp_path / "broken.xml").write_text("<domain>")
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "secret.yaml").write_text("apiVersion: v1\nkind: Secret\n")
    (tmp_path / "wrong.yaml").write_text(
        "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nspec: {domain: {x: 1}}\n"
    )
    done = virtctl("compare", *arguments, cwd=a.parent)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len([line for line in lines(done.stderr) if line.startswith("error: ")]) == 1


def test_every_example_is_the_same_as_what_it_becomes(tmp_path: Path) -> None:
    virtctl("convert", EXAMPLES / "guests", "-o", tmp_path)
    for source in (EXAMPLES / "guests").rglob("*.xml"):
        yaml = tmp_path / source.relative_to(EXAMPLES / "guests").with_suffix(".yaml")
        assert virtctl("compare", source, yaml).returncode == 0
    assert GUEST.exists()
