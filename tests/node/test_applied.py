"""What files say arrives in a guest that runs, as it sees it itself: one boot of the demonstration's guest."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from analyser import yamlreader
from executor.hypervisor.errors import LibvirtError
from tests.cli.command import EXAMPLES, virtctl
from tests.node.conftest import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]

MIB = 1 << 20
NIC = {"type": "user", "mac": {"address": "52:54:00:0d:0e:0f"}, "model": {"type": "virtio"}}
PORTS = [{"type": "pci", "model": "pcie-root"}, *({"type": "pci", "model": "pcie-root-port"} for _ in range(8))]


class Applied:
    """The guest, the file that says how it should be, and what that says."""

    def __init__(self, machine: Machine, spec: dict[str, Any], env: dict[str, str | None]) -> None:
        self.machine = machine
        self.spec = spec
        self.run = machine.run
        self._env = env

    def apply(self, spec: dict[str, Any], said: str = "configured") -> str:
        """Apply *spec*, which must change the guest, or not, as *said*; return what is noted of it.

        It must not be started anew for it.
        """
        self.spec = spec
        file = self.machine.folder / "guest.yaml"
        write(file, spec)
        for outcome in (said, "unchanged"):
            done = virtctl("apply", "-f", file, env=self._env)
            assert (done.returncode, done.stdout.decode()) == (0, f"virtualmachine/counter {outcome}\n"), done.stderr
        assert self.machine.run == self.run
        return done.stderr.decode()

    def applied(self, *objects: dict[str, Any]) -> list[str]:
        """Apply *objects* beside the guest's, and return what is said of each."""
        file = self.machine.folder / "others.yaml"
        file.write_text("---\n".join(json.dumps(each) + "\n" for each in objects), encoding="utf-8")
        done = virtctl("apply", "-f", file, env=self._env)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().splitlines()

    def with_(self, **devices: Any) -> dict[str, Any]:
        """Return the spec with other lists of devices."""
        changed = copy.deepcopy(self.spec)
        changed["spec"]["domain"]["devices"].update(devices)
        return changed


def write(file: Path, spec: dict[str, Any]) -> None:
    file.write_text(json.dumps(spec), encoding="utf-8")


def blank(folder: Path, name: str, content: bytes = b"") -> str:
    path = folder / name
    path.write_bytes(content.ljust(MIB, b"\0"))
    path.chmod(0o666)
    return str(path)


@pytest.fixture(scope="module")
def guest(libvirtd: Libvirtd, qemu: Hypervisor, files: tuple[Path, Path]) -> Iterator[Applied]:
    """The guest of examples/node, with room for devices and a CD drive, applied and booted."""
    folder = libvirtd.folder / "applied"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    (spec,) = yamlreader.load_all((EXAMPLES / "node" / "counter.yaml").read_text(encoding="utf-8"))
    domain = spec["spec"]["domain"]
    domain["os"].update(kernel=str(files[0]), initrd=str(files[1]))
    devices = domain["devices"]
    devices["disks"][0]["source"]["file"] = blank(folder, "one.img")
    devices["disks"][0]["driver"]["type"] = "raw"
    devices["disks"].append(
        {"type": "file", "device": "cdrom", "target": {"dev": "sdb", "bus": "scsi"}, "readonly": {}}
    )
    devices["controllers"] += PORTS
    del devices["interfaces"]
    write(folder / "guest.yaml", spec)
    env: dict[str, str | None] = {"LIBVIRT_DEFAULT_URI": libvirtd.uri, "KUBEVMM_STATE": str(folder / "state")}
    try:
        done = virtctl("apply", "-f", folder / "guest.yaml", env=env)
        assert done.returncode == 0, done.stderr
        machine = Machine(libvirtd.uri, qemu.domains.by_name("counter"), folder)
        machine.expect(rb"guest booted")
        yield Applied(machine, spec, env)
        machine.let_go()
    finally:
        with contextlib.suppress(LibvirtError):
            qemu.domains.by_name("counter").destroy()
        with contextlib.suppress(LibvirtError):
            qemu.domains.by_name("counter").undefine()
        with contextlib.suppress(LibvirtError):
            pool = qemu.pools.by_name("grown")
            pool.destroy()
            pool.undefine()


def test_the_guest_has_what_its_file_says(guest: Applied) -> None:
    tick = guest.machine.tick()
    assert (tick.disks, tick.nics, tick.cpus) == (["sda", "sr0"], ["lo"], "0")


def test_a_disk_in_the_file_comes_and_one_that_is_out_of_it_goes(guest: Applied) -> None:
    before = guest.spec["spec"]["domain"]["devices"]["disks"]
    second = copy.deepcopy(before[0])
    second["source"]["file"] = blank(guest.machine.folder, "two.img", b"second disk\n")
    second["target"]["dev"] = "sdc"
    guest.apply(guest.with_(disks=[*before, second]))
    guest.machine.until("disks", {"sda", "sdb"})
    assert guest.machine.typed("head -n 1 /dev/sdb", rb"\bsecond disk\r?\n")
    guest.apply(guest.with_(disks=before))
    assert guest.machine.until("disks", {"sdb"}, there=False).disks == ["sda", "sr0"]


def test_an_interface_in_the_file_comes_and_one_that_is_out_of_it_goes(guest: Applied) -> None:
    guest.apply(guest.with_(interfaces=[NIC]))
    guest.machine.until("nics", {"eth0"})
    assert guest.machine.typed("cat /sys/class/net/eth0/address", rb"52:54:00:0d:0e:0f")
    guest.machine.typed("ip link set eth0 up; echo carrier $((0 + $(cat /sys/class/net/eth0/carrier)))", rb"carrier 1")
    guest.apply(guest.with_(interfaces=[{**NIC, "link": {"state": "down"}}]))
    guest.machine.typed("echo carrier $((0 + $(cat /sys/class/net/eth0/carrier)))", rb"carrier 0")
    guest.apply(guest.with_(interfaces=[]))
    guest.machine.until("nics", {"eth0"}, there=False)


def test_media_are_swapped_and_ejected(guest: Applied) -> None:
    disk, drive = guest.spec["spec"]["domain"]["devices"]["disks"]
    for name in ("first", "second"):
        medium = blank(guest.machine.folder, f"{name}.iso", f"medium {name}\n".encode())
        guest.apply(guest.with_(disks=[disk, {**drive, "source": {"file": medium}}]))
        guest.machine.typed("head -n 1 /dev/sr0", rb"\bmedium " + name.encode() + rb"\r?\n")
    guest.apply(guest.with_(disks=[disk, drive]))
    assert guest.machine.typed("head -n 1 /dev/sr0", rb"No medium found")


def test_memory_and_vcpus_follow_the_file(guest: Applied) -> None:
    first = guest.machine.tick()
    # No CPU is taken away while it runs: QEMU's software emulation would not tell libvirt of it.
    for current, cpus, seen in (("224Mi", 2, "0-1"), ("208Mi", 1, "0-1")):
        changed = copy.deepcopy(guest.spec)
        changed["spec"]["domain"]["currentMemory"] = current
        changed["spec"]["domain"]["vcpu"]["current"] = cpus
        said = guest.apply(changed)
        # The balloon takes and gives the very pages, so that the difference in what is left is exact.
        wanted = first.memory + (int(current.removesuffix("Mi")) - 192) * 1024
        guest.machine.when(lambda tick, wanted=wanted, seen=seen: (tick.memory, tick.cpus) == (wanted, seen))
    assert said == "virtualmachine/counter: takes effect at the next start: vcpu.current\n"


def test_a_disk_object_in_use_grows_under_the_guest(guest: Applied) -> None:
    pool, disk = guest.machine.folder / "pool", "virtualmachinedisk/grown"
    pool.mkdir(mode=0o777)
    pool.chmod(0o777)
    said = guest.applied(manifest("StoragePool", "grown", pool={"type": "dir", "target": {"path": str(pool)}}))
    assert said == ["virtualmachinestoragepool/grown created"]
    small = manifest("Disk", "grown", poolRef={"name": "grown"}, capacity="1Mi", source={"blank": {}})
    large = manifest("Disk", "grown", poolRef={"name": "grown"}, capacity="3Mi", source={"blank": {}})
    assert guest.applied(small) == [f"{disk} created"]
    for path in pool.iterdir():
        path.chmod(0o666)
    before = guest.spec["spec"]["domain"]["devices"]["disks"]
    added = {"type": "volume", "device": "disk", "source": {"pool": "grown", "volume": "grown"}}
    added |= {"driver": {"name": "qemu", "type": "raw"}, "target": {"dev": "sdd", "bus": "scsi"}}
    guest.apply(guest.with_(disks=[*before, added]))
    guest.machine.until("disks", {"sdb"})
    assert guest.machine.typed("cat /sys/block/sdb/size", rb"\b2048\r?\n")
    assert guest.applied(large) == [f"{disk} configured"]
    assert guest.machine.typed("cat /sys/block/sdb/size", rb"\b6144\r?\n")
    assert guest.applied(large) == [f"{disk} unchanged"]
    guest.apply(guest.with_(disks=before))
    guest.machine.until("disks", {"sdb"}, there=False)


def manifest(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    api = "kubevmm.io/v1alpha1"
    return {"apiVersion": api, "kind": f"VirtualMachine{kind}", "metadata": {"name": name}, "spec": spec}
