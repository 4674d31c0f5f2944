"""Pools and volumes: made, filled, read back with their holes, grown, deleted; on a real folder."""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.errors import Conflict, LibvirtError, NotFound, WrongState
from tests.hypervisor.guests import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from tests.harness.libvirtd import Libvirtd

pytestmark = pytest.mark.libvirt

MIB = 1 << 20


def volume_xml(name: str, capacity: int, kind: str = "raw") -> str:
    return (
        f"<volume><name>{name}</name><capacity>{capacity}</capacity><allocation>0</allocation>"
        f"<target><format type='{kind}'/></target></volume>"
    )


@pytest.fixture
def pool(qemu: Hypervisor, libvirtd: Libvirtd, request: pytest.FixtureRequest) -> Iterator[Pool]:
    name = f"pool-{abs(hash(request.node.name)) % 100_000}"
    # Where libvirtd may write, whoever it runs as.
    folder = libvirtd.folder / name
    folder.mkdir()
    shutil.chown(folder, libvirtd.folder.owner())
    pool = qemu.pools.define(f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>")
    pool.build()
    pool.start()
    yield pool
    if pool.active:
        pool.destroy()
    pool.undefine()


def test_a_pool_goes_through_its_states(pool: Pool) -> None:
    assert pool.info().state == "running"
    assert pool.info().capacity > 0
    with pytest.raises(WrongState):
        pool.start()
    pool.destroy()
    assert pool.info().state == "inactive"
    with pytest.raises(WrongState):
        pool.volumes()


def test_a_volume_is_made_found_grown_and_deleted(pool: Pool, qemu: Hypervisor) -> None:
    made = pool.create_volume(volume_xml("a.qcow2", 4 * MIB, "qcow2"))
    assert made.info().capacity == 4 * MIB
    made.resize(8 * MIB)
    assert pool.volume("a.qcow2").info().capacity == 8 * MIB
    assert qemu.pools.volume_by_path(made.path()).name == "a.qcow2"
    assert qemu.pools.volume_by_key(made.key()).name == "a.qcow2"
    with pytest.raises(Conflict):
        pool.create_volume(volume_xml("a.qcow2", MIB))
    made.delete()
    assert pool.volumes() == []
    with pytest.raises(NotFound):
        pool.volume("a.qcow2")


def test_a_volume_does_not_shrink_unasked(pool: Pool) -> None:
    volume = pool.create_volume(volume_xml("a.img", 4 * MIB))
    with pytest.raises(LibvirtError):
        volume.resize(MIB)
    assert volume.info().capacity == 4 * MIB
    volume.resize(MIB, shrink=True)
    assert volume.info().capacity == MIB


def test_a_copy_has_the_same_content(pool: Pool) -> None:
    first = pool.create_volume(volume_xml("a.img", MIB))
    content = os.urandom(MIB)
    assert first.upload(io.BytesIO(content)) == MIB
    second = pool.create_volume(volume_xml("b.img", MIB), source=first)
    back = io.BytesIO()
    assert second.download(back) == MIB
    assert back.getvalue() == content


def test_a_part_is_written_and_read_at_its_place(pool: Pool) -> None:
    volume = pool.create_volume(volume_xml("a.img", MIB))
    volume.upload(io.BytesIO(b"in the middle"), offset=1000, length=13)
    back = io.BytesIO()
    assert volume.download(back, offset=999, length=15) == 15
    assert back.getvalue() == b"\0in the middle\0"


@pytest.mark.parametrize(
    "pieces",
    [
        [(0, 3 * MIB), (8 * MIB, MIB), (16 * MIB, 0)],
        [(4 * MIB, MIB), (16 * MIB, 0)],
        [(0, MIB)],
        [(16 * MIB, 0)],
    ],
    ids=["holes between and at the end", "a hole first", "no hole", "nothing but a hole"],
)
def test_holes_stay_holes_both_ways(pool: Pool, tmp_path: Path, pieces: list[tuple[int, int]]) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        for place, length in pieces:
            file.truncate(max(place, file.tell()))
            file.seek(place)
            file.write(os.urandom(length))
    size = source.stat().st_size
    volume = pool.create_volume(volume_xml("a.img", size))
    told: list[int] = []
    with source.open("rb") as file:
        assert volume.upload(file, sparse=True, progress=told.append) == size
    assert told == sorted(told)
    target = tmp_path / "target"
    with target.open("wb") as file:
        assert volume.download(file, sparse=True) == size
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks <= source.stat().st_blocks + 64


def test_a_source_that_fails_breaks_the_upload_off(pool: Pool) -> None:
    volume = pool.create_volume(volume_xml("a.img", MIB))

    class Failing(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        volume.upload(Failing())
    # The volume is free again for the next.
    eventually(lambda: volume.upload(io.BytesIO(b"x")) == 1, what="a second upload")


def test_more_than_a_volume_holds_is_refused(pool: Pool) -> None:
    volume = pool.create_volume(volume_xml("a.img", 1000))
    with pytest.raises(LibvirtError):
        volume.upload(io.BytesIO(bytes(MIB)), length=1000)
