"""libvirt's two drivers for the planner's tests: its built-in one, and QEMU's in a libvirtd of the tests' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt
import pytest

from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def builtin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield a connection to libvirt's test driver with nothing in it."""
    node = tmp_path_factory.mktemp("libvirt") / "node.xml"
    node.write_text("<node/>", encoding="utf-8")
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = libvirt.open(f"test://{node}")
    yield connection
    connection.close()


@pytest.fixture(scope="package")
def libvirtd() -> Iterator[Libvirtd]:
    """Yield a running libvirtd with QEMU's driver: a test removes what it defines."""
    with Libvirtd() as running:
        yield running
