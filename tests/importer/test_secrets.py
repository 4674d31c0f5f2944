"""Passwords in XML go to a Secret and nowhere else."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from tests.importer.estates import domain, guests, imported, read, tree, write

if TYPE_CHECKING:
    from pathlib import Path

WORD = "correct-horse-battery"
QEMU = "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{}</qemu:commandline>"

CASES = {
    "a VNC password": domain(devices=f"<graphics type='vnc' port='-1' passwd='{WORD}'/>"),
    "a cookie": domain(
        devices="<disk type='network'><source protocol='https' name='x'><host name='h'/><cookies>"
        f"<cookie name='c'>{WORD}</cookie></cookies></source><target dev='vda'/></disk>"
    ),
    "an argument of QEMU": domain(
        inside=QEMU.format(f"<qemu:arg value='-object'/><qemu:arg value='secret,id=s,data={WORD}'/>")
    ),
    "a variable of QEMU": domain(inside=QEMU.format(f"<qemu:env name='MY_PASSWORD' value='{WORD}'/>")),
    "an attribute in foreign metadata": domain(
        inside=f"<metadata><my:x xmlns:my='urn:my' adminPassword='{WORD}' other='1'/></metadata>"
    ),
    "a text in foreign metadata": domain(
        inside=f"<metadata><my:x xmlns:my='urn:my'><my:password>{WORD}</my:password></my:x></metadata>"
    ),
    "beside XML that the tables do not know": domain(
        devices=f"<graphics type='vnc' passwd='{WORD}' unheard='of'><more>text</more></graphics>"
    ),
}


@pytest.mark.parametrize("xml", CASES.values(), ids=CASES)
def test_a_secret_is_in_its_manifest_alone(tmp_path: Path, xml: str) -> None:
    imported(write(tmp_path / "in", {"node/vm.xml": xml}), tmp_path / "out")
    path = tmp_path / "out/default/vm-1-secrets.yaml"
    assert [value for value in read(path)["stringData"].values() if WORD in value]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name, data in tree(tmp_path / "out").items():
        assert name == "default/vm-1-secrets.yaml" or WORD.encode() not in data, name
    assert list(guests(tmp_path / "out")) == ["default/vm-1"]
    assert b"kubevmm-name" not in (tmp_path / "out/default/vm-1.yaml").read_bytes()
    assert b"kubevmm-secret" not in (tmp_path / "out/default/vm-1.yaml").read_bytes()


def test_a_password_is_referred_to_where_it_stood(tmp_path: Path) -> None:
    imported(write(tmp_path / "in", {"node/vm.xml": CASES["a VNC password"]}), tmp_path / "out")
    (graphics,) = guests(tmp_path / "out")["default/vm-1"]["spec"]["domain"]["devices"]["graphics"]
    reference = graphics["passwdSecretRef"]
    assert list(graphics) == ["type", "port", "passwdSecretRef"]
    assert reference["name"] == "vm-1-secrets"
    assert read(tmp_path / "out/default/vm-1-secrets.yaml")["stringData"][reference["key"]] == WORD


def test_the_reference_follows_a_guest_that_is_renamed(tmp_path: Path) -> None:
    files = {f"n/{n}.xml": domain(n, "same", devices=f"<graphics type='vnc' passwd='word{n}'/>") for n in (1, 2)}
    imported(write(tmp_path / "in", files), tmp_path / "out")
    for name, guest in guests(tmp_path / "out").items():
        reference = guest["spec"]["domain"]["devices"]["graphics"][0]["passwdSecretRef"]
        assert reference["name"] == f"{name.partition('/')[2]}-secrets"
        secret = read(tmp_path / f"out/default/{reference['name']}.yaml")
        assert secret["metadata"] == {"name": reference["name"], "namespace": "default"}
        assert reference["key"] in secret["stringData"]


def test_what_cannot_be_referred_to_is_said(tmp_path: Path) -> None:
    xml = CASES["a text in foreign metadata"]
    imported(write(tmp_path / "in", {"node/vm.xml": xml}), tmp_path / "out")
    (guest,) = json.loads((tmp_path / "out/report.json").read_text())["guests"]
    assert "password-unreferenced" in {found["code"] for found in guest["needsAPerson"]}


def test_a_pool_of_old_with_its_password_inside(tmp_path: Path) -> None:
    xml = (
        "<pool type='iscsi'><name>p</name><source><host name='h'/><device path='iqn'/>"
        f"<auth type='chap' login='me' passwd='{WORD}'/></source><target><path>/dev</path></target></pool>"
    )
    imported(write(tmp_path / "in", {"node/p.xml": xml}), tmp_path / "out")
    holders = [name for name, data in tree(tmp_path / "out").items() if WORD.encode() in data]
    assert holders == ["kubevmm-system/pools/p-secrets.yaml"]


def test_two_equal_definitions_with_a_password_are_one_guest(tmp_path: Path) -> None:
    xml = CASES["a VNC password"]
    report = imported(write(tmp_path / "in", {"node/a.xml": xml, "node/b.xml": xml}), tmp_path / "out")
    assert (report.guests, report.failed, report.passed_over) == (1, 0, 1)
