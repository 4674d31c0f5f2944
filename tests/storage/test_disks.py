"""A disk is made from nothing, an image, a disk or a snapshot, once; it grows, also under a guest, and goes unused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from executor.engine import disks, images, kept, ownership, state
from executor.engine.listing import Query, listing
from executor.engine.objects import Ref
from executor.hypervisor.calls import Recorder, hooked
from executor.hypervisor.errors import Conflict
from schemas.errors import KubevmmError
from tests.engine.objects import apply, recorded
from tests.hypervisor.guests import real
from tests.storage import pictures
from tests.storage.objects import DATA, FROM, content, disk, disk_of, image, ready, status, struck
from tests.storage.pictures import MIB

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool

pytestmark = pytest.mark.libvirt


def ref(name: str = "root") -> Ref:
    return Ref("VirtualMachineDisk", "default", name)


@pytest.fixture
def base(tmp_path: Path) -> str:
    """An image, as it is declared."""
    path = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    return image(f"file: {{path: '{path}'}}")


def guest(qemu: Hypervisor, xml: str, *, name: str = "user-1", start: bool = False) -> Domain:
    device = f"<disk type='file' device='disk'>{xml}<target dev='vda' bus='virtio'/></disk>"
    domain = qemu.domains.define(re.sub(r"\s*<graphics .*?/>", "", real(name, devices=device)))
    if start:
        domain.start()
    return domain


def with_volume(pool: Pool, name: str = "root", form: str = "qcow2") -> str:
    return f"<driver name='qemu' type='{form}'/><source file='{pool.volume(name).path()}'/>"


@pytest.mark.parametrize("where", ["images", "more"])
def test_a_full_clone_of_an_image_is_a_disk_of_its_own(
    qemu: Hypervisor, pools: tuple[Pool, Pool], base: str, write: Callable[..., str], tmp_path: Path, where: str
) -> None:
    file = write(base + disk(FROM, more=", capacity: 4Mi", pool=where))
    assert apply(qemu, file) == ["virtualmachineimage/debian created", "virtualmachinedisk/root created"]
    pool = pools[where == "more"]
    assert "backingStore" not in pool.volume("root").xml()
    assert disk_of(content(pool, "root"), tmp_path) == DATA + bytes(3 * MIB)
    assert recorded(qemu, file)[1] == []
    assert images.delete(qemu, Ref("VirtualMachineImage", "default", "debian")) == "deleted"


def test_a_linked_clone_keeps_its_image_from_being_deleted(
    qemu: Hypervisor, pools: tuple[Pool, Pool], base: str, write: Callable[..., str]
) -> None:
    file = write(base + disk(f"{FROM}, clone: Linked", more=", capacity: 4Mi", pool="more"))
    assert apply(qemu, file) == ["virtualmachineimage/debian created", "virtualmachinedisk/root created"]
    assert recorded(qemu, file)[1] == []
    xml = pools[1].volume("root").xml()
    assert f"<path>{pools[0].volume('debian').path()}</path>" in xml
    assert xml.count("<format type='qcow2'/>") == 2
    assert pools[1].volume("root").info().capacity == 4 * MIB
    target = Ref("VirtualMachineImage", "default", "debian")
    with pytest.raises(Conflict, match="the volume more/root is based on its volume images/debian"):
        images.delete(qemu, target)
    assert disks.delete(qemu, ref()) == "deleted"
    assert images.delete(qemu, target) == "deleted"
    assert pools[0].volumes() == pools[1].volumes() == []


def test_a_disk_is_cloned_from_another(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str], tmp_path: Path
) -> None:
    text = base + disk(FROM) + disk("diskRef: {name: root}", name="copy")
    text += disk("diskRef: {name: root}, clone: Linked", name="linked")
    assert [line.split()[1] for line in apply(qemu, write(text))] == ["created"] * 4
    assert disk_of(content(pool, "copy"), tmp_path) == DATA
    found = {
        each["metadata"]["name"]: each["status"]
        for each in listing(qemu, Query("VirtualMachineDisk", detail=True)).objects
    }
    assert found["root"]["usedBy"] == [{"kind": "volume", "name": "images/linked"}]
    assert found["linked"]["format"] == "qcow2"


def test_a_disk_is_not_copied_while_a_guest_writes_to_it(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str]
) -> None:
    apply(qemu, write(base + disk(FROM)))
    domain = guest(qemu, with_volume(pool), start=True)
    full, linked = disk("diskRef: {name: root}", name="copy"), disk("diskRef: {name: root}, clone: Linked", name="copy")
    for text in (full, linked):
        (line,), calls = recorded(qemu, write(text))
        assert "the guest user-1 is writing to images/root" in line
        assert calls == []
    domain.destroy()
    (line,), calls = recorded(qemu, write(linked))
    assert "would destroy what is based on it" in line
    assert calls == []
    assert apply(qemu, write(full)) == ["virtualmachinedisk/copy created"]


def test_what_a_guest_wrote_into_a_raw_disk_leads_nowhere(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 1000)
    apply(qemu, write(disk("blank: {}", more=", capacity: 1Mi")))
    with (tmp_path / "evil").open("wb+") as evil:
        evil.write(pictures.qcow2(backing=str(secret).encode()))
        evil.seek(0)
        pool.volume("root").upload(evil)
    for text in (
        disk("diskRef: {name: root}", name="copy"),
        disk("diskRef: {name: root}, clone: Linked", name="copy"),
        image("diskRef: {name: root}"),
    ):
        (line,), calls = recorded(qemu, write(text))
        assert "its content claims to be qcow2, based on" in line
        assert calls == []
    assert [each.name for each in pool.volumes()] == ["root"]


def test_a_disk_is_made_from_a_snapshot(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str], tmp_path: Path
) -> None:
    apply(qemu, write(base + disk(FROM)))
    guest(qemu, with_volume(pool))
    ownership.adopt(qemu, "user-1", "default")
    over = f"{pool.volume('root').path()}.over"
    external = (
        "---\napiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineSnapshot\nmetadata: {name: before}\n"
        "spec:\n  virtualMachineRef: {name: user-1}\n  domainSnapshot:\n    memory: {snapshot: 'no'}\n"
        "    disks:\n      disks:\n"
        f"      - {{name: vda, snapshot: external, source: {{file: {over}}}}}\n"
    )
    file = write(disk("snapshotRef: {name: before}", name="copy") + external)
    lines = apply(qemu, file)
    assert "no virtualmachinesnapshot/before in default that was taken" in lines[0]
    assert lines[1] == "virtualmachinesnapshot/before created"
    assert apply(qemu, file) == ["virtualmachinedisk/copy created", "virtualmachinesnapshot/before unchanged"]
    assert disk_of(content(pool, "copy"), tmp_path) == DATA
    assert recorded(qemu, file)[1] == []


def test_a_disk_inside_another_volume_is_not_copied(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str]
) -> None:
    apply(qemu, write(base + disk(FROM)))
    guest(qemu, with_volume(pool))
    ownership.adopt(qemu, "user-1", "default")
    internal = (
        "---\napiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineSnapshot\nmetadata: {name: before}\n"
        "spec: {virtualMachineRef: {name: user-1}}\n"
    )
    assert apply(qemu, write(internal)) == ["virtualmachinesnapshot/before created"]
    (line,), calls = recorded(qemu, write(disk("snapshotRef: {name: before}", name="copy")))
    assert "inside the guest's own volume" in line
    assert calls == []


def test_a_disk_grows_and_a_running_guest_sees_it(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str]
) -> None:
    apply(qemu, write(base + disk(FROM)))
    assert recorded(qemu, write(disk(FROM, more=", capacity: 2Mi"))) == (
        ["virtualmachinedisk/root configured"], ["volume.resize"],
    )  # fmt: skip
    domain = guest(qemu, with_volume(pool), start=True)
    file = write(disk(FROM, more=", capacity: 8Mi"))
    assert recorded(qemu, file) == (["virtualmachinedisk/root configured"], ["domain.blockResize"])
    assert domain.block_info("vda")[0] == 8 * MIB
    assert recorded(qemu, file) == (["virtualmachinedisk/root unchanged"], [])
    (line,), calls = recorded(qemu, write(disk(FROM, more=", capacity: 4Mi")))
    assert "would cut off data" in line
    assert calls == []
    found = status(qemu, "VirtualMachineDisk")
    assert (ready(found)[0], found["capacity"]) == ("True", "8Mi")
    assert [each["status"] for each in found["conditions"] if each["type"] == "Synchronized"] == ["False"]


def test_a_disk_outlives_its_guest_and_is_not_deleted_under_one(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str]
) -> None:
    apply(qemu, write(base + disk(FROM) + disk(f"{FROM}, clone: Linked", name="linked")))
    domain = guest(qemu, with_volume(pool, "linked"), start=True)
    with hooked(Recorder()) as recorder, pytest.raises(Conflict, match="the guest user-1 has its volume images/linked"):
        disks.delete(qemu, ref("linked"))
    assert recorder.changes == []
    # What the guest has below its own disk is used, too.
    with pytest.raises(Conflict, match="the guest user-1 has its volume images/debian"):
        images.delete(qemu, Ref("VirtualMachineImage", "default", "debian"))
    domain.destroy()
    domain.undefine()
    assert pool.volume("linked").name == "linked"
    assert disks.delete(qemu, ref("linked")) == "deleted"
    retained = write(disk(FROM, more=", deletionPolicy: Retain"))
    assert apply(qemu, retained) == ["virtualmachinedisk/root unchanged"]
    assert disks.delete(qemu, ref()) == "released"
    assert pool.volume("root").name == "root"


REFUSED = {
    "smaller than its image": (disk(FROM, more=", capacity: 512Ki"), "would cut off data"),
    "a backing store by its path": (
        disk("blank: {}", more=", capacity: 1Mi, volume: {target: {}, backingStore: {path: /etc/shadow}}"),
        "not named by its path",
    ),
    "a way out of the pool": (
        disk("blank: {}", more=", capacity: 1Mi, volume: {target: {}, name: ../evil}"), "cannot be a volume's name",
    ),
    "a linked clone that is raw": (
        disk(f"{FROM}, clone: Linked", more=", volume: {target: {format: {type: raw}}}"), "is a qcow2 volume",
    ),
    "a link to nothing": (disk("blank: {}, clone: Linked", more=", capacity: 1Mi"), "linked to nothing"),
    "an image that is not there": (disk("imageRef: {name: nosuch}"), "no virtualmachineimage/nosuch"),
    "an image of another namespace": (disk("imageRef: {name: debian, namespace: other}"), "debian in other"),
    "a disk that is not there": (disk("diskRef: {name: nosuch}"), "no virtualmachinedisk/nosuch"),
    "a snapshot that is not there": (disk("snapshotRef: {name: nosuch}"), "no virtualmachinesnapshot/nosuch"),
    "itself": (disk("diskRef: {name: root}"), "no virtualmachinedisk/root"),
    "the image's own volume": (
        disk("blank: {}", more=", capacity: 1Mi, volume: {target: {}, name: debian}"),
        "belongs to virtualmachineimage/debian",
    ),
    "more than anything": (disk("blank: {}", more=", capacity: 16Ei"), "error"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_one_line_and_a_condition(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str], case: str
) -> None:
    text, message = REFUSED[case]
    apply(qemu, write(base))
    lines = apply(qemu, write(text))
    assert message in lines[0]
    assert "\n" not in lines[0]
    assert [each.name for each in pool.volumes()] == ["debian"]
    assert ready(status(qemu, "VirtualMachineDisk"))[0] == "False"


@pytest.mark.parametrize("source", ["blank: {}", FROM, f"{FROM}, clone: Linked"])
@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_at_any_call_is_made_good_by_the_next_pass(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str], source: str, before: bool, lost: bool
) -> None:
    apply(qemu, write(base))
    file = write(disk(source, more=", capacity: 4Mi"))
    steps = 2 if source == FROM else 1
    for at in range(steps):
        struck(qemu, file, at, before=before, lost=lost)
        assert ready(status(qemu, "VirtualMachineDisk"))[0] == "False"
        assert apply(qemu, file) == ["virtualmachinedisk/root created"]
        assert pool.volume("root").info().capacity == 4 * MIB
        assert recorded(qemu, file) == (["virtualmachinedisk/root unchanged"], [])
        disks.delete(qemu, ref())
    with hooked(Recorder()) as recorder:
        apply(qemu, file)
    assert len(recorder.changes) == steps


def test_two_processes_do_not_make_one_disk(qemu: Hypervisor, pool: Pool, write: Callable[..., str]) -> None:
    file = write(disk("blank: {}", more=", capacity: 1Mi"))
    with kept.alone(qemu, ref()):
        assert "another process is making it just now" in apply(qemu, file)[0]
    assert pool.volumes() == []
    assert apply(qemu, file) == ["virtualmachinedisk/root created"]
    assert [each.facts["volume"] for _, each in state.every(qemu, "VirtualMachineDisk")] == ["root"]


def test_what_others_are_made_from_comes_first(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str]
) -> None:
    last, golden = disk("imageRef: {name: golden}", name="last"), image("diskRef: {name: root}", name="golden")
    file = write("---\n".join([last, golden, disk(FROM).removeprefix("---\n"), base]))
    assert apply(qemu, file, dry_run=True) == apply(qemu, file) == [
        "virtualmachineimage/debian created", "virtualmachinedisk/root created", "virtualmachineimage/golden created",
        "virtualmachinedisk/last created",
    ]  # fmt: skip
    assert recorded(qemu, file)[1] == []
    assert len(pool.volumes()) == 4


def test_what_is_made_from_itself_in_a_circle_is_said(qemu: Hypervisor, pool: Pool, write: Callable[..., str]) -> None:
    lines, calls = recorded(qemu, write(disk("diskRef: {name: b}", name="a") + disk("diskRef: {name: a}", name="b")))
    assert all("that is ready" in line for line in lines)
    assert calls == []
    assert pool.volumes() == []


def test_two_objects_that_name_one_volume_change_nothing(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str]
) -> None:
    other = disk("blank: {}", name="other", more=", capacity: 1Mi, volume: {target: {}, name: debian}")
    with pytest.raises(KubevmmError, match="name one volume images/debian"):
        apply(qemu, write(base + other))
    assert pool.volumes() == []


def test_a_volume_below_others_does_not_grow(
    qemu: Hypervisor, pool: Pool, base: str, write: Callable[..., str]
) -> None:
    apply(qemu, write(base + disk(FROM) + disk("diskRef: {name: root}, clone: Linked", name="linked")))
    (line,), calls = recorded(qemu, write(disk(FROM, more=", capacity: 8Mi")))
    assert "images/root must not change: images/linked is based on it" in line
    assert calls == []
    assert pool.volume("root").info().capacity == MIB
