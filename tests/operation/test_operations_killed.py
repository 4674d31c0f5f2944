"""Operations while what does them is killed: each is done exactly once. A cluster of its own for each test.

The judge is libvirt: its numbers of runs, its events, its states. KUBEVMM_FAULT_SEEDS says how many kills there are.
"""

from __future__ import annotations

import collections
import os
import random
import subprocess
import time
from typing import TYPE_CHECKING, Any

from executor.engine import journal
from executor.hypervisor.domain import State
from executor.hypervisor.events import Topic
from tests.operation.conftest import eventually
from tests.operation.test_guests import NODE, domains, guest, hypervisor, run_of, running, status
from tests.operation.test_operations import do, operation, phase, reason, wait

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.events import Event
    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd
    from tests.operation.conftest import Cluster, Daemon

__all__ = ["hypervisor"]

SEEDS = int(os.environ.get("KUBEVMM_FAULT_SEEDS", "3"))


def test_an_api_server_that_is_killed_in_between_changes_nothing(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor
) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    running(cluster, "outage")
    uuid, first = run_of(hypervisor, "default_outage")
    cluster.apply(operation("through", "Restart", "outage", stop={"gracePeriodSeconds": 3}))
    eventually(lambda: phase(cluster, "through") == "Running")
    cluster.control_plane.kill("kube-apiserver")
    eventually(lambda: run_of(hypervisor, "default_outage") == (uuid, first + 1))
    cluster.control_plane.revive("kube-apiserver")
    wait(cluster, "through")
    assert run_of(hypervisor, "default_outage") == (uuid, first + 1)
    cluster.kubectl("delete", "vm", "outage", "--timeout=60s")


OVER = {"Succeeded", "Failed"}

# How a guest is afterwards, and what makes it run again.
ENDS = {
    "Pause": (State.PAUSED, "Resume"),
    "Save": (State.SHUTOFF, "Restore"),
    "PowerOff": (State.SHUTOFF, "Start"),
}

STRUCK: dict[str, tuple[int, dict[str, tuple[int, int]]]] = {
    # Mutating calls of one, and how many events of which kind libvirt tells: at least, at most.
    "Restart": (13, {"started": (1, 1)}),
    # A reset is told of several times, by libvirt and by the firmware.
    "Reset": (6, {"reboots": (0, 1), "started": (0, 0)}),
    "Pause": (6, {"suspended": (1, 1), "started": (0, 0)}),
    "Save": (6, {"stopped": (1, 1), "started": (0, 0)}),
    "PowerOff": (8, {"stopped": (1, 1), "started": (0, 0)}),
}


def test_an_executor_that_is_killed_at_any_call_does_each_operation_once(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor
) -> None:
    cluster.controller()
    executor = cluster.executor(NODE, libvirtd)
    running(cluster, "struck")
    for seed in range(SEEDS):
        source = random.Random(seed)  # noqa: S311  (to be had again)
        # Restarts most of all: they have most steps.
        kind = source.choice(["Restart", "Restart", *STRUCK])
        calls, events = STRUCK[kind]
        point = f"{source.choice(['before', 'after'])}:{source.randint(1, calls)}"
        before = run_of(hypervisor, "default_struck")
        stop = {"stop": {"gracePeriodSeconds": 1}} if kind == "Restart" else {}
        asked = operation(f"strike-{seed}", kind, "struck", **stop)
        said, counts = strike(cluster, libvirtd, hypervisor, executor, asked, point)
        what = (kind, point, said, counts)
        for event, (least, most) in events.items():
            assert least <= counts[event] <= most, what
        if kind == "Reset":
            assert (said["phase"] == "Succeeded") <= (counts["reboots"] == 1), what
            assert said["phase"] == "Succeeded" or reason(said) == "UnknownOutcome", what
        else:
            assert said["phase"] == "Succeeded", what
        if kind == "Restart":
            assert run_of(hypervisor, "default_struck") == (before[0], before[1] + 1), what
        ends, back = ENDS.get(kind, (State.RUNNING, ""))
        assert domains(hypervisor)["default_struck"].state().state is ends, what
        if back:
            do(cluster, f"strike-{seed}-back", back, "struck")
            assert domains(hypervisor)["default_struck"].state().state is State.RUNNING
    cluster.kubectl("delete", "vm", "struck", "--timeout=60s")


def test_a_guest_is_put_back_to_a_snapshot_once(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor, tmp_path: Path
) -> None:
    image = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "8M"], check=True)
    cluster.controller()
    executor = cluster.executor(NODE, libvirtd)
    made = guest("back")
    made["spec"]["domain"]["devices"]["disks"] = [
        {
            "type": "file", "device": "disk", "driver": {"name": "qemu", "type": "qcow2"},
            "source": {"file": str(image)}, "target": {"dev": "vda", "bus": "virtio"},
        }
    ]  # fmt: skip
    cluster.apply(made)
    eventually(lambda: status(cluster, "back").get("printableStatus") == "Running", lambda: status(cluster, "back"))
    cluster.apply(
        {
            "apiVersion": "kubevmm.io/v1alpha1",
            "kind": "VirtualMachineSnapshot",
            "metadata": {"name": "then", "namespace": "default"},
            "spec": {"virtualMachineRef": {"name": "back"}},
        }
    )
    cluster.kubectl("wait", "vmsnapshot/then", "--for=condition=Ready", "--timeout=60s")
    # Before the third call, the revert itself, and after it: the definition of then has taken the place of today's.
    for point in ("before:3", "after:3"):
        cluster.kubectl("patch", "vm", "back", "--type=merge", "-p", f'{{"spec":{{"domain":{{"title":"{point}"}}}}}}')
        eventually(lambda point=point: point in domains(hypervisor)["default_back"].xml(inactive=True))  # type: ignore[misc]
        name = f"restore-{point.replace(':', '-')}"
        asked = operation(name, "Restore", "back", restore={"snapshotRef": {"name": "then"}})
        said, counts = strike(cluster, libvirtd, hypervisor, executor, asked, point)
        assert (said["phase"], counts["started"]) == ("Succeeded", 1), (point, said, counts)
        # What is declared counts on.
        eventually(lambda point=point: point in domains(hypervisor)["default_back"].xml(inactive=True))  # type: ignore[misc]
        assert domains(hypervisor)["default_back"].state().state is State.RUNNING
    cluster.kubectl("delete", "vmsnapshot", "then", "--timeout=60s")
    cluster.kubectl("delete", "vm", "back", "--timeout=60s")


def strike(
    cluster: Cluster,
    libvirtd: Libvirtd,
    hypervisor: Hypervisor,
    executor: Daemon,
    asked: dict[str, Any],
    point: str,
) -> tuple[dict[str, Any], collections.Counter[str]]:
    """Do what is *asked* with an executor that ends at *point*, and go on with *executor*, which does not.

    Return the status in which it ends, and how many events of each kind libvirt told of meanwhile.
    """
    counts: collections.Counter[str] = collections.Counter()
    name, vm = asked["metadata"]["name"], f"default_{asked['spec']['virtualMachineRef']['name']}"

    def count(event: Event) -> None:
        if event.name == vm:
            counts["reboot" if event.topic is Topic.REBOOT else event.what] += 1

    executor.stop()
    with hypervisor.events(count):
        dying = cluster.daemon(
            f"dying-{name}", "tests.hypervisor.faults", point, "executor", "--node", NODE, "--connect", libvirtd.uri,
            "--listen", "none", KUBEVMM_STATE=str(cluster.folder / f"state-{NODE}"),
        )  # fmt: skip
        cluster.apply(asked)
        process = dying.process
        assert process is not None
        eventually(lambda: process.poll() is not None or phase(cluster, name) in OVER)
        dying.kill()
        if asked["spec"]["type"] == "Reset":
            time.sleep(1)
            counts["reboots"] = int(counts.pop("reboot", 0) > 0)
        executor.start()
        eventually(lambda: phase(cluster, name) in OVER, lambda: cluster.get("vmop", name))
        eventually(lambda: journal.URI not in domains(hypervisor)[vm].xml(inactive=True))
        counts["reboots"] += int(counts["reboot"] > 0)
    return cluster.get("vmop", name)["status"], counts
