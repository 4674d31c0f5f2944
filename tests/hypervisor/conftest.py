"""Hypervisors for the tests: libvirt's test driver with a state of its own, and QEMU behind a private libvirtd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.hypervisors import node_uri
from tests.harness.libvirtd import Libvirtd
from tests.hypervisor.guests import pretended, real

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from executor.hypervisor.domain import Domain


@pytest.fixture
def node(tmp_path: Path) -> str:
    """The URI of a pretended host of this test's own, with a guest that runs, a pool and a network."""
    return node_uri(tmp_path)


@pytest.fixture
def pretence(node: str) -> Iterator[Hypervisor]:
    with Hypervisor(node) as hypervisor:
        yield hypervisor


@pytest.fixture(scope="package")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture(scope="package")
def qemu(libvirtd: Libvirtd) -> Iterator[Hypervisor]:
    with Hypervisor(libvirtd.uri) as hypervisor:
        yield hypervisor


@pytest.fixture
def guest(qemu: Hypervisor, request: pytest.FixtureRequest) -> Iterator[Domain]:
    """A real guest that is defined and does not run."""
    domain = qemu.domains.define(real(f"guest-{abs(hash(request.node.name)) % 100_000}"))
    yield domain
    if domain.active:
        domain.destroy()
    if domain.persistent:
        domain.undefine(nvram="delete", tpm="delete")


@pytest.fixture(params=["test", "qemu"])
def either(request: pytest.FixtureRequest) -> tuple[Hypervisor, Callable[[str], str]]:
    """Each of the two hypervisors, with what writes a guest's document for it by its name."""
    if request.param == "test":
        return request.getfixturevalue("pretence"), pretended
    return request.getfixturevalue("qemu"), real
