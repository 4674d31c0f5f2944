"""A live hypervisor as the source, with libvirt's own test driver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import virtctl
from tests.importer.estates import guests, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.libvirt

NODE = """<node>
<domain type='test'><name>runs</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid><memory>8192</memory>
<os><type>hvm</type></os><devices><graphics type='vnc' autoport='yes' passwd='hidden-word'/>
<interface type='network'><source network='lan'/></interface></devices></domain>
<network><name>lan</name><uuid>d71b3ad5-2a5f-4a5b-9f2b-000000000001</uuid><bridge name='br7'/>
<ip address='10.9.8.1' netmask='255.255.255.0'/></network>
<pool type='dir'><name>store</name><uuid>35bb2ad9-388a-cdfe-461a-b8907f6e53fe</uuid>
<target><path>/store</path></target></pool>
</node>"""


def test_a_hypervisor_is_imported_with_its_networks_and_pools(tmp_path: Path) -> None:
    write(tmp_path, {"node.xml": NODE})
    done = virtctl("import", f"test://{tmp_path}/node.xml", "-o", tmp_path / "out", "--node", "host-1")
    assert done.returncode == 0, done.stderr
    guest = guests(tmp_path / "out")["default/runs"]
    assert guest["spec"]["nodeName"] == "host-1"
    assert "id" not in guest["spec"]["domain"]
    assert guest["spec"]["domain"]["devices"]["graphics"][0]["passwdSecretRef"]["name"] == "runs-secrets"
    assert "hidden-word" in (tmp_path / "out/default/runs-secrets.yaml").read_text()
    assert (tmp_path / "out/kubevmm-system/networks/lan.yaml").exists()
    assert (tmp_path / "out/kubevmm-system/pools/store.yaml").exists()
    (entry,) = json.loads((tmp_path / "out/report.json").read_text())["guests"]
    assert entry["running"] is True
    assert "missing-network" not in {found["code"] for found in entry["needsAPerson"]}


def test_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert virtctl("import", "test:///default", "-o", tmp_path / name).returncode == 0
    one = (tmp_path / "one/default/test.yaml").read_bytes()
    assert one == (tmp_path / "two/default/test.yaml").read_bytes()


def test_a_hypervisor_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    done = virtctl("import", "test:///no/such/file.xml", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert b"error: connection test:///no/such/file.xml: " in done.stderr
