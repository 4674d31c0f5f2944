"""A private libvirtd with QEMU, and manifests of guests and of their snapshots."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloudinit.conftest import declare, files, libvirtd, qemu  # noqa: F401  (fixtures are found by their names)
from tests.harness.libvirtd import find_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloudinit.conftest import Declared
    from tests.harness.libvirtd import Libvirtd


def snapshot(name: str, guest: str, domain_snapshot: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return the object *name*, a snapshot of *guest*."""
    said = {"domainSnapshot": domain_snapshot} if domain_snapshot is not None else {}
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineSnapshot",
        "metadata": {"name": name},
        "spec": {"virtualMachineRef": {"name": guest}, **said, **spec},
    }


@pytest.fixture
def guest(
    libvirtd: Libvirtd,  # noqa: F811  (the fixture)
    declare: Callable[..., Declared],  # noqa: F811
    request: pytest.FixtureRequest,
) -> Declared:
    """A guest with a disk that can hold snapshots, applied and not running."""
    image = libvirtd.folder / f"{abs(hash(request.node.nodeid))}.qcow2"
    subprocess.run([str(find_program("qemu-img")), "create", "-q", "-f", "qcow2", image, "64M"], check=True, timeout=60)
    image.chmod(0o666)
    declared = declare("snapped", None)
    declared.object["spec"]["domain"]["devices"]["disks"].append(
        {
            "type": "file",
            "device": "disk",
            "driver": {"name": "qemu", "type": "qcow2"},
            "source": {"file": str(image)},
            "target": {"dev": "vda", "bus": "virtio"},
        }
    )
    assert declared.apply() == "created"
    return declared
