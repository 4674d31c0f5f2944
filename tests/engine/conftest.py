"""A pretended node of each test's own, a real libvirtd with QEMU for all, and files of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.hypervisors import cleared, node_uri
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEVMM_STATE", str(tmp_path / "state"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Hypervisor]:
    with Hypervisor(node_uri(tmp_path)) as hypervisor:
        yield hypervisor


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture
def qemu(libvirtd: Libvirtd) -> Iterator[Hypervisor]:
    with Hypervisor(libvirtd.uri) as hypervisor:
        yield hypervisor
        cleared(hypervisor)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def written(text: str, name: str = "objects.yaml") -> str:
        path = tmp_path / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written
