"""What cloud-init is told, file by file; what would reach outside of it, or could not be read, is one clear line."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from executor.cloudinit.contents import LIMIT, contents, sensitive
from executor.cloudinit.image import image
from executor.engine import drive
from executor.engine import source as sources
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from pathlib import Path

UUID = "11111111-1111-4111-8111-111111111111"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake me@here"


def made(spec: dict[str, Any], secret: dict[str, str] | None = None) -> dict[str, str]:
    found = contents(spec, secret or {}, instance_id=UUID, hostname="web-1")
    return {path: content.decode() for path, content in found.files.items()}


def test_nothing_said_is_a_whole_seed_all_the_same() -> None:
    files = made({})
    assert files["user-data"] == "#cloud-config\n{}\n"
    assert json.loads(files["meta-data"]) == {"instance-id": UUID, "local-hostname": "web-1"}


def test_what_is_said_is_there_as_it_was_written() -> None:
    files = made({"userData": "#!/bin/sh\necho é\n", "networkData": "version: 2\n", "sshAuthorizedKeys": [KEY]})
    assert files["user-data"] == "#!/bin/sh\necho é\n"
    assert files["network-config"] == "version: 2\n"
    assert json.loads(files["meta-data"])["public-keys"] == [KEY]


def test_metadata_of_ones_own_stays_and_wins() -> None:
    files = made({"metaData": "instance-id: one\nlocal-hostname: a.example\nrole: {db: true}\n"})
    assert json.loads(files["meta-data"]) == {
        "instance-id": "one", "local-hostname": "a.example", "role": {"db": True}
    }  # fmt: skip


def test_a_secret_stands_in_for_what_the_object_does_not_say() -> None:
    secret = {"userData": "#cloud-config\nclosed: 1\n", "networkData": "version: 1\n"}
    files = made({"userData": "#cloud-config\nopen: 1\n"}, {**secret, "sshAuthorizedKeys": f"# mine\n{KEY}\n\n"})
    assert "open" in files["user-data"]
    assert files["network-config"] == "version: 1\n"
    assert json.loads(files["meta-data"])["public-keys"] == [KEY]


def test_a_config_drive_is_laid_out_as_openstacks() -> None:
    spec = {
        "datasource": "ConfigDrive", "userData": "#cloud-config\n", "networkData": "links: []\n",
        "sshAuthorizedKeys": [KEY], "hostname": "a.example",
    }  # fmt: skip
    found = contents(spec, {}, instance_id=UUID, hostname="web-1")
    assert found.label == "config-2"
    assert set(found.files) == {
        f"openstack/latest/{name}" for name in ("meta_data.json", "user_data", "network_data.json")
    }
    metadata = json.loads(found.files["openstack/latest/meta_data.json"])
    assert metadata == {"uuid": UUID, "hostname": "a.example", "name": "a", "public_keys": {"key-0": KEY}}
    assert json.loads(found.files["openstack/latest/network_data.json"]) == {"links": []}


HOSTILE = {
    "a host name that is a path": ({"hostname": "../../etc/passwd"}, "hostname: no host name"),
    "a host name with a line break": ({"hostname": "a\nb"}, "hostname: no host name"),
    "a host name that is too long": ({"hostname": "a." * 130 + "a"}, "hostname: no host name"),
    "a host name in the metadata that is a path": ({"metaData": "local-hostname: /etc\n"}, "hostname: no host name"),
    "an instance id that is a path": ({"metaData": "instance-id: ../up\n"}, "metaData: the instance-id"),
    "an instance id that is a map": ({"metaData": "instance-id: {a: 1}\n"}, "metaData: the instance-id"),
    "metadata that is a list": ({"metaData": "- a\n"}, "cannot be read as a YAML map"),
    "metadata that is no YAML": ({"metaData": "a: [\n"}, "cannot be read as a YAML map"),
    "network data that is no YAML": ({"networkData": "a: {\n"}, "networkData: "),
    "user data that is too large": ({"userData": "#" * (LIMIT + 1)}, "too many"),
    "user data that is a map": ({"userData": {"password": "x"}}, "userData: a text is expected"),
    "user data with a NUL byte": ({"userData": "#!\0"}, "NUL"),
    "user data that is half a character": ({"userData": "#!\ud800"}, "UTF-8"),
    "a private key": ({"sshAuthorizedKeys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}, "private key"),
    "a key in two lines": ({"sshAuthorizedKeys": [f"{KEY}\n{KEY}"]}, "sshAuthorizedKeys[0]"),
    "a key that is none": ({"sshAuthorizedKeys": [KEY, "../id_rsa.pub"]}, "sshAuthorizedKeys[1]"),
    "a key that is a number": ({"sshAuthorizedKeys": [7]}, "sshAuthorizedKeys[0]"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_reaches_outside_or_cannot_be_read_is_one_line(case: str) -> None:
    spec, said = HOSTILE[case]
    with pytest.raises(InputError) as error:
        made(spec)
    assert said in str(error.value)
    assert str(error.value).startswith("spec.cloudInit.")
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 200


def test_an_error_never_tells_what_a_secret_holds() -> None:
    with pytest.raises(InputError) as error:
        made({}, {"networkData": "oyster: [\n", "userData": "x"})
    assert "oyster" not in str(error.value)


def test_user_data_that_cloud_init_passes_over_is_told() -> None:
    found = contents({"userData": "packages: [vim]\n"}, {}, instance_id=UUID, hostname="a")
    assert "neither #cloud-config" in found.notes[0]
    assert contents({"userData": "#!/bin/sh\n"}, {}, instance_id=UUID, hostname="a").notes == ()


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("#cloud-config\npassword: x\n", True), ("chpasswd:\n", True), ("hashed_passwd: x\n", True),
        ("-----BEGIN RSA PRIVATE KEY-----", True), ("api_key: 1", True), ("#cloud-config\npackages: [vim]\n", False),
        ("", False),
    ],
)  # fmt: skip
def test_passwords_are_known_by_their_words(text: str, is_so: bool) -> None:
    assert sensitive(text) is is_so


def test_the_same_files_are_the_same_bytes_whenever_and_wherever_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"user-data": b"a", "openstack/latest/user_data": b"b", "network-config": b"c" * 5000}
    first = image("cidata", files)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    again = image("cidata", dict(reversed(files.items())))
    monkeypatch.undo()
    time.tzset()
    assert first == again
    assert image("cidata", {**files, "user-data": b"A"}) != first
    assert image("config-2", files) != first


@pytest.mark.parametrize(
    ("name", "said"), [("../up", "metadata.name"), ("a/b", "metadata.name"), ("secret", "secretRef.namespace")]
)
def test_a_name_that_is_a_path_and_a_secret_of_another_namespace_are_refused_as_they_are_read(
    tmp_path: Path, name: str, said: str
) -> None:
    reference = "{name: s, namespace: other}" if name == "secret" else "{name: s}"
    path = tmp_path / "a.yaml"
    path.write_text(
        "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\n"
        f"metadata: {{name: {name}}}\nspec: {{domain: {{type: test}}, cloudInit: {{secretRef: {reference}}}}}\n",
        encoding="utf-8",
    )
    with pytest.raises(KubevmmError) as error:
        sources.read([str(path)])
    assert said in str(error.value)


def test_a_secret_that_is_no_text_is_refused_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {userData: /w==}\n", encoding="utf-8")
    with pytest.raises(KubevmmError, match=r"Secret s: data\.userData is not base64 of text"):
        sources.read([str(path)])


DRIVE = {"device": "cdrom", "target": {"dev": "sda", "bus": "scsi"}}
BUSES = {
    "beside another drive": ({"devices": {"disks": [DRIVE]}}, "sdb"),
    "a machine with SATA": ({"os": {"type": {"machine": "pc-q35-7.2"}}}, "sda"),
    "a machine with IDE": ({"devices": {"disks": [{"device": "disk", "target": {"dev": "hda", "bus": "ide"}}]}}, "hdb"),
    "an ARM machine": ({"os": {"type": {"arch": "aarch64", "machine": "virt"}}}, "sda"),
}  # fmt: skip


@pytest.mark.parametrize("case", BUSES)
def test_the_drive_is_on_a_bus_that_the_guest_knows(case: str) -> None:
    domain, target = BUSES[case]
    found = drive.added(domain, "/seeds/a.iso", None)
    disk = found["devices"]["disks"][-1]
    assert (disk["target"]["dev"], disk["source"]["file"]) == (target, "/seeds/a.iso")
    assert drive.is_ours(disk)
    obj = {"spec": {"cloudInit": {}, "domain": found}}
    assert drive.without_seed(obj)["spec"].get("domain") == domain
