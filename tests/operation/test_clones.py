"""Clones of guests: objects with disks and an identity of their own, and nothing where they are refused."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.operation.conftest import eventually
from tests.operation.nodes import condition
from tests.operation.test_disks import disk, guest_with
from tests.operation.test_guests import NODE, domains, guest, hypervisor, status
from tests.operation.test_operations import do, operation, reason, steady, wait
from tests.operation.test_pools import pool
from tests.operation.virt import Virt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.operation.conftest import Cluster

__all__ = ["hypervisor", "steady"]

MAC = "52:54:00:00:00:07"


def golden(cluster: Cluster, folder: Path) -> Path:
    """Make a guest with a disk, in which there is something, and return the disk's file."""
    cluster.apply(pool("stack", folder, nodeNames=[NODE]), disk("root", "stack"))
    cluster.kubectl("wait", "vmdisk/root", "--for=condition=Ready", "--timeout=30s")
    file = folder / "root"
    with file.open("r+b") as opened:
        opened.write(b"golden" * 1000)
    made = guest_with("golden", "root", NODE)
    made["spec"]["domain"]["devices"]["interfaces"] = [{"type": "user", "mac": {"address": MAC}}]
    cluster.apply(made)
    eventually(
        lambda: status(cluster, "golden").get("printableStatus") == "Stopped", lambda: cluster.get("vm", "golden")
    )
    return file


@pytest.fixture
def folder(steady: Cluster, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "stack"
    steady.kubectl("delete", "vm", "--all", "--timeout=60s")
    steady.kubectl("delete", "vmdisk", "--all", "--timeout=60s")
    steady.kubectl("delete", "vmpool", "stack", "--timeout=60s")


def made(cluster: Cluster, plural: str) -> list[str]:
    found = json.loads(cluster.kubectl("get", plural, "-o", "json"))["items"]
    return sorted(each["metadata"]["name"] for each in found)


@pytest.mark.parametrize("mode", ["Full", "Linked"])
def test_a_guest_is_cloned_with_disks_and_an_identity_of_its_own(
    steady: Cluster, hypervisor: Hypervisor, folder: Path, mode: str
) -> None:
    file = golden(steady, folder)
    said = do(steady, f"clone-{mode.lower()}", "Clone", "golden", clone={"target": "copy", "mode": mode})
    assert said["message"].startswith("cloned to copy")
    assert (made(steady, "vm"), made(steady, "vmdisk")) == (["copy", "golden"], ["copy-vda", "root"])
    assert steady.get("vmdisk", "copy-vda")["status"]["phase"] == "Ready"
    copied = folder / "copy-vda"
    backing = json.loads(
        subprocess.run(["qemu-img", "info", "-U", "--output=json", copied], capture_output=True, check=True).stdout
    ).get("backing-filename")
    assert backing == (str(file) if mode == "Linked" else None)
    assert copied.read_bytes()[:6000] == b"golden" * 1000 or mode == "Linked"
    spec = steady.get("vm", "copy")["spec"]
    assert (spec["runStrategy"], "nodeName" in spec) == ("Halted", False)
    (interface,) = spec["domain"]["devices"]["interfaces"]
    assert interface["mac"]["address"].startswith("52:54:00:")
    assert interface["mac"]["address"] != MAC

    run = {"spec": {"nodeName": NODE, "runStrategy": "Always"}}
    steady.kubectl("patch", "vm", "copy", "--type=merge", "-p", json.dumps(run))
    eventually(lambda: status(steady, "copy").get("printableStatus") == "Running", lambda: steady.get("vm", "copy"))
    found = domains(hypervisor)
    assert found["default_copy"].uuid == steady.get("vm", "copy")["metadata"]["uid"] != found["default_golden"].uuid
    steady.kubectl("patch", "vm", "golden", "--type=merge", "-p", '{"spec":{"runStrategy":"Always"}}')
    if mode == "Full":
        eventually(lambda: status(steady, "golden").get("printableStatus") == "Running")
    else:
        # What the clone stands on must not change.
        eventually(
            lambda: (
                "virtualmachinedisk/copy-vda is based on its disk vda"
                in condition(steady.get("vm", "golden"), "Synchronized")["message"]
            ),
            lambda: steady.get("vm", "golden"),
        )
        assert not found["default_golden"].active
        # It did not crash, and runs as soon as nothing stands on it any more.
        assert status(steady, "golden")["printableStatus"] == "Stopped"
        steady.kubectl("delete", "vm", "copy", "--timeout=60s")
        steady.kubectl("delete", "vmdisk", "copy-vda", "--timeout=60s")
        eventually(lambda: status(steady, "golden").get("printableStatus") == "Running")


def test_a_clone_that_cannot_be_leaves_nothing_and_says_why(steady: Cluster, folder: Path) -> None:
    golden(steady, folder)
    steady.apply(guest_with("beside", "missing", NODE), guest("runs"))
    eventually(lambda: status(steady, "runs").get("printableStatus") == "Running")
    own = guest("own", runStrategy="Halted")
    own["spec"]["domain"]["devices"]["disks"] = [
        {"type": "file", "source": {"file": "/dev/null"}, "readonly": {}, "target": {"dev": "vda", "bus": "virtio"}},
        {"type": "file", "source": {"file": "/nowhere"}, "target": {"dev": "vdb", "bus": "virtio"}},
    ]
    steady.apply(own)
    cases = [
        ("runs", "new", "Running", "`kubectl virt stop runs` stops it"),
        ("golden", "beside", "NameTaken", "there is a VirtualMachine beside already"),
        ("golden", "Never", "Refused", "lowercase RFC 1123"),
        ("beside", "new", "DiskNotReady", "the VirtualMachineDisk missing, is not ready"),
        ("own", "new", "NoDiskObject", "its disk vdb is no VirtualMachineDisk"),
    ]
    for number, (name, target, _, _) in enumerate(cases):
        steady.apply(operation(f"no-clone-{number}", "Clone", name, clone={"target": target}))
    for number, (_, _, why, text) in enumerate(cases):
        said = wait(steady, f"no-clone-{number}", "Failed")
        assert reason(said) == why, said
        assert text in said["message"]
    assert (made(steady, "vm"), made(steady, "vmdisk")) == (["beside", "golden", "own", "runs"], ["root"])


def test_kubectl_virt_clones_a_guest(steady: Cluster, folder: Path, tmp_path: Path) -> None:
    golden(steady, folder)
    virt = Virt(steady.control_plane, tmp_path)
    assert virt("clone", "golden", "second", "-n", "default") == "virtualmachine/golden cloned to second\n"
    error, _ = virt.refused("clone", "vm", "golden", "second", "-n", "default")
    assert "there is a VirtualMachine second already: take another name" in error
