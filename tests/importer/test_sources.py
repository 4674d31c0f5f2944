"""Where an estate is read from: folders, archives, files; and what such a source may try."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from analyser.importer import archive
from analyser.importer.place import Place, Rank, ignored, place_of
from tests.importer.estates import domain, guests, imported, nova, running, tar, tree, uuid, write

if TYPE_CHECKING:
    from pathlib import Path

POOL = "<pool type='dir'><name>default</name><target><path>/p</path></target></pool>"


@pytest.mark.parametrize(
    ("path", "node", "rank"),
    [
        ("compute-1/etc/libvirt/qemu/a.xml", "compute-1", Rank.CONFIGURATION),
        ("region/rack-2/Compute_1.example.org/etc/libvirt/qemu/a.xml", "compute-1.example.org", Rank.CONFIGURATION),
        ("etc/libvirt/qemu/a.xml", None, Rank.CONFIGURATION),
        ("node1/a.xml", "node1", Rank.DUMP),
        ("node1/virsh/dumpxml/a.xml", "node1", Rank.DUMP),
        ("dumps/node1/a.xml", "node1", Rank.DUMP),
        ("dumps/a.xml", None, Rank.DUMP),
        ("a.xml", None, Rank.DUMP),
        ("legacy/var/lib/nova/instances/69956d18-05d1-49d3-bd07-54c3f8ad3855/libvirt.xml", "legacy", Rank.NOVA),
        ("instances/69956d18-05d1-49d3-bd07-54c3f8ad3855/libvirt.xml", None, Rank.NOVA),
        ("node1/run/libvirt/qemu/a.xml", "node1", Rank.STATE),
        ("node1/var/run/libvirt/qemu/a.xml", "node1", Rank.STATE),
    ],
)  # fmt: skip
def test_a_path_says_which_node_and_how_much_it_counts(path: str, node: str | None, rank: Rank) -> None:
    assert place_of(tuple(path.split("/"))) == Place(node, rank)


def test_a_source_inside_of_a_nodes_copy_still_says_which_node() -> None:
    above = ("home", "me", "compute-7", "etc", "libvirt", "qemu")
    assert place_of(("a.xml",), above) == Place("compute-7", Rank.CONFIGURATION)
    assert place_of(("networks", "default.xml"), above).node == "compute-7"
    assert place_of(("a.xml",), ("home", "me", "guests")).node is None


@pytest.mark.parametrize(
    ("path", "passed_over"),
    [
        ("n/etc/libvirt/qemu/autostart/a.xml", True),
        ("n/etc/ImageMagick-6/policy.xml", True),
        ("n/usr/share/libvirt/cpu_map/x86.xml", True),
        ("n/var/cache/libvirt/qemu/capabilities/a.xml", True),
        ("n/etc/libvirt/nwfilter/a.xml", False),
        ("n/a.xml", False),
    ],
)
def test_what_is_not_the_estates_is_passed_over(path: str, passed_over: bool) -> None:
    assert ignored(tuple(path.split("/"))) is passed_over


def test_links_are_not_followed(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"node/etc/libvirt/qemu/a.xml": domain(1)})
    write(tmp_path / "elsewhere", {"b.xml": domain(2)})
    (source / "node/etc/libvirt/qemu/c.xml").symlink_to(tmp_path / "elsewhere/b.xml")
    (source / "other").symlink_to(tmp_path / "elsewhere")
    assert imported(source, tmp_path / "out").guests == 1


def test_the_domain_inside_of_libvirts_run_time_file(tmp_path: Path) -> None:
    status = f"<domstatus state='running' pid='1'><monitor path='/m'/>{running(1)}</domstatus>"
    imported(write(tmp_path / "in", {"n/run/libvirt/qemu/a.xml": status}), tmp_path / "out")
    (entry,) = json.loads((tmp_path / "out/report.json").read_text())["guests"]
    assert entry["running"] is True
    assert [taken["path"] for taken in entry["leftOut"]] == ["@id"]
    assert "id" not in guests(tmp_path / "out")["default/vm-1"]["spec"]["domain"]


def test_several_guests_in_one_file_and_gzipped_files(tmp_path: Path) -> None:
    several = f"<dump>{domain(1)}{domain(2)}</dump>"
    files = {"n/several.xml": several, "n/zipped.xml.gz": gzip.compress(domain(3).encode())}
    assert imported(write(tmp_path / "in", files), tmp_path / "out").guests == 3


def test_filters_secrets_and_snapshots_are_kept_to_be_read(tmp_path: Path) -> None:
    files = {
        "n/etc/libvirt/nwfilter/f.xml": "<filter name='no-x'><rule action='drop' direction='in'/></filter>",
        "n/etc/libvirt/secrets/s.xml": f"<secret><uuid>{uuid(5)}</uuid></secret>",
        "n/var/lib/libvirt/qemu/snapshot/a/one.xml": f"<domainsnapshot><name>one</name>{domain(1)}</domainsnapshot>",
        "n/var/lib/libvirt/qemu/snapshot/b/one.xml": f"<domainsnapshot><name>one</name>{domain(2)}</domainsnapshot>",
        "n/dump/f.xml": "<filter name='no-x'><rule action='drop' direction='in'/></filter>",
    }
    report = imported(write(tmp_path / "in", files), tmp_path / "out")
    kept = {str(path.parent.relative_to(tmp_path / "out")) for path in (tmp_path / "out").glob("*/libvirt/**/*.yaml")}
    top = "kubevmm-system/libvirt/n"
    assert kept == {f"{top}/nwfilter", f"{top}/secret", f"{top}/virtualmachinesnapshot"}
    assert (report.guests, report.others, report.passed_over) == (0, 4, 1)
    assert "libvirt" not in (tmp_path / "out/kustomization.yaml").read_text()


def test_networks_of_one_name_that_differ_are_two_objects_with_stable_names(tmp_path: Path) -> None:
    def network(number: int, bridge: str) -> str:
        return f"<network><name>default</name><uuid>{uuid(number)}</uuid><bridge name='{bridge}'/></network>"

    files = {"a/n.xml": network(1, "br1"), "b/n.xml": network(2, "br1"), "c/n.xml": network(3, "br2")}
    imported(write(tmp_path / "one", files), tmp_path / "out1")
    imported(write(tmp_path / "two", dict(reversed(files.items()))), tmp_path / "out2")
    assert tree(tmp_path / "out1", reports=False) == tree(tmp_path / "out2", reports=False)
    report = json.loads((tmp_path / "out1/report.json").read_text())
    assert sorted(each["nodes"] for each in report["networksAndPools"]) == [["a", "b"], ["c"]]
    assert all("differs" in each for each in report["networksAndPools"])
    assert len({each["name"] for each in report["networksAndPools"]}) == 2


def test_a_member_outside_of_the_archive_is_only_a_name(tmp_path: Path) -> None:
    names = ["../../../tmp/evil/a.xml", "/etc/libvirt/qemu/b.xml", "n/../../c.xml", "x" * 300 + "/d.xml", "é/e.xml"]
    path = tmp_path / "estate.tar"
    path.write_bytes(tar([(name, domain(number)) for number, name in enumerate(names)]))
    before = set(tmp_path.iterdir())
    assert imported(path, tmp_path / "out").guests == len(names)
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out"}
    assert len(guests(tmp_path / "out")) == len(names)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_devices_in_an_archive_are_passed_over(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "estate.tar"
    with tarfile.open(path, "w") as file:
        member = tarfile.TarInfo("n/link.xml")
        member.type, member.linkname = kind, "/etc/passwd"
        file.addfile(member)
    path.write_bytes(path.read_bytes()[:512] + tar([("n/a.xml", domain(1))]))
    report = imported(path, tmp_path / "out")
    assert (report.guests, report.failed) == (1, 0)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_every_form_of_tar(tmp_path: Path, form: int) -> None:
    path = tmp_path / "estate.tar"
    write(tmp_path / "in", {"a.xml": domain(1)})
    long = "/".join(["folder-of-a-long-name" * 2] * (3 if form == tarfile.USTAR_FORMAT else 8))
    with tarfile.open(path, "w", format=form) as file:
        file.add(tmp_path / "in/a.xml", f"compute-3/{long}/etc/libvirt/qemu/a.xml")
    report = imported(path, tmp_path / "out")
    assert dict(report.nodes) == {"folder-of-a-long-name" * 2: 1}


def test_of_two_members_of_one_name_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "estate.tar"
    path.write_bytes(tar([("n/a.xml", domain(1, "first")), ("n/a.xml", domain(1, "second"))]))
    imported(path, tmp_path / "out")
    assert list(guests(tmp_path / "out")) == ["default/second"]


def test_a_sparse_file_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "estate.tar"
    whole = bytearray(tar([("n/sparse.xml", domain(2))])[:1024])
    whole[156:157] = b"S"
    whole[148:156] = b" " * 8
    whole[148:156] = f"{sum(whole[:512]):06o}\0 ".encode()
    path.write_bytes(bytes(whole) + tar([("n/a.xml", domain(1))]))
    assert imported(path, tmp_path / "out").guests == 1


def test_a_file_that_is_too_large_fails_and_the_others_do_not(tmp_path: Path) -> None:
    path = tmp_path / "estate.tar.gz"
    path.write_bytes(
        gzip.compress(tar([("n/a.xml", domain(1)), ("n/huge.xml", b"<a>" + b" " * (65 << 20)), ("n/c.xml", domain(3))]))
    )
    report = imported(path, tmp_path / "out")
    assert (report.guests, report.failed) == (2, 1)
    assert "larger than 64 MiB" in report.failures[0]["message"]


@pytest.mark.parametrize(
    ("name", "pack"),
    [("bomb.tar.xz", lzma.compress), ("bomb.tar.zst", lambda data: zstandard.compress(data, 19))],
)
def test_an_archive_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, pack: object
) -> None:
    monkeypatch.setattr(archive, "RATIO_FROM", 1 << 20)
    path = tmp_path / name
    path.write_bytes(pack(tar([("n/a.xml", domain(1))])[:1024] + tar([("n/disk.img", bytes(40 << 20))])))  # type: ignore[operator]
    report = imported(path, tmp_path / "out")
    assert (report.guests, report.failed) == (1, 1)
    assert "times its size" in report.failures[0]["message"]


@pytest.mark.parametrize("mode", ["tar", "gz", "xz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_archive_fails_in_one_line_and_what_came_before_is_imported(
    tmp_path: Path, mode: str, damage: str
) -> None:
    data = tar([(f"n/{n}.xml", domain(n) + f"<!--{os.urandom(300).hex()}-->") for n in range(300)])
    if damage == "cut":
        data = data[: len(data) // 2 + 100]
    else:
        place = len(data) // 2 // 512 * 512
        data = data[:place] + bytes(byte ^ 0x55 for byte in data[place : place + 2048]) + data[place + 2048 :]
    packed = {"tar": bytes, "gz": gzip.compress, "xz": lzma.compress, "zst": zstandard.compress}[mode](data)
    if damage == "cut" and mode != "tar":
        packed = packed[: len(packed) * 3 // 4]
    path = tmp_path / "estate.tar"
    path.write_bytes(packed)
    report = imported(path, tmp_path / "out")
    assert report.guests > 20
    assert report.failed >= 1
    assert all("\n" not in failure["text"] for failure in report.failures)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        os.urandom(2000),
        b"\x1f\x8b" + bytes(100),
        b"\xfd7zXZ\0" + bytes(100),
        b"\x28\xb5\x2f\xfd" + bytes(100),
    ],
)
def test_what_is_no_archive_at_all_is_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "estate.tar"
    path.write_bytes(data)
    report = imported(path, tmp_path / "out")
    assert (report.guests, report.failed) == (0, 1)


def test_a_header_that_claims_a_giant_name_is_refused(tmp_path: Path) -> None:
    header = bytearray(tar([("n/a.xml", b"")])[:512])
    header[156:157] = b"L"
    header[124:136] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    path = tmp_path / "estate.tar"
    path.write_bytes(bytes(header) + bytes(10240))
    report = imported(path, tmp_path / "out")
    assert "header of more than 1 MiB" in report.failures[0]["message"]


BAD = {
    "an entity bomb": b"<!DOCTYPE a [<!ENTITY b 'bb'>]><domain>&b;</domain>",
    "an external entity": b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><domain><name>&b;</name></domain>",
    "nesting without end": b"<domain>" + b"<a>" * 100000,
    "a truncated file": domain(7).encode()[:100],
    "an empty file": b"",
    "another document": b"<html/>",
    "a wrong encoding": b"<?xml version='1.0' encoding='utf-8'?><domain><name>\xff</name></domain>",
    "a NUL": b"<domain><name>a\0b</name></domain>",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_bad_file_fails_in_one_line_and_the_others_do_not(tmp_path: Path, data: bytes) -> None:
    files: dict[str, str | bytes] = {"n/good.xml": domain(1, inside=nova("a", "b")), "n/bad.xml": data}
    report = imported(write(tmp_path / "in", files), tmp_path / "out")
    assert (report.guests, report.failed) == (1, 1)
    assert report.failures[0]["text"].startswith(f"{tmp_path}/in/n/bad.xml")
    assert "\n" not in report.failures[0]["text"]
    assert "root:" not in report.failures[0]["text"]


def test_a_folder_without_permission_fails_and_the_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "in", {"n/a.xml": domain(1), "locked/b.xml": domain(2)})
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("analyser.importer.items.os.scandir", refuse)
    report = imported(source, tmp_path / "out")
    assert (report.guests, report.failed) == (1, 1)
    assert report.failures[0]["text"].endswith("locked: cannot be read: Permission denied")


def test_a_name_that_is_no_text_is_said_as_it_can_be(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"n/a.xml": domain(1)})
    (source / "n" / os.fsdecode(b"b\xff.xml")).write_text("<domain>")
    report = imported(source, tmp_path / "out")
    assert (report.guests, report.failed) == (1, 1)
    assert "\\udcff" in report.failures[0]["text"] or "\\xff" in report.failures[0]["text"]


def test_a_pool_is_known_on_its_own_node_only(tmp_path: Path) -> None:
    disk = "<disk type='file' device='disk'><source file='/p/a.qcow2'/><target dev='vda'/></disk>"
    files = {"one/pool.xml": POOL, "one/a.xml": domain(1, devices=disk), "two/b.xml": domain(2, devices=disk)}
    imported(write(tmp_path / "in", files), tmp_path / "out")
    report = json.loads((tmp_path / "out/report.json").read_text())
    codes = {guest["node"]: [found["code"] for found in guest["needsAPerson"]] for guest in report["guests"]}
    assert codes == {"one": [], "two": ["disk-outside-pools"]}
