"""Marks the tests of this folder, and gives them libvirt's two drivers: its built-in one for tests, and QEMU's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.libvirtd import Libvirtd
from tests.libvirt.judge import Judge

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, before -m selects: pytest hands over those of other folders as well."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.libvirt)


@pytest.fixture(scope="package")
def libvirtd() -> Iterator[Libvirtd]:
    """Yield a running libvirtd with QEMU's driver, shared by all: a test removes what it defines."""
    # Not below pytest's own folder, whose path may be too long for a socket's.
    with Libvirtd() as running:
        yield running


@pytest.fixture(scope="package")
def qemu_judge(libvirtd: Libvirtd) -> Iterator[Judge]:
    """Yield a judge that knows what QEMU can do."""
    judge = Judge(libvirtd.uri, "qemu")
    yield judge
    judge.close()


@pytest.fixture(scope="package")
def builtin_judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """Yield a judge that lives in this process; ``test:///default`` without the objects that it starts with."""
    node = tmp_path_factory.mktemp("libvirt") / "node.xml"
    node.write_text("<node/>", encoding="utf-8")
    judge = Judge(f"test://{node}", "test")
    yield judge
    judge.close()
