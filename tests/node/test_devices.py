"""Disks, NICs and media in and out of a guest that runs, as the guest sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.conftest import Machine

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]

MIB = 1 << 20


def image(machine: Machine, name: str, size: int = MIB) -> Path:
    path = machine.folder / name
    path.write_bytes(b"")
    path.chmod(0o666)
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def listed(machine: Machine, what: str) -> list[dict[str, object]]:
    done = machine.virtctl(what, "list", machine.name, "-o", "json")
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_a_disk_comes_grows_and_goes_while_the_guest_runs(machine: Machine) -> None:
    assert machine.virtctl("disk", "attach", machine.name, image(machine, "a.img")).stdout == b"disk/vda attached\n"
    machine.until("disks", {"vda"})
    entry = next(disk for disk in listed(machine, "disk") if disk["target"] == "vda")
    assert (entry["bus"], entry["format"], entry["capacity"]) == ("virtio", "raw", MIB)
    assert "vda" in machine.domain.xml(inactive=True)

    machine.virtctl("disk", "resize", "vm", machine.name, "vda", "3Mi")
    assert machine.typed("cat /sys/block/vda/size", rb"\b6144\b")
    assert b"lose" in machine.virtctl("disk", "resize", machine.name, "vda", "1Mi", code=1).stderr

    machine.virtctl("disk", "detach", "vm", machine.name, "vda")
    machine.until("disks", {"vda"}, there=False)
    assert "vda" not in machine.domain.xml() + machine.domain.xml(inactive=True)


def test_a_disk_for_now_alone_is_not_in_the_definition(machine: Machine) -> None:
    source = image(machine, "b.img")
    machine.virtctl("disk", "attach", machine.name, source, "--target", "vdq", "--live", "--serial", "abc123")
    machine.until("disks", {"vda"})
    assert "vdq" in machine.domain.xml()
    assert "vdq" not in machine.domain.xml(inactive=True)
    assert machine.typed("cat /sys/block/vda/serial", rb"abc123")
    machine.virtctl("disk", "detach", machine.name, "vdq")
    machine.until("disks", {"vda"}, there=False)


def test_a_nic_comes_and_goes_while_the_guest_runs(machine: Machine) -> None:
    mac = "52:54:00:0a:0b:0c"
    done = machine.virtctl("nic", "attach", machine.name, "--user", "--mac", mac.upper())
    assert done.stdout == f"nic/{mac} attached\n".encode()
    machine.until("nics", {"eth0"})
    assert [(nic["mac"], nic["type"], nic["model"]) for nic in listed(machine, "nic")] == [(mac, "user", "virtio")]
    assert machine.typed("cat /sys/class/net/eth0/address", mac.encode())
    machine.virtctl("nic", "detach", "vm", machine.name, mac)
    machine.until("nics", {"eth0"}, there=False)
    assert listed(machine, "nic") == []
    assert mac not in machine.domain.xml(inactive=True)


def test_media_are_read_by_the_guest_and_ejected(machine: Machine) -> None:
    medium = image(machine, "cd.iso", 2 * MIB)
    with medium.open("r+b") as file:
        file.write(b"inserted-by-hand\n")
    assert machine.virtctl("media", "insert", machine.name, medium).stdout == b"disk/sda inserted\n"
    assert machine.typed("head -n 1 /dev/sr0", rb"\binserted-by-hand\r?\n")
    assert str(medium) in machine.domain.xml(inactive=True)
    machine.virtctl("media", "eject", "vm", machine.name)
    assert str(medium) not in machine.domain.xml() + machine.domain.xml(inactive=True)


REFUSED = {
    "no such disk": (["disk", "detach", "{}", "vdz"], 1, b"no disk vdz"),
    "no such nic": (["nic", "detach", "{}", "52:54:00:00:00:00"], 1, b"no interface"),
    "a relative path": (["disk", "attach", "{}", "images"], 1, b"absolute path"),
    "a file that is not there": (["disk", "attach", "{}", "/nosuch/disk.img"], 1, b"/nosuch/disk.img"),
    "no such bus": (["disk", "attach", "{}", "/x", "--bus", "isa"], 1, b"virtio"),
    "a size without a unit": (["disk", "resize", "{}", "vda", "10"], 2, b"no unit"),
    "no kind of network": (["nic", "attach", "{}"], 2, b"--network"),
    "two kinds of network": (["nic", "attach", "{}", "--user", "--bridge", "br0"], 2, b"--network"),
    "no MAC address": (["nic", "attach", "{}", "--user", "--mac", "1:2"], 1, b"no MAC address"),
    "no such drive": (["media", "eject", "{}", "--target", "sdz"], 1, b"no drive sdz"),
    "too few words": (["disk", "detach", "{}"], 2, b"TARGET"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_said_in_one_line_and_changes_nothing(
    machine: Machine, arguments: list[str], code: int, said: bytes
) -> None:
    before = machine.domain.xml(), machine.domain.xml(inactive=True)
    done = machine.virtctl(*(each.format(machine.name) for each in arguments), code=code)
    assert said in done.stderr
    assert (machine.domain.xml(), machine.domain.xml(inactive=True)) == before
