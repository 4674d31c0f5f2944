"""The agent and real guests: how they end tells what becomes of them, and they outlive whatever is ended above them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from executor.engine import runs, store
from executor.engine.objects import Ref
from executor.hypervisor.console import Console
from executor.hypervisor.hypervisor import Hypervisor
from tests.agent.campaign import campaign
from tests.agent.running import PATIENCE, WEB, Folder, InProcess, Process, eventually, qemus
from tests.cli.command import virtctl
from tests.harness.guest import guest_files
from tests.harness.hypervisors import cleared
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REAL = """\
apiVersion: kubevmm.io/v1alpha1
kind: VirtualMachine
metadata: {{name: {name}}}
spec:
  runStrategy: {strategy}
  terminationGracePeriodSeconds: 0
  domain:
    type: qemu
    memory: {memory}Mi
    vcpu: {{value: 1}}
    os: {{type: {{value: hvm, arch: x86_64, machine: q35}}{boot}}}
    features: {{acpi: {{}}}}
    devices:
      serials: [{{type: pty}}]
      consoles: [{{type: pty}}]
"""


def real(strategy: str = "Always", name: str = "web-1", *, boot: str = "", memory: int = 64) -> str:
    return REAL.format(name=name, strategy=strategy, boot=boot, memory=memory)


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd(revived=True) as daemon:
        yield daemon


@pytest.fixture
def qemu(libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hypervisor]:
    monkeypatch.setattr(runs, "FIRST", 0.2)
    with Hypervisor(libvirtd.uri) as hypervisor:
        yield hypervisor
        cleared(hypervisor)


@pytest.fixture
def guest(libvirtd: Libvirtd) -> Callable[[], int]:
    """What returns the process id of the guest's QEMU, 0 where it has none."""
    return lambda: qemus(libvirtd).get("default_web-1", 0)


@pytest.mark.parametrize(
    ("strategy", "again"), [("Always", True), ("RerunOnFailure", True), ("Once", False), ("Manual", False)]
)
def test_a_guest_that_crashed_is_started_again_as_its_strategy_says(
    qemu: Hypervisor, guest: Callable[[], int], folder: Folder, strategy: str, again: bool
) -> None:
    folder.put(real(strategy))
    with InProcess(qemu, folder.path) as agent:
        eventually(lambda: agent.told.condition().ok)
        domain = store.find(qemu, WEB).domain
        if strategy == "Manual":
            domain.start()
            eventually(lambda: runs.load(qemu, domain.uuid).started)
        eventually(agent.runs)
        agent.settled()
        os.kill(guest(), signal.SIGKILL)
        eventually(lambda: runs.load(qemu, domain.uuid).failures == 1)
        if again:
            eventually(agent.runs)
        else:
            agent.settled()
            eventually(lambda: agent.told.word() == "Stopped")
            assert not domain.active


@pytest.mark.parametrize(("strategy", "again"), [("Always", True), ("RerunOnFailure", False)])
def test_a_guest_that_shuts_itself_down_is_no_crash(
    libvirtd: Libvirtd, qemu: Hypervisor, guest: Callable[[], int], folder: Folder, strategy: str, again: bool
) -> None:
    files = libvirtd.folder / "guest"
    files.mkdir(exist_ok=True)
    kernel, initrd = guest_files(files)
    line = "console=ttyS0 panic=-1 loglevel=3 random.trust_cpu=on"
    boot = f", kernel: {kernel}, initrd: {initrd}, cmdline: {line}"
    folder.put(real(strategy, boot=boot, memory=192))
    with InProcess(qemu, folder.path) as agent:
        eventually(lambda: agent.told.word() == "Running")
        domain = store.find(qemu, WEB).domain
        first = guest()
        console = Console(domain, force=True)
        console.socket.settimeout(PATIENCE)
        said = b""
        while b"tick" not in said:
            said += console.socket.recv(65536)
        # Its own doing: nobody asked it from outside.
        console.socket.sendall(b"poweroff -f\n")
        eventually(lambda: runs.load(qemu, domain.uuid).failures == 1)
        console.close()
        if again:
            eventually(lambda: guest() not in (0, first))
        else:
            agent.settled()
            assert runs.load(qemu, domain.uuid).ended == "shutdown"
            assert not domain.active


@pytest.mark.usefixtures("qemu")
def test_a_guest_runs_on_when_the_agent_and_libvirtd_are_killed_and_both_come_back_to_it(
    libvirtd: Libvirtd, guest: Callable[[], int], folder: Folder, tmp_path: Path
) -> None:
    folder.put(real())
    with Process(libvirtd.uri, folder.path, tmp_path) as agent:
        eventually(lambda: "web-1 created" in agent.said(), agent.said)
        agent.ready()
        before = guest()
        os.kill(libvirtd.pid, signal.SIGKILL)
        eventually(lambda: agent.said().count("synchronized") == 2, agent.said)
        agent.ready()
        folder.put(real().replace("    type: qemu", "    type: qemu\n    title: Back"))
        eventually(lambda: "configured" in agent.said(), agent.said)
        agent.kill()
        assert guest() == before
        agent.start()
        agent.ready()
        assert guest() == before
        assert "created" not in agent.said().rpartition("started: ")[2]


def test_stop_and_start_by_hand_are_not_undone_by_the_agent(
    libvirtd: Libvirtd, qemu: Hypervisor, folder: Folder, tmp_path: Path
) -> None:
    env = {"LIBVIRT_DEFAULT_URI": libvirtd.uri, "KUBEVMM_STATE": str(tmp_path / "state")}

    def shown() -> str:
        return virtctl("get", "vm", "web-1", "-o", "yaml", env=env).stdout.decode()

    folder.put(real())
    with Process(libvirtd.uri, folder.path, tmp_path) as agent:
        eventually(lambda: "web-1 created" in agent.said(), agent.said)
        domain = store.find(qemu, WEB).domain
        done = virtctl("stop", "web-1", "--force", env=env)
        assert b"its runStrategy is Always" in done.stderr
        eventually(lambda: "HeldByHand" in shown(), shown)
        agent.signal(signal.SIGHUP)
        eventually(lambda: "anew" in agent.said())
        agent.ready()
        assert not domain.active
        assert virtctl("restart", "web-1", env=env).returncode == 0
        assert domain.active
        eventually(lambda: "HeldByHand" not in shown(), shown)
        domain.destroy()
        eventually(lambda: domain.active, agent.said)


def test_an_agent_without_libvirt_waits_for_it_and_can_be_ended(folder: Folder, tmp_path: Path) -> None:
    uri = f"qemu+unix:///system?socket={tmp_path / 'nowhere'}"
    with Process(uri, folder.path, tmp_path) as agent:
        eventually(lambda: "waiting for it" in agent.said(), agent.said)
        agent.signal(signal.SIGTERM)
        assert agent.wait() == 0


def test_an_object_that_cannot_be_made_is_shown_with_its_reason(
    libvirtd: Libvirtd, qemu: Hypervisor, folder: Folder, tmp_path: Path
) -> None:
    folder.put(real().replace("devices:", "devices:\n      emulator: /nonesuch/qemu"))
    env = {"LIBVIRT_DEFAULT_URI": libvirtd.uri, "KUBEVMM_STATE": str(tmp_path / "state")}
    with Process(libvirtd.uri, folder.path, tmp_path) as agent:
        agent.ready()
        shown = virtctl("get", "vm", "web-1", "-o", "yaml", env=env).stdout.decode()
        assert "printableStatus: Provisioning" in shown
        assert "nonesuch" in shown
    assert store.lookup(qemu, Ref("VirtualMachine", "default", "web-1")) is None
    # Nobody tries any more.
    assert b"not found" in virtctl("get", "vm", "web-1", env=env).stderr


def test_what_qemu_has_and_libvirt_forgot_waits_for_the_guests_next_start(
    libvirtd: Libvirtd, qemu: Hypervisor, folder: Folder
) -> None:
    scsi = real() + "      controllers: [{type: scsi, index: 0, model: virtio-scsi}]\n"
    folder.put(scsi)
    with InProcess(qemu, folder.path) as agent:
        eventually(lambda: agent.told.word() == "Running")
        # As libvirtd leaves it where it is killed in the middle of an attachment.
        for number in range(1, 4):
            node = f'"driver":"null-co","node-name":"libvirt-{number}-storage"'
            command = f'{{"execute":"blockdev-add","arguments":{{{node}}}}}'
            libvirtd.virsh("qemu-monitor-command", "default_web-1", command)
        disk = libvirtd.folder / "half.raw"
        disk.write_bytes(bytes(1 << 20))
        disk.chmod(0o666)
        source = f"source: {{file: {disk}}}, target: {{dev: sdb, bus: scsi}}"
        folder.put(f"{scsi}      disks: [{{type: file, device: disk, driver: {{name: qemu, type: raw}}, {source}}}]\n")
        eventually(lambda: agent.told.status[WEB].get("restartRequired"), lambda: agent.told)
        assert agent.told.condition().ok
        agent.settled()
        store.find(qemu, WEB).domain.destroy()
        eventually(agent.runs)
        eventually(lambda: not agent.told.status[WEB].get("restartRequired"), lambda: agent.told)
        assert str(disk) in store.find(qemu, WEB).domain.xml()


@pytest.mark.slow
def test_after_blows_at_seeded_calls_everything_is_there_once_and_runs_on() -> None:
    tally = campaign(10, seed=3)
    assert sum(tally.struck.values()) == 10
    assert tally.struck["nobody"] < 10
