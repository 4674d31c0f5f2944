"""What the other tests of this folder rely on: a real API server, new enough for what our CRDs ask of it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import controlplane
from tests.harness.controlplane import ControlPlane
from tests.harness.errors import HarnessError
from tests.harness.server import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "probes.harness.kubevmm.io"},
    "spec": {
        "group": "harness.kubevmm.io",
        "scope": "Namespaced",
        "names": {"kind": "Probe", "plural": "probes", "singular": "probe"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".status.nodeName"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"low": {"type": "integer"}, "high": {"type": "integer"}},
                                "x-kubernetes-validations": [
                                    {
                                        "rule": "!has(self.low) || !has(self.high) || self.low <= self.high",
                                        "message": "low must not be above high",
                                    }
                                ],
                            },
                            "status": {"type": "object", "properties": {"nodeName": {"type": "string"}}},
                        },
                    }
                },
            }
        ],
    },
}


def probe(name: str, **spec: int) -> str:
    return json.dumps(
        {"apiVersion": "harness.kubevmm.io/v1", "kind": "Probe", "metadata": {"name": name}, "spec": spec}
    )


@pytest.fixture(scope="module")
def probes(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    control_plane.kubectl("apply", "-f", "-", input=json.dumps(CRD))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/probes.harness.kubevmm.io", "--timeout=60s")
    yield control_plane
    control_plane.kubectl("delete", "crd", "probes.harness.kubevmm.io")


def test_the_api_server_is_ready_and_of_kubectls_own_version(control_plane: ControlPlane) -> None:
    assert control_plane.kubectl("get", "--raw", "/readyz").stdout == "ok"
    versions = json.loads(control_plane.kubectl("version", "-o", "json").stdout)
    assert re.match(r"v1\.\d+\.\d+", versions["serverVersion"]["gitVersion"])
    assert versions["clientVersion"]["gitVersion"] == versions["serverVersion"]["gitVersion"]


def test_a_selectable_status_field_selects_objects(probes: ControlPlane) -> None:
    for name, node in (("one", "node-a"), ("two", "node-b"), ("three", "node-a")):
        probes.kubectl("apply", "-f", "-", input=probe(name))
        status = json.dumps({"status": {"nodeName": node}})
        probes.kubectl("patch", "probe", name, "--subresource=status", "--type=merge", "-p", status)
    selected = probes.kubectl("get", "probes", "--field-selector", "status.nodeName=node-a", "-o", "name").stdout
    assert selected.split() == ["probe.harness.kubevmm.io/one", "probe.harness.kubevmm.io/three"]


def test_a_cel_rule_of_a_crd_is_enforced(probes: ControlPlane) -> None:
    refused = probes.kubectl("apply", "-f", "-", input=probe("upside-down", low=2, high=1), check=False)
    assert refused.returncode == 1
    assert "low must not be above high" in refused.stderr


def test_strict_validation_refuses_an_unknown_field(probes: ControlPlane) -> None:
    refused = probes.kubectl("apply", "--validate=strict", "-f", "-", input=probe("odd", middle=1), check=False)
    assert refused.returncode == 1
    assert 'unknown field "spec.middle"' in refused.stderr


def test_server_side_apply_records_who_owns_a_field(probes: ControlPlane) -> None:
    manager = "--field-manager=harness"
    applied = probes.kubectl("apply", "--server-side", manager, "-f", "-", "-o", "json", input=probe("owned", low=1))
    assert json.loads(applied.stdout)["spec"] == {"low": 1}
    fields = json.loads(probes.kubectl("get", "probe", "owned", "--show-managed-fields", "-o", "json").stdout)
    assert [entry["manager"] for entry in fields["metadata"]["managedFields"]] == ["harness"]


def test_a_service_account_gets_a_token_that_the_server_accepts(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "serviceaccount", "tester")
    token = control_plane.kubectl("create", "token", "tester").stdout.strip()
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = json.loads(control_plane.kubectl("create", "-f", "-", "-o", "json", input=json.dumps(review)).stdout)
    assert answer["status"]["user"]["username"] == "system:serviceaccount:default:tester"


def test_a_failing_kubectl_says_why(control_plane: ControlPlane) -> None:
    with pytest.raises(HarnessError, match=r'kubectl get nothings ended with 1:\s+error: .*"nothings"'):
        control_plane.kubectl("get", "nothings")


def test_credentials_are_readable_by_their_owner_alone(control_plane: ControlPlane) -> None:
    private = [
        control_plane.kubeconfig,
        *(control_plane.folder / name for name in ("tokens.csv", "service-accounts.key")),
    ]
    assert [path.stat().st_mode & 0o777 for path in private] == [0o600] * 3


def test_a_server_that_does_not_start_shows_the_end_of_its_log(cluster_binaries: Path, tmp_path: Path) -> None:
    broken = ControlPlane(tmp_path, binaries=cluster_binaries, apiserver_arguments=["--no-such-flag"])
    with pytest.raises(HarnessError, match=r"kube-apiserver ended with 1 .*\s+Error: unknown flag: --no-such-flag"):
        broken.__enter__()
    assert broken.servers == []


def test_a_port_taken_in_the_last_moment_is_replaced(
    cluster_binaries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken: int = other.getsockname()[1]
        offers = [[*free_ports(2), taken], free_ports(3)]
        monkeypatch.setattr(controlplane, "free_ports", lambda _: offers.pop(0))
        with controlplane.ControlPlane(tmp_path, binaries=cluster_binaries) as running:
            assert running.url != f"https://127.0.0.1:{taken}"
            assert running.kubectl("get", "--raw", "/readyz").stdout == "ok"
    assert offers == []


RUN_AND_WAIT = """
import sys, time
from pathlib import Path
from tests.harness.controlplane import ControlPlane
with ControlPlane(Path(sys.argv[1]), binaries=Path(sys.argv[2])) as running:
    print(*(server.pid for server in running.servers), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda ending: ending.name)
def test_servers_end_with_the_run_that_started_them(
    ending: signal.Signals, cluster_binaries: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", RUN_AND_WAIT, str(tmp_path), str(cluster_binaries)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout is not None
        pids = [int(pid) for pid in run.stdout.readline().split()]
        run.send_signal(ending)
    assert len(pids) == 2
    deadline = time.monotonic() + 60
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, "a server outlived its run"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A container's first process may be slow to collect the dead.
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
