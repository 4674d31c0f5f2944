"""A pretended node of each test's own, a real libvirtd with QEMU for all, and files of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NODE = """
<node>
  <domain type='test'><name>runs</name><uuid>11111111-1111-4111-8111-111111111111</uuid><memory>65536</memory>
    <os><type>hvm</type></os></domain>
  <pool type='dir'><name>images</name><target><path>/images</path></target></pool>
  <network><name>inner</name><bridge name='virbr7'/><ip address='192.0.2.1' netmask='255.255.255.0'/></network>
</node>
"""


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEVMM_STATE", str(tmp_path / "state"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Hypervisor]:
    path = tmp_path / "node.xml"
    path.write_text(NODE, encoding="utf-8")
    with Hypervisor(f"test://{path}") as hypervisor:
        yield hypervisor


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture
def qemu(libvirtd: Libvirtd) -> Iterator[Hypervisor]:
    with Hypervisor(libvirtd.uri) as hypervisor:
        yield hypervisor
        for domain in hypervisor.domains.all():
            if domain.active:
                domain.destroy()
            domain.undefine()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def written(text: str, name: str = "objects.yaml") -> str:
        path = tmp_path / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written
