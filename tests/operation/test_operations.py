"""Operations on guests: what libvirt shows of each, and what kubectl waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.domain import State
from executor.hypervisor.hypervisor import Hypervisor
from tests.operation.conftest import Cluster, eventually
from tests.operation.test_guests import NODE, domains, guest, run_of, running, status
from tests.operation.virt import Virt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.hypervisor.domain import Domain
    from tests.harness.controlplane import ControlPlane
    from tests.harness.libvirtd import Libvirtd


def operation(name: str, kind: str, vm: str, **spec: Any) -> dict[str, Any]:
    """Return the operation *name* on the guest *vm*."""
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineOperation",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": kind, "virtualMachineRef": {"name": vm}, **spec},
    }


def wait(cluster: Cluster, name: str, condition: str = "Complete") -> dict[str, Any]:
    """Wait with kubectl until the operation is over as *condition* says; return its status."""
    try:
        cluster.kubectl("wait", f"vmop/{name}", f"--for=condition={condition}", "--timeout=60s")
    except AssertionError:
        raise AssertionError(cluster.get("vmop", name)) from None
    return dict(cluster.get("vmop", name)["status"])


def do(cluster: Cluster, name: str, kind: str, vm: str, **spec: Any) -> dict[str, Any]:
    """Apply an operation and wait until it has succeeded; return its status."""
    cluster.apply(operation(name, kind, vm, **spec))
    return wait(cluster, name)


def reason(said: dict[str, Any], kind: str = "Complete") -> str:
    """Return the reason of the condition *kind* in a status."""
    return next((str(each["reason"]) for each in said.get("conditions") or () if each["type"] == kind), "")


def phase(cluster: Cluster, name: str) -> str:
    return str((cluster.get("vmop", name).get("status") or {}).get("phase", ""))


@pytest.fixture(scope="module")
def steady(server: ControlPlane, libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster in which nothing is killed."""
    made = Cluster(server, tmp_path_factory.mktemp("steady"))
    made.controller()
    made.executor(NODE, libvirtd)
    yield made
    made.stop()


@pytest.fixture
def hypervisor(libvirtd: Libvirtd) -> Iterator[Hypervisor]:
    with Hypervisor(libvirtd.uri) as opened:
        yield opened


def test_each_act_is_seen_in_libvirt(steady: Cluster, hypervisor: Hypervisor) -> None:
    running(steady, "acts", terminationGracePeriodSeconds=1)

    def domain() -> Domain:
        return domains(hypervisor)["default_acts"]

    uuid, first = run_of(hypervisor, "default_acts")
    definition = domain().xml(inactive=True)
    assert do(steady, "restart", "Restart", "acts")["message"] == "restarted"
    assert run_of(hypervisor, "default_acts") == (uuid, first + 1)
    do(steady, "pause", "Pause", "acts")
    assert domain().state().state is State.PAUSED
    assert "unchanged" in do(steady, "pause-again", "Pause", "acts")["message"]
    do(steady, "resume", "Resume", "acts")
    assert domain().state().state is State.RUNNING
    do(steady, "reset", "Reset", "acts")
    do(steady, "reboot", "SoftReboot", "acts")
    assert run_of(hypervisor, "default_acts") == (uuid, first + 1)
    do(steady, "save", "Save", "acts")
    assert domain().has_managed_save()
    assert not domain().active
    do(steady, "restore", "Restore", "acts")
    assert domain().state().reason == "restored"
    assert run_of(hypervisor, "default_acts") == (uuid, first + 2)
    stopped = do(steady, "stop", "Stop", "acts", stop={"gracePeriodSeconds": 1})
    assert stopped["message"] == "stopped, though its runStrategy is Always"
    assert not domain().active
    do(steady, "start", "Start", "acts")
    assert run_of(hypervisor, "default_acts") == (uuid, first + 3)
    assert domain().state().state is State.RUNNING
    do(steady, "off", "PowerOff", "acts")
    assert not domain().active
    do(steady, "on", "Start", "acts")
    eventually(lambda: status(steady, "acts").get("printableStatus") == "Running", lambda: status(steady, "acts"))
    eventually(lambda: domain().xml(inactive=True) == definition, lambda: domain().xml(inactive=True))
    owner = steady.get("vmop", "restart")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("VirtualMachine", steady.get("vm", "acts")["metadata"]["uid"])
    steady.kubectl("delete", "vm", "acts", "--timeout=60s")


def test_operations_of_one_guest_come_one_after_the_other_and_each_of_them_once(
    steady: Cluster, hypervisor: Hypervisor
) -> None:
    running(steady, "queue")
    uuid, first = run_of(hypervisor, "default_queue")
    restart = operation("z-first", "Restart", "queue", stop={"gracePeriodSeconds": 900})
    steady.apply(restart)
    eventually(lambda: phase(steady, "z-first") == "Running")
    steady.apply(operation("a-second", "Pause", "queue"), restart)
    eventually(lambda: reason(steady.get("vmop", "a-second").get("status") or {}) == "Waiting")
    assert run_of(hypervisor, "default_queue") == (uuid, first)
    # It does what nothing in it is there to do: it shuts down.
    domains(hypervisor)["default_queue"].destroy()
    wait(steady, "z-first")
    wait(steady, "a-second")
    assert run_of(hypervisor, "default_queue") == (uuid, first + 1)
    assert domains(hypervisor)["default_queue"].state().state is State.PAUSED
    # The same once more is the same object, and nothing new.
    steady.apply(restart, operation("a-second", "Pause", "queue"))
    do(steady, "third", "Resume", "queue")
    assert run_of(hypervisor, "default_queue") == (uuid, first + 1)
    assert domains(hypervisor)["default_queue"].state().state is State.RUNNING
    steady.kubectl("delete", "vm", "queue", "--timeout=60s")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Migrate", {}, "NotSupported"),
    ("Reset", {"virtualMachineRef": {"name": "nobody"}}, "GuestNotFound"),
    ("Reset", {"virtualMachineRef": {"name": "refusing", "uid": "another"}}, "GuestReplaced"),
    ("Restore", {}, "Running"),
    ("Restore", {"restore": {"snapshotRef": {"name": "none"}}}, "NoSnapshot"),
    ("Stop", {"stop": {"gracePeriodSeconds": 900}, "activeDeadlineSeconds": 2}, "DeadlineExceeded"),
]


def test_what_cannot_be_done_fails_and_says_why(steady: Cluster, hypervisor: Hypervisor) -> None:
    running(steady, "refusing")
    before = run_of(hypervisor, "default_refusing")
    unplaced = guest("unplaced", runStrategy="Halted")
    del unplaced["spec"]["nodeName"]
    steady.apply(unplaced)
    cases = [*REFUSED, ("Reset", {"virtualMachineRef": {"name": "unplaced"}}, "GuestNotOnNode")]
    for number, (kind, spec, _) in enumerate(cases):
        steady.apply(operation(f"refused-{number}", kind, "refusing", **spec))
    for number, (_, _, why) in enumerate(cases):
        said = wait(steady, f"refused-{number}", "Failed")
        assert (said["phase"], reason(said)) == ("Failed", why), said
        assert said["message"]
    assert run_of(hypervisor, "default_refusing") == before
    steady.kubectl("delete", "vm", "refusing", "unplaced", "--timeout=60s")


def test_kubectl_virt_makes_one_and_waits_for_it(steady: Cluster, hypervisor: Hypervisor, tmp_path: Path) -> None:
    virt = Virt(steady.control_plane, tmp_path)
    running(steady, "virt")
    uuid, first = run_of(hypervisor, "default_virt")
    assert virt("restart", "virt", "-n", "default", "--force") == "virtualmachine/virt restarted\n"
    assert run_of(hypervisor, "default_virt") == (uuid, first + 1)
    assert virt("pause", "vm/virt", "-n", "default") == "virtualmachine/virt paused\n"
    assert domains(hypervisor)["default_virt"].state().state is State.PAUSED
    error, hint = virt.refused("restore", "virt", "-n", "default", "--snapshot", "none")
    assert error == "virtualmachine/virt: there is no snapshot none on the guest's node"
    assert hint.startswith("`kubectl describe vmop virt-restore-")
    assert "is to do: Resume" in virt("resume", "virt", "-n", "default", "--no-wait")
    eventually(lambda: domains(hypervisor)["default_virt"].state().state is State.RUNNING)
    steady.kubectl("delete", "vm", "virt", "--timeout=60s")


def test_one_that_is_over_goes_after_its_time(steady: Cluster) -> None:
    running(steady, "brief")
    steady.apply(operation("short", "Pause", "brief", ttlSecondsAfterFinished=2))
    steady.apply(operation("long", "Resume", "brief"))
    wait(steady, "long")
    steady.kubectl("wait", "vmop/short", "--for=delete", "--timeout=30s")
    assert steady.get("vmop", "long")["status"]["phase"] == "Succeeded"
    steady.kubectl("delete", "vm", "brief", "--timeout=60s")


def test_a_guest_that_is_deleted_meanwhile_goes_and_the_operation_fails(
    steady: Cluster, hypervisor: Hypervisor
) -> None:
    running(steady, "going")
    steady.apply(operation("late", "Restart", "going", stop={"gracePeriodSeconds": 900}))
    eventually(lambda: phase(steady, "late") == "Running")
    steady.apply(operation("later", "Start", "going"))
    steady.kubectl("delete", "vm", "going", "--timeout=60s")
    for name in ("late", "later"):
        assert reason(wait(steady, name, "Failed")) in {"GuestDeleted", "GuestNotFound"}
    assert "default_going" not in domains(hypervisor)
