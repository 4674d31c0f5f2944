"""kubectl virt against a real API server, and where it matters a real executor."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from executor.hypervisor.handle import Affect
from executor.hypervisor.hypervisor import Hypervisor
from tests.cli.command import environment, virtctl
from tests.harness.controlplane import ControlPlane
from tests.importer.estates import domain, write
from tests.operation.conftest import ROOT, eventually
from tests.operation.test_guests import NODE, domains, guest, running, status
from tests.operation.virt import PLUGIN, Virt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.libvirtd import Libvirtd
    from tests.operation.conftest import Cluster

SPACE = "virt"


@pytest.fixture
def virt(server: ControlPlane, tmp_path: Path) -> Virt:
    return Virt(server, tmp_path)


@pytest.fixture
def space(cluster: Cluster) -> Iterator[str]:
    """Yield a namespace with three guests that nobody runs, and what a node would have told of one."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    for name, labels in (("web-1", {"app": "web"}), ("web-2", {"app": "web"}), ("db-1", {"app": "db"})):
        made = guest(name, runStrategy="Halted")
        made["metadata"] |= {"namespace": SPACE, "labels": labels}
        cluster.apply(made)
    said = {
        "nodeName": "n-7", "observedGeneration": 1, "printableStatus": "Running", "restartRequired": True,
        "pendingChanges": ["memory"], "interfaces": [{"mac": "52:54:00:00:00:01", "ipAddress": "10.0.0.7"}],
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Running", "message": "", "lastTransitionTime": SINCE},
        ],
    }  # fmt: skip
    patch = json.dumps({"status": said})
    cluster.kubectl("patch", "vm", "web-1", "-n", SPACE, "--subresource=status", "--type=merge", "-p", patch)
    yield SPACE
    cluster.kubectl("delete", "vm", "--all", "-n", SPACE, "--timeout=60s")


SINCE = "2026-01-01T00:00:00Z"


def test_kubectl_finds_it_and_virtctl_with_a_cluster_is_the_same(
    virt: Virt, space: str, server: ControlPlane, tmp_path: Path
) -> None:
    words = ("get", "vm", "-n", space, "-o", "name")
    expected = "virtualmachine/db-1\nvirtualmachine/web-1\nvirtualmachine/web-2\n"
    assert virt.through_kubectl(*words) == expected
    context = json.loads(server.kubeconfig.read_text())["current-context"]
    nowhere = {"KUBECONFIG": str(tmp_path / "none"), "LIBVIRT_DEFAULT_URI": "test:///default"}
    for said, env in (
        ((*words, f"--kubeconfig={server.kubeconfig}"), nowhere),
        (("--kubeconfig", str(server.kubeconfig), *words), nowhere),
        ((*words, "--context", context), {"KUBECONFIG": str(server.kubeconfig)}),
    ):
        assert virtctl(*said, env=env).stdout.decode() == expected


TABLES = [
    (("vm",), ["NAME", "AGE", "STATUS", "READY", "NODE", "IP"], ["db-1", "web-1", "web-2"]),
    (("vm", "-l", "app=web"), ["NAME", "AGE", "STATUS", "READY", "NODE", "IP"], ["web-1", "web-2"]),
    (("vm", "--field-selector", "status.nodeName=n-7"), ["NAME", "AGE", "STATUS", "READY", "NODE", "IP"], ["web-1"]),
    (("vm", "web-2", "-o", "custom-columns=NAME:.metadata.name"), ["NAME"], ["web-2"]),
    (("vm", "web-1", "--show-labels"), ["NAME", "AGE", "STATUS", "READY", "NODE", "IP", "LABELS"], ["web-1"]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "head", "names"), TABLES)
def test_guests_are_shown_as_kubectl_shows_objects(
    virt: Virt, space: str, words: tuple[str, ...], head: list[str], names: list[str]
) -> None:
    lines = virt("get", *words, "-n", space).splitlines()
    assert lines[0].split() == head
    assert [line.split()[0] for line in lines[1:]] == names


def test_a_guest_is_shown_with_its_node_and_address(virt: Virt, space: str) -> None:
    shown = virt("get", "vm", "web-1", "-n", space, "--no-headers").split()
    assert (shown[0], *shown[2:]) == ("web-1", "Running", "True", "n-7", "10.0.0.7")
    wide = virt("get", "vm/web-1", "-n", space, "-o", "wide").splitlines()
    assert wide[0].split()[6:] == ["CPU", "MEMORY", "DOMAIN", "RESTART"]
    assert wide[1].split()[6:] == ["1", "64Mi", "<none>", "true"]
    found = json.loads(virt("get", "vm", "web-1", "-n", space, "-o", "json"))
    assert found["spec"]["domain"]["memory"] == "64Mi"
    assert "managedFields" not in found["metadata"]


def test_what_is_not_there_is_named_and_the_rest_is_shown(virt: Virt, space: str) -> None:
    done = virt.done("get", "vm", "web-1", "nosuch", "-n", space, "-o", "name")
    assert (done.returncode, done.stdout) == (1, "virtualmachine/web-1\n")
    assert done.stderr.startswith(f"error: virtualmachine/nosuch is not found in the namespace {space}\nhint: ")


def test_a_watch_shows_what_is_there_and_each_change(virt: Virt, space: str, cluster: Cluster) -> None:
    words = ["get", "vm", "-n", space, "-w", "--output-watch-events", "-o", "name"]
    with subprocess.Popen([*PLUGIN, *words], stdout=subprocess.PIPE, text=True, env=virt.environment) as watching:
        assert watching.stdout is not None
        timer = threading.Timer(60, watching.kill)
        timer.start()
        first = sorted(watching.stdout.readline() for _ in range(3))
        cluster.kubectl("label", "vm", "db-1", "-n", space, "tier=back")
        changed = watching.stdout.readline()
        watching.terminate()
        timer.cancel()
    assert first == [f"ADDED virtualmachine/{name}\n" for name in ("db-1", "web-1", "web-2")]
    assert changed == "MODIFIED virtualmachine/db-1\n"


def test_a_guest_is_described_with_why_it_is_not_as_it_should_be(virt: Virt, space: str) -> None:
    lines = virt("describe", "web-1", "-n", space).splitlines()
    assert lines[:3] == [
        "Why:",
        "  - no executor has told of the node n-7: is kubevmm-executor running there?",
        "  - these wait for its next start: memory",
    ]
    assert lines[3].split() == ["Name:", "web-1"]
    assert lines[-1].split() == ["Events:", "<none>"]
    assert json.loads(virt("describe", "vm", "web-2", "-n", space, "-o", "json"))["reasons"] == [
        "it has no node yet: set spec.nodeName"
    ]


def test_a_guest_is_stopped_and_started_by_its_run_strategy_and_waited_for(
    virt: Virt, cluster: Cluster, libvirtd: Libvirtd
) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    running(cluster, "power")
    assert virt("start", "power") == "virtualmachine/power unchanged: it runs already\n"
    assert virt("stop", "vm/power") == "virtualmachine/power stopping\n"
    eventually(lambda: status(cluster, "power").get("printableStatus") == "Stopping", lambda: status(cluster, "power"))
    done = virt.done("stop", "vm", "power", "--wait", "--timeout", "1s")
    # Nothing in it listens.
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: virtualmachine/power is not stopped in time: it was asked to shut down")
    assert cluster.get("vm", "power")["spec"]["runStrategy"] == "Halted"
    with Hypervisor(libvirtd.uri) as hypervisor:
        domains(hypervisor)["default_power"].destroy()
    eventually(lambda: status(cluster, "power").get("printableStatus") == "Stopped")
    assert virt("stop", "power", "--wait") == "virtualmachine/power unchanged: it is off already\n"
    assert virt("start", "power", "--wait", "--timeout", "60s") == "virtualmachine/power running\n"
    assert cluster.get("vm", "power")["spec"]["runStrategy"] == "Always"
    assert status(cluster, "power")["printableStatus"] == "Running"
    events = json.loads(virt("describe", "power", "-o", "json"))["events"]
    assert {event["from"] for event in events} == {"kubevmm.io/executor"}
    cluster.kubectl("delete", "vm", "power", "--timeout=60s")


def test_differences_of_files_objects_and_nodes(
    virt: Virt, cluster: Cluster, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    cluster.controller()
    cluster.executor(NODE, libvirtd)
    made = guest("differs", driftPolicy="Report")
    made["spec"]["domain"]["title"] = "ours"
    file = tmp_path / "differs.json"
    file.write_text(json.dumps(made))
    assert virt("diff", "-f", file, code=1) == "  + virtualmachine/differs: is not there yet\n"
    cluster.apply(made)
    eventually(lambda: status(cluster, "differs").get("printableStatus") == "Running")
    eventually(lambda: virt.done("diff", "differs").returncode == 0, lambda: virt.done("diff", "differs").stdout)
    assert virt("diff", "-f", file) == ""

    made["spec"]["domain"] |= {"title": "new", "memory": "65536Ki"}
    file.write_text(json.dumps(made))
    expected = "virtualmachine/differs: spec.domain.title: the file says otherwise\n  - ours\n  + new\n"
    assert virt("diff", "-f", file, code=1) == expected

    with Hypervisor(libvirtd.uri) as hypervisor:
        domains(hypervisor)["default_differs"].set_title("theirs", Affect.LIVE | Affect.CONFIG)
    drifted = "virtualmachine/differs: title: somebody changed the guest\n"
    eventually(lambda: virt.done("diff", "vm/differs").stdout == drifted, lambda: virt.done("diff").stdout)
    cluster.kubectl("patch", "vm", "differs", "--type=merge", "-p", '{"spec":{"domain":{"memory":"96Mi"}}}')
    waits = "virtualmachine/differs: memory: waits for the guest's next start\n"
    eventually(
        lambda: waits in virt.done("diff", "-A").stdout.replace("/default/", "/"), lambda: virt.done("diff").stdout
    )
    assert virt.done("diff", "nosuch").returncode == 2
    cluster.kubectl("delete", "vm", "differs", "--timeout=60s")


def test_what_cannot_be_asked_is_said_in_one_line_and_what_to_do_in_another(
    virt: Virt, space: str, server: ControlPlane, tmp_path: Path
) -> None:
    unreachable = tmp_path / "unreachable"
    server.write_kubeconfig(unreachable, url="https://127.0.0.1:1")
    stranger = tmp_path / "stranger"
    found = json.loads(server.kubeconfig.read_text())
    found["users"][0]["user"] = {"token": "nobody's"}
    stranger.write_text(json.dumps(found))
    cases: list[tuple[tuple[str, ...], str, str]] = [
        (("get", "vm", "--kubeconfig", "none"), "there is no kubeconfig at none", "--kubeconfig"),
        (("get", "vm", "--context", "none"), "the kubeconfig has no context none", "get-contexts"),
        (("start", "a", f"--kubeconfig={unreachable}"), "https://127.0.0.1:1 does not answer", "is it up"),
        (("describe", "a", f"--kubeconfig={stranger}"), "does not take the kubeconfig's credentials", "log in"),
        (("describe", "nosuch", "-n", space), f"virtualmachine/nosuch is not found in the namespace {space}", "-A"),
        (("restart", "web-1", "-n", space, "--timeout", "0.5"), "not over in time: ", "takes back what has not begun"),
        (("pause", "nosuch", "-n", space), f"virtualmachine/nosuch is not found in the namespace {space}", "-A"),
        (("console", "web-1", "-n", space), "is on the node n-7", "qemu+ssh://n-7/system"),
        (("disk", "attach", "vm/web-1", "/a", "-n", space), "is on the node n-7", "virtctl disk attach vm/web-1 /a"),
        (("vnc", "web-2", "-n", space), "has no node yet", "kubectl virt describe vm web-2"),
        (("apply", "-f", "x"), "kubectl itself does this", "kubectl apply -f"),
    ]  # fmt: skip
    for words, error, hint in cases:
        said = virt.refused(*words)
        assert error in said[0], said
        assert hint in said[1], said


def test_who_may_only_look_looks_and_changes_nothing(cluster_binaries: Path, tmp_path: Path) -> None:
    files = [*sorted((ROOT / "yamls").glob("1*.yaml")), ROOT / "yamls" / "23-rbac-people.yaml"]
    with ControlPlane(tmp_path / "c", binaries=cluster_binaries, users={"reader": ["readers"]}) as own:
        reader = tmp_path / "reader"
        own.write_kubeconfig(reader, "reader")
        virt = Virt(own, tmp_path, reader)
        own.write_kubeconfig(tmp_path / "admin")
        assert "kubectl apply -f yamls/" in Virt(own, tmp_path).refused("get", "vm")[1]
        for path in files:
            own.kubectl("apply", "--server-side", "-f", str(path))
        own.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        assert "kubevmm-view" in virt.refused("get", "vm")[1]
        own.kubectl("create", "clusterrolebinding", "look", "--clusterrole=kubevmm-view", "--group=readers")
        own.kubectl("apply", "-f", "-", input=json.dumps(guest("seen", runStrategy="Halted")))
        eventually(lambda: virt.done("get", "vm", "-o", "name").stdout == "virtualmachine/seen\n")
        assert "it has no node yet" in virt("describe", "seen")
        assert virt("diff", "-f", _file(tmp_path, guest("seen", runStrategy="Halted")), code=1).count("\n") == 1
        assert "kubevmm-edit" in virt.refused("start", "seen")[1]
        source = write(tmp_path / "in", {"n/1.xml": domain(1, "one")})
        done = virt.done("import", source)
        assert done.returncode == 1
        assert "error: virtualmachine/default/one: virtualmachines.kubevmm.io" in done.stderr


def _file(folder: Path, obj: dict[str, Any]) -> Path:
    path = folder / "object.json"
    path.write_text(json.dumps(obj))
    return path


def test_a_second_import_leaves_what_others_changed_and_says_so(virt: Virt, cluster: Cluster, tmp_path: Path) -> None:
    screen = "<graphics type='vnc' port='-1' autoport='yes' passwd='s3cret'/>"
    source = write(tmp_path / "in", {"n/1.xml": domain(71, "one", devices=screen), "n/2.xml": domain(72, "two")})
    virt("import", source, "-n", "again")
    virt("start", "one", "-n", "again")
    done = virt.done("import", source, "-n", "again")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == (
        "error: virtualmachine/again/one: others changed spec.runStrategy since; --force-conflicts takes that back"
    )
    assert cluster.get("vm", "one", "again")["spec"]["runStrategy"] == "Always"
    assert virt("import", source, "-n", "again", "--force-conflicts").splitlines()[-1].split() == [
        "VirtualMachine", "0", "1", "1", "0"
    ]  # fmt: skip
    assert cluster.get("vm", "one", "again")["spec"]["runStrategy"] == "Manual"
    assert "s3cret" not in done.stdout + done.stderr
    cluster.kubectl("delete", "vm", "--all", "-n", "again", "--timeout=60s")


def test_an_import_shows_on_a_terminal_how_far_it_is(virt: Virt, tmp_path: Path) -> None:
    source = write(tmp_path / "in", {f"n/{number}.xml": domain(number, f"p-{number}") for number in range(3)})
    ours, theirs = pty.openpty()
    words = [*PLUGIN, "import", str(source), "-n", "progress", "--dry-run=server"]
    environment = {**virt.environment, "TERM": "xterm", "COLUMNS": "100"}
    shown = bytearray()

    def read() -> None:
        # The terminal is gone when the last that has it open has ended.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 4096):
                shown.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, stderr=theirs, check=True, text=True)
    os.close(theirs)
    reader.join()
    os.close(ours)
    # Colours stand between the words.
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert "apply" in plain
    assert re.search(r"4/4 +0 failed", plain), plain
    assert "\x1b" not in done.stdout
    assert "VirtualMachine   3 " in done.stdout


def test_an_import_goes_on_where_the_api_server_comes_back(virt: Virt, cluster: Cluster, tmp_path: Path) -> None:
    source = write(tmp_path / "in", {f"n/{number}.xml": domain(number, f"g-{number}") for number in range(100, 140)})
    words = [*PLUGIN, "import", str(source), "-n", "outage", "--parallel", "2"]
    with subprocess.Popen(words, env=virt.environment, stdout=subprocess.PIPE, text=True) as importing:
        eventually(lambda: "g-1" in cluster.kubectl("get", "vm", "-n", "outage", "-o", "name"))
        cluster.control_plane.restart("kube-apiserver")
        out, _ = importing.communicate(timeout=120)
    assert importing.returncode == 0
    assert out.splitlines()[-1].split()[0::4] == ["VirtualMachine", "0"]
    assert len(cluster.kubectl("get", "vm", "-n", "outage", "-o", "name").split()) == 40
    cluster.kubectl("delete", "vm", "--all", "-n", "outage", "--timeout=60s")


def test_completion_and_help_of_virtctl_name_the_cluster() -> None:
    done = virtctl("--help", env=environment({"COLUMNS": "200"}))
    assert "--context NAME" in done.stdout.decode()
    assert "--kubeconfig FILE" in done.stdout.decode()
