"""An image is what its header says and names no other file, or it is refused in one line."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from executor.storage import qcow2
from executor.storage.headers import LARGEST, Head, Header, Refused, inspect
from tests.storage import pictures
from tests.storage.pictures import DESCRIPTOR, MIB, extension, vmdk

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = {
    "qcow2": ("qcow2", ()),
    "qcow2 of the old version": ("qcow2", ("compat=0.10",)),
    "qcow2 with subclusters": ("qcow2", ("extended_l2=on",)),
    "qcow2 with small clusters": ("qcow2", ("cluster_size=512",)),
    "qcow2 packed with zstd": ("qcow2", ("compression_type=zstd",)),
    "vmdk": ("vmdk", ()),
    "vmdk as a stream": ("vmdk", ("subformat=streamOptimized",)),
    "vdi": ("vdi", ()),
    "vdi of fixed size": ("vdi", ("static=on",)),
}


@pytest.mark.parametrize("case", WHOLE)
def test_what_qemu_img_makes_is_taken_for_what_it_is(tmp_path: Path, case: str) -> None:
    form, options = WHOLE[case]
    path = pictures.made(tmp_path / "image", form, pictures.content(2 * MIB), *options)
    said = json.loads(pictures.qemu_img("info", "--output=json", path))
    with path.open("rb") as file:
        assert inspect(file) == inspect(file, form) == Header(said["format"], said["virtual-size"])


def test_what_qemu_leaves_behind_a_vmdks_descriptor_is_nothing() -> None:
    stale = vmdk(DESCRIPTOR + '\0"\n')
    assert inspect(io.BytesIO(stale)) == Header("vmdk", MIB)


def test_raw_is_taken_where_it_is_said_to_be() -> None:
    assert inspect(io.BytesIO(bytes(1000)), "raw") == Header("raw", 1000)


EVIL = b"/etc/shadow"
WITHOUT_LENGTH = pictures.qcow2()[:8] + b"\0\0\0\0\0\0\4\0" + pictures.qcow2()[16:]
FLAT = DESCRIPTOR.replace("SPARSE", "FLAT").replace("x.vmdk", "/etc/shadow")
HOSTILE: dict[str, tuple[bytes, str | None, str]] = {
    "a backing file": (pictures.qcow2(backing=EVIL), None, "backing file"),
    "a backing file in what is said to be raw": (pictures.qcow2(backing=EVIL), "raw", "claims to be qcow2"),
    "a backing file without a length": (WITHOUT_LENGTH, None, "backing file"),
    "an external data file": (pictures.qcow2(features=4), None, "keeps its data in another file"),
    "a data file's name alone": (pictures.qcow2(extensions=extension(0x44415441, EVIL)), None, "names another file"),
    "a backing format alone": (pictures.qcow2(extensions=extension(0xE2792ACA, b"raw")), None, "names another file"),
    "a name behind an unknown extension": (
        pictures.qcow2(extensions=extension(1, b"x") + extension(0x44415441, EVIL)), None, "names another file",
    ),
    "16 EiB": (pictures.qcow2(size=(1 << 64) - 1), None, "bytes"),
    "one byte too many": (pictures.qcow2(size=LARGEST + 1), None, "bytes"),
    "no bytes": (pictures.qcow2(size=0), None, "sees 0 bytes"),
    "an unknown version": (pictures.qcow2(version=9), None, "unknown version"),
    "an unknown feature": (pictures.qcow2(features=1 << 40), None, "unknown here"),
    "a mark of being corrupt": (pictures.qcow2(features=2), None, "corrupt"),
    "encryption": (pictures.qcow2(crypt=1), None, "encrypted"),
    "clusters of no size": (pictures.qcow2(bits=63), None, "no qcow2"),
    "a header of no length": (pictures.qcow2(length=8), None, "no qcow2"),
    "a table beyond the file": (pictures.qcow2(entries=1 << 21), None, "larger than the file"),
    "a table of 32 GiB": (pictures.qcow2(entries=(1 << 32) - 1), None, "larger than the file"),
    "four billion snapshots": (pictures.qcow2(snapshots=(1 << 32) - 1), None, "larger than the file"),
    "an extension beyond the header": (pictures.qcow2(extensions=b"\0\0\0\1\xff\xff\xff\xf0"), None, "longer than"),
    "a magic and nothing more": (b"QFI\xfb", None, "middle of its header"),
    "text that is said to be qcow2": (b"hello, world" * 99, "qcow2", "its content is not"),
    "qcow2 that is said to be vmdk": (pictures.qcow2(), "vmdk", "claims to be qcow2"),
    "no format at all": (b"hello, world" * 99, None, "claims no format"),
    "nothing": (b"", "raw", "empty"),
    "gzip": (b"\x1f\x8b\x08" + bytes(100), None, "packed with gzip"),
    "xz": (b"\xfd7zXZ\0" + bytes(100), None, "packed with xz"),
    "a format of nobody": (bytes(100), "iso9660", "not taken"),
    "a descriptor of other files": (DESCRIPTOR.encode(), None, "vmdk descriptor"),
    "an extent that is a file": (vmdk(FLAT), None, "other files"),
    "an extent in a descriptor without a disk": (vmdk(DESCRIPTOR, capacity=0), None, "other files"),
    "two extents": (vmdk(DESCRIPTOR + 'RW 2048 SPARSE "/etc/shadow"\n'), None, "other files"),
    "a flat disk": (vmdk(DESCRIPTOR.replace("monolithicSparse", "monolithicFlat")), None, "other files"),
    "two kinds": (vmdk(DESCRIPTOR + 'createType="vmfs"\n'), None, "other files"),
    "an extent behind a zero": (vmdk(DESCRIPTOR + '\0\nRW 1 FLAT "/etc/shadow"\n'), None, "other files"),
    "a parent": (vmdk(DESCRIPTOR.replace("ffffffff", "1")), None, "difference to another"),
    "a parent's file": (vmdk(DESCRIPTOR + 'parentFileNameHint="/etc/shadow"\n'), None, "difference to another"),
    "no descriptor": (b"KDMV" + bytes(8) + b"\1" + bytes(600), None, "no descriptor"),
    "vhdx": (b"vhdxfile" + bytes(1000), None, "vhdx"),
    "vhd": (bytes(1024) + b"conectix" + bytes(504), None, "vhd"),
    "qed, which has backing files, too": (b"QED\0" + bytes(1000), None, "qed"),
    "LUKS in what is said to be raw": (b"LUKS\xba\xbe" + bytes(1000), "raw", "luks"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_points_outside_or_lies_is_refused_in_one_line(case: str) -> None:
    data, given, message = HOSTILE[case]
    with pytest.raises(Refused, match=message) as caught:
        inspect(io.BytesIO(data), given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["vmdk", "vdi"])
def test_the_difference_to_another_image_is_refused(tmp_path: Path, form: str) -> None:
    base = pictures.made(tmp_path / "base", form, bytes(MIB))
    over = tmp_path / "over"
    if form == "vmdk":
        pictures.qemu_img("create", "-f", form, "-b", base, "-F", form, over)
    else:
        data = bytearray(base.read_bytes())
        data[0x1B8] = 1
        over.write_bytes(data)
    with over.open("rb") as file, pytest.raises(Refused, match="difference to another"):
        inspect(file)


def test_every_cut_of_an_image_is_taken_or_refused_in_one_line(tmp_path: Path) -> None:
    for form in ("qcow2", "vmdk", "vdi"):
        whole = pictures.made(tmp_path / form, form, pictures.content()).read_bytes()
        for length in [*range(0, 700, 7), 1024, 4096, 65536]:
            try:
                inspect(io.BytesIO(whole[:length]), form)
            except Refused:
                continue
            assert length >= 512, (form, length)


def test_what_a_qcow2_unpacks_to_counts_every_use_of_a_table(tmp_path: Path) -> None:
    data = pictures.made(tmp_path / "image", "qcow2", pictures.content()).read_bytes()
    assert qcow2.unpacked(Head(io.BytesIO(data), len(data)), most=1 << 40) == MIB
    bomb = bytearray(pictures.qcow2(size=1 << 40, entries=2048))
    for number in range(2048):
        at = (1 << 16) + 8 * number
        bomb[at : at + 8] = ((1 << 63) | (2 << 16)).to_bytes(8, "big")
    for number in range(8192):
        at = (2 << 16) + 8 * number
        bomb[at : at + 8] = ((1 << 63) | (3 << 16)).to_bytes(8, "big")
    assert qcow2.unpacked(Head(io.BytesIO(bytes(bomb)), len(bomb)), most=1 << 50) == 1 << 40
