"""What goes, or goes to another node, between being read and being begun: nothing of it is made here, or said."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from executor.cluster.link import Link
from executor.cluster.sink import ApiSink
from executor.cluster.source import ApiSource
from executor.cluster.wanted import FINALIZER
from executor.engine.objects import Ref
from kube import configuration
from tests.operation.conftest import eventually
from tests.operation.test_disks import disk
from tests.operation.test_guests import guest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.controlplane import ControlPlane

NODE = "here"
GUEST = Ref("VirtualMachine", "default", "moved")
DISK = Ref("VirtualMachineDisk", "default", "moved")


@pytest.fixture
def source(server: ControlPlane) -> Iterator[tuple[ApiSource, ApiSink]]:
    """Yield what an executor reads and writes, as the API server has it, on a node where nothing looks at it."""
    made = ApiSource(NODE, list)
    loaded = asyncio.run(configuration.load(server.kubeconfig))
    with Link(loaded, "kubevmm-tests", made.prepare) as link:
        made.attach(link)
        made.start(lambda _: None)
        yield made, ApiSink(NODE, made, link)
    server.kubectl("delete", "vm,vmdisk", "moved", "--ignore-not-found", "--wait=false")
    for kind in ("vm", "vmdisk"):
        free(server, kind)


def free(server: ControlPlane, kind: str) -> None:
    patch = '{"metadata":{"finalizers":null}}'
    server.kubectl("patch", kind, "moved", "--type=merge", "-p", patch, check=False)


def create(server: ControlPlane, made: dict[str, Any], **status: str) -> None:
    server.kubectl("apply", "-f", "-", input=json.dumps(made))
    say(server, made["kind"], **status)


def say(server: ControlPlane, kind: str, **status: str) -> None:
    patch = json.dumps({"status": status})
    server.kubectl("patch", kind, "moved", "--subresource=status", "--type=merge", "-p", patch)


def take(server: ControlPlane, kind: str) -> None:
    """Take it, as the executor of its node does."""
    patch = json.dumps({"metadata": {"finalizers": [FINALIZER]}})
    server.kubectl("patch", kind, "moved", "--type=merge", "-p", patch)


def finalizers(server: ControlPlane, kind: str) -> list[str]:
    done = server.kubectl("get", kind, "moved", "-o", "json", "--ignore-not-found")
    found: dict[str, Any] = json.loads(done.stdout)["metadata"] if done.stdout else {}
    return list(found.get("finalizers") or ())


def phase(api: ApiSource) -> str:
    found = api.find(DISK)
    return str(found.decode()["status"].get("phase")) if found is not None else ""


def goes_elsewhere(server: ControlPlane) -> None:
    say(server, "vm", nodeName="there")
    take(server, "vm")


def goes(server: ControlPlane) -> None:
    server.kubectl("delete", "vm", "moved")


def comes_anew(server: ControlPlane) -> None:
    server.kubectl("delete", "vm", "moved")
    create(server, guest("moved"), nodeName=NODE)


def leaves(server: ControlPlane) -> None:
    say(server, "vm", evacuationNodeName=NODE)


@pytest.mark.parametrize("happens", [goes_elsewhere, goes, comes_anew, leaves])
def test_a_guest_that_is_not_this_nodes_any_more_is_not_begun(
    server: ControlPlane, source: tuple[ApiSource, ApiSink], happens: Callable[[ControlPlane], None]
) -> None:
    api, _ = source
    create(server, guest("moved"), nodeName=NODE)
    eventually(lambda: api.get(GUEST) is not None)
    wanted, seen = api.get(GUEST), api.find(GUEST)
    assert wanted is not None
    assert wanted.declared is not None
    happens(server)
    eventually(lambda: api.find(GUEST) != seen)
    if happens is comes_anew:
        eventually(lambda: api.get(GUEST) is not None)
    assert api.claim(wanted.declared) is False
    assert finalizers(server, "vm") == ([FINALIZER] if happens is goes_elsewhere else [])


def test_a_disk_that_another_node_has_taken_is_left_to_it(
    server: ControlPlane, source: tuple[ApiSource, ApiSink]
) -> None:
    api, sink = source
    create(server, disk("moved", "shared"), executorNode=NODE)
    eventually(lambda: api.get(DISK) is not None)
    wanted = api.get(DISK)
    assert wanted is not None
    assert wanted.declared is not None
    say(server, "vmdisk", executorNode="there")
    take(server, "vmdisk")
    say(server, "vmdisk", phase="Ready")
    eventually(lambda: phase(api) == "Ready")
    assert api.claim(wanted.declared) is False
    sink.put(DISK, {"phase": "Failed", "conditions": []})
    status = json.loads(server.kubectl("get", "vmdisk", "moved", "-o", "json").stdout)["status"]
    assert status["phase"] == "Ready"


def test_what_is_this_nodes_still_is_begun(server: ControlPlane, source: tuple[ApiSource, ApiSink]) -> None:
    api, sink = source
    create(server, guest("moved"), nodeName=NODE)
    eventually(lambda: api.get(GUEST) is not None)
    wanted = api.get(GUEST)
    assert wanted is not None
    assert wanted.declared is not None
    assert api.claim(wanted.declared) is True
    assert finalizers(server, "vm") == [FINALIZER]
    sink.put(GUEST, {"printableStatus": "Starting", "conditions": []})
    status = json.loads(server.kubectl("get", "vm", "moved", "-o", "json").stdout)["status"]
    assert status["printableStatus"] == "Starting"
