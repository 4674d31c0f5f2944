"""kubectl's own verbs on a guest that an executor runs: they do what people who know them from Pods expect."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from tests.operation.conftest import eventually
from tests.operation.test_guests import NODE, domains, guest, hypervisor, run_of, status

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd
    from tests.operation.conftest import Cluster

__all__ = ["hypervisor"]


def test_a_guest_is_applied_compared_edited_patched_watched_and_waited_for(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor, tmp_path: Path
) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    kubectl, plane = cluster.kubectl, cluster.control_plane
    made = guest("verbs", runStrategy="Halted")
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(made))
    eventually(lambda: "default_verbs" in domains(hypervisor), lambda: status(cluster, "verbs"))
    watch = ("get", "vm", "verbs", "-w", "--no-headers", "-o", "custom-columns=S:.status.printableStatus")
    seen = tmp_path / "seen"
    with seen.open("w") as out:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
        environment["KUBECONFIG"] = str(plane.kubeconfig)
        watching = subprocess.Popen([plane.program("kubectl"), *watch], stdout=out, env=environment)
    kubectl("patch", "vm", "verbs", "--type", "merge", "-p", '{"spec":{"runStrategy":null,"running":true}}')
    kubectl("wait", "vm/verbs", "--for=jsonpath={.status.printableStatus}=Running", "--timeout=60s")
    kubectl("wait", "vm/verbs", "--for=condition=Ready", "--timeout=60s")
    run = run_of(hypervisor, "default_verbs")

    # What the server and the executor filled in is no difference, and what differs is shown before it is applied.
    made["spec"] = {**made["spec"], "running": True}
    del made["spec"]["runStrategy"]
    applied = ("--server-side", "--force-conflicts", "-f", "-")
    kubectl("apply", *applied, stdin=json.dumps(made))
    assert kubectl("diff", *applied, stdin=json.dumps(made)) == ""
    made["spec"]["domain"]["title"] = "compared"
    assert "+    title: compared" in kubectl("diff", *applied, stdin=json.dumps(made), code=1)
    kubectl("apply", *applied, stdin=json.dumps(made))
    eventually(lambda: "<title>compared</title>" in domains(hypervisor)["default_verbs"].xml())

    environment["KUBE_EDITOR"] = "sed -i 's/title: compared/title: edited/'"
    edit = [plane.program("kubectl"), "edit", "vm", "verbs"]
    subprocess.run(edit, env=environment, check=True, capture_output=True, timeout=120)
    eventually(lambda: "<title>edited</title>" in domains(hypervisor)["default_verbs"].xml())
    assert run_of(hypervisor, "default_verbs") == run
    # Whoever edits it to what cannot be is told so, and nothing changes.
    environment["KUBE_EDITOR"] = "sed -i 's/running: true/running: perhaps/'"
    refused = subprocess.run(edit, env=environment, check=False, capture_output=True, text=True, timeout=120)
    assert (refused.returncode, '"verbs" is invalid' in refused.stderr) == (1, True)
    assert cluster.get("vm", "verbs")["spec"]["running"] is True

    head, row = kubectl("get", "vm", "verbs", "-o", "wide").splitlines()
    assert head.split() == ["NAME", "AGE", "STATUS", "READY", "NODE", "IP", "CPU", "MEMORY"]
    assert (row.split()[2:5], row.split()[-2:]) == (["Running", "True", NODE], ["1", "64Mi"])
    kubectl("delete", "vm", "verbs", "--timeout=60s")
    eventually(lambda: {"Stopped", "Running"} <= set(seen.read_text().split()), seen.read_text)
    watching.terminate()
    watching.wait()
    assert "default_verbs" not in domains(hypervisor)
