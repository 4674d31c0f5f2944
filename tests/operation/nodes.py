"""What tests of several nodes have in common: two nodes with a libvirt each, and how objects stand on them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.libvirtd import Libvirtd
from tests.operation.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.operation.conftest import Cluster, Daemon

NODES = ("many-a", "many-b")


@pytest.fixture(scope="module")
def libvirtds(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Libvirtd]]:
    """Yield a libvirt for each of two nodes, whose host is one."""
    with Libvirtd(tmp_path_factory.mktemp("libvirtd-b")) as other:
        yield dict(zip(NODES, (libvirtd, other), strict=True))


@pytest.fixture
def hypervisors(libvirtds: dict[str, Libvirtd]) -> Iterator[dict[str, Hypervisor]]:
    """Yield a connection to each of the libvirts."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Hypervisor(each.uri)) for name, each in libvirtds.items()}


@pytest.fixture
def executors(cluster: Cluster, libvirtds: dict[str, Libvirtd]) -> dict[str, Daemon]:
    """Start a controller, and an executor for each node."""
    cluster.controller()
    started = {name: cluster.executor(name, each) for name, each in libvirtds.items()}
    for name in NODES:
        eventually(
            lambda name=name: ready(cluster.find("vmnode", name))["status"] == "True",
            lambda: [each.log.read_text() for each in cluster.daemons],
        )
    return started


def condition(found: dict[str, Any], kind: str) -> dict[str, str]:
    """Return a condition of an object; one without a status where there is none yet."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {"status": "", "reason": "", "message": ""})


def ready(found: dict[str, Any]) -> dict[str, str]:
    """Return the condition Ready of an object."""
    return condition(found, "Ready")


def states(found: dict[str, Any]) -> dict[str, str | None]:
    """Return how a network or a pool stands on each node."""
    return {each["nodeName"]: each.get("state") for each in (found.get("status") or {}).get("nodes") or ()}


def die(cluster: Cluster, node: str, executor: Daemon) -> None:
    """Kill the *executor* of *node*, and return when that was noticed: its Lease lasts a second from now on."""
    executor.kill()
    lease = ("lease", f"node-{node}", "-n", "kubevmm-system")
    cluster.kubectl("patch", *lease, "--type=merge", "-p", '{"spec":{"leaseDurationSeconds":1}}')
    eventually(lambda: ready(cluster.find("vmnode", node))["status"] == "Unknown")
