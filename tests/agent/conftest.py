"""A folder of manifests, a pretended node and a real one, and the agent in this process or in one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.agent import manifests
from executor.hypervisor.hypervisor import Hypervisor
from tests.agent.running import Folder, InProcess
from tests.harness.hypervisors import node_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEVMM_STATE", str(tmp_path / "state"))
    # What a person would not notice, a test need not wait for.
    monkeypatch.setattr(manifests, "QUIET", 0.0)
    monkeypatch.setattr(manifests, "GONE", 0.2)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Hypervisor]:
    with Hypervisor(node_uri(tmp_path)) as hypervisor:
        yield hypervisor


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "manifests"
    path.mkdir(mode=0o755)
    return Folder(path)


@pytest.fixture
def agent(node: Hypervisor, folder: Folder) -> Iterator[InProcess]:
    with InProcess(node, folder.path) as running:
        yield running
