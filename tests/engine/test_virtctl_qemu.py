"""virtctl against real guests under QEMU: adopted without a touch, changed live, given back as they were."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from executor.engine import ownership, store
from executor.engine.objects import Ref
from executor.hypervisor.calls import Recorder, hooked
from executor.hypervisor.handle import Affect
from tests.cli.command import VIRTCTL, environment, lines, virtctl
from tests.engine.objects import recorded
from tests.hypervisor.guests import real

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd

NIC = "<interface type='user'><mac address='52:54:00:00:00:11'/><model type='virtio'/></interface>"
CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
DRIVE = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
PLAIN = Ref("VirtualMachine", "default", "plain-1")


@pytest.fixture
def plain(qemu: Hypervisor) -> str:
    """A guest that runs, made with plain libvirt."""
    # Without a screen: other libvirts of the machine may take its port first.
    document = re.sub(r"\s*<graphics .*?/>", "", real("plain-1", devices=NIC))
    qemu.domains.define(document).start()
    return "plain-1"


@pytest.fixture
def run(libvirtd: Libvirtd, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    env = {"LIBVIRT_DEFAULT_URI": libvirtd.uri, "KUBEVMM_STATE": str(tmp_path / "state")}
    return lambda *arguments: virtctl(*arguments, env=env)


@pytest.fixture
def exported(plain: str, run: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path) -> Path:
    path = tmp_path / "plain-1.yaml"
    path.write_bytes(run("export", plain).stdout)
    return path


def _documents(qemu: Hypervisor) -> tuple[str, str]:
    domain = qemu.domains.by_name("plain-1")
    return domain.xml(secure=True), domain.xml(secure=True, inactive=True)


def test_a_running_guest_is_adopted_and_released_with_nothing_changed(
    qemu: Hypervisor, exported: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    live, definition = _documents(qemu)
    assert run("diff", "-f", exported).returncode == 0
    assert lines(run("apply", "-f", exported).stdout) == ["virtualmachine/plain-1 adopted"]
    assert run("diff", "-f", exported).returncode == 0
    assert lines(run("apply", "-f", exported).stdout) == ["virtualmachine/plain-1 unchanged"]
    assert lines(run("release", "plain-1").stdout) == ["virtualmachine/plain-1 released"]
    after = _documents(qemu)
    assert after[1] == definition
    # libvirt leaves an empty element behind in what runs, where there was none.
    assert after[0].replace("  <metadata/>\n", "") == live


def _unmarked(document: str) -> str:
    return re.sub(r"\s*<metadata>.*?</metadata>|\s*<metadata/>", "", document, flags=re.DOTALL)


def test_a_dump_of_what_runs_is_adopted_with_nothing_changed_and_agrees_ever_after(
    qemu: Hypervisor, run: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    document = re.sub(r"\s*<graphics .*?/>", "", real("plain-1", devices=NIC + CHANNEL + DRIVE))
    domain = qemu.domains.define(document.replace("<devices>", "<cpu mode='host-model'/><devices>", 1))
    domain.start()
    live, definition = _documents(qemu)
    assert "check='full'" in live
    assert "host-model" in definition
    (tmp_path / "plain-1.xml").write_text(domain.xml())
    assert run("import", tmp_path / "plain-1.xml", "-o", tmp_path / "out", "--format", "json").returncode == 0
    file = tmp_path / "out" / "default" / "plain-1.yaml"
    assert run("diff", "-f", file).returncode == 0
    assert recorded(qemu, str(file)) == (["virtualmachine/plain-1 adopted"], ["domain.setMetadata"])
    assert _unmarked(_documents(qemu)[0]) == _unmarked(live)
    for _ in ("as it ran", "started anew"):
        assert run("diff", "-f", file).returncode == 0
        assert recorded(qemu, str(file)) == (["virtualmachine/plain-1 unchanged"], [])
        (found,) = json.loads(run("get", "vm", "-o", "json").stdout)["items"]
        assert "restartRequired" not in found["status"]
        assert _unmarked(_documents(qemu)[1]) == _unmarked(definition)
        domain.destroy()
        domain.start()
    file.write_text(file.read_text().replace("fallback: forbid", "fallback: allow", 1))
    assert run("apply", "-f", file).returncode == 0
    assert "<cpu mode='custom' match='exact' check='full'>" in _documents(qemu)[1]
    assert run("diff", "-f", file).returncode == 0


def test_the_second_apply_makes_no_call_that_changes_anything(qemu: Hypervisor, exported: Path) -> None:
    assert recorded(qemu, str(exported)) == (["virtualmachine/plain-1 adopted"], ["domain.setMetadata"])
    assert recorded(qemu, str(exported)) == (["virtualmachine/plain-1 unchanged"], [])


def test_adopt_by_name_touches_nothing_but_the_mark(qemu: Hypervisor, plain: str) -> None:
    with hooked(Recorder()) as recorder:
        ownership.adopt(qemu, plain, "default")
    assert [call.method for call in recorder.changes] == ["setMetadata"]


CHANGES = {
    "description": ("domain:\n    type", "domain:\n    description: Ox\n    type", "<description>Ox</description>"),
    "title": ("domain:\n    type", "domain:\n    title: Shop\n    type", "<title>Shop</title>"),
    "link of an interface": (
        '"52:54:00:00:00:11"\n', '"52:54:00:00:00:11"\n        link:\n          state: down\n', "<link state='down'/>"
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reaches_the_running_guest_and_its_definition(
    qemu: Hypervisor, exported: Path, change: str, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    old, new, seen = CHANGES[change]
    run("apply", "-f", exported)
    number = qemu.domains.by_name("plain-1").raw.ID()
    exported.write_text(exported.read_text().replace(old, new, 1))
    assert run("diff", "-f", exported).returncode == 1
    assert lines(run("apply", "-f", exported).stdout) == ["virtualmachine/plain-1 configured"]
    assert run("diff", "-f", exported).returncode == 0
    assert all(seen in document for document in _documents(qemu))
    assert qemu.domains.by_name("plain-1").raw.ID() == number
    assert lines(run("apply", "-f", exported).stdout) == ["virtualmachine/plain-1 unchanged"]


ANOTHER = """      - type: user
        mac:
          address: "52:54:00:00:00:22"
        model:
          type: virtio
      serials:
"""


def test_an_interface_is_attached_and_detached_live(
    qemu: Hypervisor, exported: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    run("apply", "-f", exported)
    before = exported.read_text()
    exported.write_text(before.replace("      serials:\n", ANOTHER, 1))
    assert lines(run("apply", "-f", exported).stdout) == ["virtualmachine/plain-1 configured"]
    assert all("52:54:00:00:00:22" in document for document in _documents(qemu))
    exported.write_text(before)
    run("apply", "-f", exported)
    # Firmware alone lets go of no device, so that what runs keeps it.
    assert "<mac address='52:54:00:00:00:22'/>" not in _documents(qemu)[1]


def test_memory_is_asked_of_the_guest_and_set_in_its_definition(qemu: Hypervisor, exported: Path) -> None:
    recorded(qemu, str(exported))
    exported.write_text(exported.read_text().replace("currentMemory: 64Mi", "currentMemory: 48Mi", 1))
    said, calls = recorded(qemu, str(exported))
    assert said == ["virtualmachine/plain-1 configured"]
    assert "domain.setMemoryFlags" in calls
    assert "<currentMemory unit='KiB'>49152</currentMemory>" in _documents(qemu)[1]
    assert recorded(qemu, str(exported)) == (["virtualmachine/plain-1 unchanged"], [])


def test_what_waits_for_a_restart_is_named(
    exported: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    run("apply", "-f", exported)
    exported.write_text(exported.read_text().replace("memory: 64Mi", "memory: 96Mi", 1))
    done = run("apply", "-f", exported)
    assert b"takes effect at the next start: memory" in done.stderr
    (found,) = json.loads(run("get", "vm", "-o", "json").stdout)["items"]
    assert found["status"]["restartRequired"] is True
    assert found["status"]["pendingChanges"] == ["memory"]


def test_a_drift_is_shown_and_put_back(
    qemu: Hypervisor, exported: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    exported.write_text(exported.read_text().replace("domain:\n    type", "domain:\n    title: Shop\n    type", 1))
    run("adopt", "-f", exported)
    run("apply", "-f", exported)
    qemu.domains.by_name("plain-1").set_title("Changed", Affect.BOTH)
    done = run("diff", "-f", exported)
    assert (done.returncode, lines(done.stdout)) == (
        1, ["virtualmachine/plain-1: title: changed outside", "  - Changed", "  + Shop"]
    )  # fmt: skip
    run("apply", "-f", exported)
    assert "<title>Shop</title>" in _documents(qemu)[0]


def test_a_newcomer_is_told_what_is_there(plain: str, run: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    done = run("get", "vm")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"1 guest is not managed: `virtctl get vm --unmanaged` lists it" in done.stderr
    table = lines(run("get", "vm", "--unmanaged").stdout)
    assert [line.split() for line in table] == [
        ["NAMESPACE", "NAME", "AGE", "STATUS", "READY"],
        ["<unmanaged>", plain, "<unknown>", "Running", "True"],
    ]


def test_delete_retains_what_was_adopted(
    qemu: Hypervisor, plain: str, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    run("adopt", plain)
    assert lines(run("get", "vm/plain-1", "-o", "name").stdout) == ["virtualmachine/plain-1"]
    assert lines(run("delete", "vm", plain).stdout) == ["virtualmachine/plain-1 released"]
    assert qemu.domains.by_name(plain).active
    assert store.lookup(qemu, PLAIN) is None
    done = run("delete", "vm", plain)
    assert done.returncode == 1
    assert b"not managed" in done.stderr


def test_wait_watch_and_edit_meet_a_guest_that_changes(
    qemu: Hypervisor, libvirtd: Libvirtd, plain: str, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    env = environment({"LIBVIRT_DEFAULT_URI": libvirtd.uri})
    watch = subprocess.Popen(
        [*VIRTCTL, "get", "vm", plain, "--unmanaged", "-w", "--no-headers"], stdout=subprocess.PIPE, env=env
    )
    stopped = "--for=jsonpath={.status.printableStatus}=Stopped"
    wait = subprocess.Popen([*VIRTCTL, "wait", plain, stopped, "--timeout", "60s"], stdout=subprocess.PIPE, env=env)
    try:
        assert watch.stdout is not None
        assert b"Running" in watch.stdout.readline()
        qemu.domains.by_name(plain).destroy()
        # It may be seen while it stops.
        while b"Stopped" not in (row := watch.stdout.readline()):
            assert b"Stopping" in row
        assert wait.communicate(timeout=60)[0] == b"virtualmachine/plain-1 condition met\n"
        assert wait.returncode == 0
    finally:
        for process in (watch, wait):
            process.kill()
            process.communicate()
    run("adopt", plain)
    done = virtctl("edit", plain, env=env | {"KUBE_EDITOR": "sed -i 's/^  domain:/  domain:\\n    title: Shop/'"})
    assert lines(done.stdout) == ["virtualmachine/plain-1 edited"], done.stderr
    assert "<title>Shop</title>" in qemu.domains.by_name(plain).xml(inactive=True)
