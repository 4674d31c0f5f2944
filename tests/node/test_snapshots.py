"""Snapshots with memory, seen from inside; what describe, vnc and the rest say of a guest that runs."""

from __future__ import annotations

import json
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.harness.libvirtd import find_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.conftest import Machine

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]


@pytest.fixture(scope="module")
def kept(machine: Machine) -> Machine:
    """The guest with a disk that can hold its memory."""
    image = machine.folder / "kept.qcow2"
    subprocess.run([str(find_program("qemu-img")), "create", "-q", "-f", "qcow2", image, "64M"], check=True, timeout=60)
    image.chmod(0o666)
    machine.virtctl("disk", "attach", machine.name, image)
    machine.until("disks", {"vda"})
    return machine


def snapshots(machine: Machine) -> dict[str, dict[str, object]]:
    done = machine.virtctl("snapshot", "list", machine.name, "-o", "json")
    return {each["name"]: each for each in json.loads(done.stdout)}


def test_a_snapshot_with_memory_brings_the_count_back(kept: Machine) -> None:
    # Paused, so that it is known which number comes first after it.
    kept.virtctl("pause", kept.name)
    done = kept.virtctl("snapshot", "create", kept.name, "early", "--description", "what was")
    assert done.stdout == b"snapshot/early created\n"
    first = first_after_resume(kept)
    while kept.tick().number < first + 4:
        pass
    kept.let_go()
    kept.virtctl("snapshot", "revert", "vm", kept.name, "early")
    assert kept.domain.state().state == "paused"
    # A line of which half was written before may or may not count.
    assert abs(first_after_resume(kept) - first) <= 1


def first_after_resume(machine: Machine) -> int:
    machine.let_go()
    machine.listen()
    machine.virtctl("resume", machine.name)
    return int(machine.expect(rb"tick (\d+) ")[1])


def test_snapshots_are_listed_as_a_tree_and_deleted(kept: Machine) -> None:
    kept.virtctl("snapshot", "create", "vm", kept.name, "late")
    found = snapshots(kept)
    assert found["late"]["parent"] == "early"
    assert (found["early"]["memory"], found["early"]["description"]) == (True, "what was")
    assert [name for name, each in found.items() if each["current"]] == ["late"]
    assert b"early" in kept.virtctl("snapshot", "list", kept.name).stdout
    assert kept.virtctl("snapshot", "delete", kept.name, "late").stdout == b"snapshot/late deleted\n"
    assert list(snapshots(kept)) == ["early"]
    assert b"late" in kept.virtctl("snapshot", "revert", kept.name, "late", code=1).stderr
    assert b"slash" in kept.virtctl("snapshot", "create", kept.name, "../up", code=1).stderr
    kept.virtctl("snapshot", "delete", kept.name, "early", "--children")
    assert snapshots(kept) == {}


def test_describe_says_what_runs(kept: Machine) -> None:
    found = json.loads(kept.virtctl("describe", "vm", kept.name, "-o", "json").stdout)
    assert (found["name"], found["uuid"], found["state"]) == (kept.name, kept.domain.uuid, "running")
    assert (found["vcpus"], found["maxVcpus"], found["memory"]) == (1, 2, 192 << 20)
    assert [(disk["target"], disk["format"]) for disk in found["disks"]] == [("sda", ""), ("vda", "qcow2")]
    text = kept.virtctl("describe", kept.name).stdout.decode()
    for piece in (kept.name, kept.domain.uuid, "running (", "1 of 2", "kept.qcow2", "64Mi", "Snapshots:"):
        assert piece in text


def test_vnc_says_where_the_screen_is_and_pictures_it(kept: Machine, tmp_path: Path) -> None:
    host, _, port = kept.virtctl("vnc", kept.name, "--address").stdout.decode().strip().rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) >= 5900
    picture = tmp_path / "screen.png"
    kept.virtctl("vnc", "vm", kept.name, "--screenshot", picture)
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    begin = content.index(b"IDAT")
    (size,) = struct.unpack(">I", content[begin - 4 : begin])
    assert len(zlib.decompress(content[begin + 4 : begin + 4 + size])) == (width * 3 + 1) * height
    assert [path.name for path in tmp_path.iterdir()] == ["screen.png"]
    assert b"No such file" in kept.virtctl("vnc", kept.name, "--screenshot", "/nosuch/x.png", code=1).stderr
