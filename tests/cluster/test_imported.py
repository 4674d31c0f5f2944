"""What an import writes is what `kubectl apply -k` takes, and comes back from the API server as it was written."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.importer.estates import OPENSTACK, ROOT, domain, guests, imported, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.controlplane import ControlPlane

KINDS = "virtualmachines,virtualmachinenetworks,virtualmachinestoragepools"
QEMU = (
    "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    "<qemu:arg value='-object'/><qemu:arg value='secret,id=s,data=word'/></qemu:commandline>"
)


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl("apply", "-f", str(ROOT / "yamls"))
    deadline = time.monotonic() + 60
    while control_plane.kubectl("get", KINDS, "-A", check=False).returncode:
        assert time.monotonic() < deadline, "the API server does not serve our kinds"
        time.sleep(0.2)
    return control_plane


def _served(cluster: ControlPlane, kind: str, namespace: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", kind, "-n", namespace, name, "-o", "json").stdout)
    return found


@pytest.mark.parametrize("server_side", [False, True], ids=["client-side", "server-side"])
def test_the_estate_of_the_examples_is_applied_whole(
    installed: ControlPlane, tmp_path: Path, server_side: bool
) -> None:
    imported(OPENSTACK, tmp_path / "out")
    how = ["--server-side", "--force-conflicts"] if server_side else []
    applied = installed.kubectl("apply", "-k", str(tmp_path / "out"), "--validate=strict", *how)
    assert "Warning" not in applied.stderr
    found = guests(tmp_path / "out")
    assert len(found) == 16
    for name, guest in found.items():
        namespace, _, own = name.partition("/")
        assert _served(installed, "virtualmachine", namespace, own)["spec"] == guest["spec"]


def test_what_refers_to_a_secret_is_applied_too(installed: ControlPlane, tmp_path: Path) -> None:
    devices = "<graphics type='vnc' port='-1' autoport='yes' passwd='word'/>"
    files = {"n/1.xml": domain(1, "pw-1", devices=devices), "n/2.xml": domain(2, "pw-2", inside=QEMU)}
    imported(write(tmp_path / "in", files), tmp_path / "out")
    installed.kubectl("apply", "-k", str(tmp_path / "out"), "--validate=strict")
    spec = _served(installed, "virtualmachine", "default", "pw-2")["spec"]["domain"]
    assert spec["qemuCommandline"]["args"][1]["valueSecretRef"]["name"] == "pw-2-secrets"
    assert _served(installed, "secret", "default", "pw-1-secrets")["data"]
