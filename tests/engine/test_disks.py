"""A disk is a blank volume that is made once, may grow, never shrinks, and goes into guests by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import store
from executor.engine.objects import Ref
from executor.hypervisor.hypervisor import Hypervisor
from tests.engine.objects import apply, recorded, vm

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.libvirtd import Libvirtd

DISK = (
    "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineDisk\nmetadata: {name: root}\n"
    "spec: {poolRef: {name: images}, capacity: 1Gi, source: {blank: {}}}\n"
)
GUEST = vm(
    domain="devices:\n  disks:\n  - type: volume\n    device: disk\n    source: {diskRef: {name: root}}\n"
    "    target: {dev: vda}"
)


def test_a_disk_is_made_before_its_guest_and_once(node: Hypervisor, write: Callable[..., str]) -> None:
    file = write(f"{GUEST}---\n{DISK}")
    assert apply(node, file) == ["virtualmachinedisk/root created", "virtualmachine/web-1 created"]
    assert node.pools.by_name("images").volume("root").info().capacity == 1 << 30
    xml = store.find(node, Ref("VirtualMachine", "default", "web-1")).domain.xml()
    assert "<source pool='images' volume='root'/>" in xml
    lines, calls = recorded(node, file)
    assert [line.split()[1] for line in lines] == ["unchanged", "unchanged"]
    assert calls == []


OTHER = DISK.replace("name: root", "name: other").replace("spec: {", "spec: {volume: {name: root, target: {}}, ")

WRONG = {
    "smaller than it is": (DISK, DISK.replace("1Gi", "512Mi"), "would cut off data"),
    "from an image": (
        "", DISK.replace("blank: {}", "imageRef: {name: debian}"),
        "no virtualmachineimage/debian in default that is ready",
    ),
    "no size": ("", DISK.replace("capacity: 1Gi, ", ""), "needs spec.capacity"),
    "no pool": ("", DISK.replace("poolRef: {name: images}, ", ""), "which pool"),
    "a pool that is not there": ("", DISK.replace("images", "nosuch"), "nosuch"),
    "another object's": (DISK, OTHER, "belongs to"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_one_line_and_changes_nothing(node: Hypervisor, write: Callable[..., str], case: str) -> None:
    before, text, message = WRONG[case]
    if before:
        apply(node, write(before))
    (line,), calls = recorded(node, write(text))
    assert message in line
    assert calls == []


def test_somebody_elses_volume_is_never_taken_for_a_new_one(node: Hypervisor, write: Callable[..., str]) -> None:
    node.pools.by_name("images").create_volume("<volume><name>root</name><capacity>1073741824</capacity></volume>")
    (line,), calls = recorded(node, write(DISK))
    assert "which is not managed" in line
    assert calls == []
    assert apply(node, write(DISK.replace(", source: {blank: {}}", ""))) == ["virtualmachinedisk/root adopted"]


@pytest.mark.parametrize("known", [True, False])
def test_a_volume_that_another_node_made_in_the_same_pool_is_taken(
    libvirtd: Libvirtd, write: Callable[..., str], known: bool
) -> None:
    folder = libvirtd.folder / f"shared-{known}"
    folder.mkdir()
    folder.chmod(0o777)  # whoever libvirtd runs as
    name = f"other-{known}".lower()
    made = DISK.replace(", source: {blank: {}}", "").replace("images", folder.name).replace("root", name)
    with Hypervisor(libvirtd.uri) as hypervisor:
        pool = f"<pool type='dir'><name>{folder.name}</name><target><path>{folder}</path></target></pool>"
        hypervisor.pools.define(pool).start()
        with (folder / name).open("wb") as volume:
            volume.truncate(1 << 30)
        # The status of another node's is what an executor has of it.
        file = write(made + "status: {format: raw}\n" if known else made)
        if not known:
            (line,) = apply(hypervisor, file)
            assert "already exists" in line
        assert apply(hypervisor, file) == [f"virtualmachinedisk/{name} adopted"]
        assert apply(hypervisor, file) == [f"virtualmachinedisk/{name} unchanged"]


def test_a_disk_grows(libvirtd: Libvirtd, write: Callable[..., str]) -> None:
    folder = libvirtd.folder / "images"
    folder.mkdir()
    folder.chmod(0o777)  # whoever libvirtd runs as
    with Hypervisor(libvirtd.uri) as hypervisor:
        pool = f"<pool type='dir'><name>images</name><target><path>{folder}</path></target></pool>"
        hypervisor.pools.define(pool).start()
        assert apply(hypervisor, write(DISK)) == ["virtualmachinedisk/root created"]
        larger = write(DISK.replace("1Gi", "2Gi"))
        assert recorded(hypervisor, larger) == (["virtualmachinedisk/root configured"], ["volume.resize"])
        assert recorded(hypervisor, larger) == (["virtualmachinedisk/root unchanged"], [])
        assert hypervisor.pools.by_name("images").volume("root").info().capacity == 2 << 30
