"""One API server for all tests of this folder; what it needs is built when it is not there yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.build import build
from tests.harness.controlplane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, before -m selects: pytest hands over those of other folders as well."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster_binaries(pytestconfig: pytest.Config) -> Path:
    """Return the folder with etcd, kube-apiserver and kubectl."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # The first build takes minutes: whoever waits must see what for.
    with capture.global_and_fixture_disabled():
        return build()


@pytest.fixture(scope="package")
def control_plane(cluster_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Yield a running API server, shared by all: a test works in a namespace, or with kinds, of its own."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), binaries=cluster_binaries) as running:
        yield running
