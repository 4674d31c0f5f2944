"""The private libvirtd runs guests, and leaves neither a process nor a file behind, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness import libvirtd
from tests.harness.errors import HarnessError
from tests.harness.libvirtd import STANDS, Libvirtd

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]

GUEST = """
<domain type='qemu'>
  <name>guest</name>
  <memory>65536</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><serial type='pty'/></devices>
</domain>
"""

RUN_UNTIL_KILLED = """
import sys, time
from tests.harness.libvirtd import Libvirtd
from tests.libvirt.test_libvirtd import start_guest
with Libvirtd() as running:
    print(running.folder, running.pid, start_guest(running), flush=True)
    time.sleep(600)
"""


def start_guest(running: Libvirtd) -> int:
    """Start a guest and return the process id of its QEMU."""
    document = running.folder / "guest.xml"
    document.write_text(GUEST, encoding="utf-8")
    running.virsh("create", str(document))
    [pid] = [int(path.read_text(encoding="ascii")) for path in running.folder.rglob("guest.pid")]
    return pid


def has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    # One that has ended, and that its parent has not asked after yet, is a zombie.
    return state == "Z"


def until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def entries_of_the_machine() -> set[Path]:
    """Return what stands in the folders of the machine's own libvirt, if it has any."""
    folders = [Path(place) for place in STANDS.values() if place != "/run"] + [Path("/run/libvirt")]
    return {entry for folder in folders for entry in folder.rglob("*")}


@pytest.mark.parametrize("session", [False, True])
def test_it_runs_guests_and_leaves_nothing_behind(session: bool) -> None:
    before = entries_of_the_machine()
    with Libvirtd(session=session) as running:
        libvirtd_pid, guest_pid = running.pid, start_guest(running)
        assert running.virsh("list", "--name").stdout.split() == ["guest"]
        assert not has_ended(libvirtd_pid)
        assert not has_ended(guest_pid)
        assert not (running.system and session)
    assert has_ended(libvirtd_pid)
    assert has_ended(guest_pid)
    assert not running.folder.exists()
    assert entries_of_the_machine() == before


def test_several_run_side_by_side() -> None:
    with Libvirtd() as one, Libvirtd() as other:
        start_guest(one)
        assert one.virsh("list", "--name").stdout.split() == ["guest"]
        assert other.virsh("list", "--name", "--all").stdout.split() == []


def test_it_and_its_guests_end_with_the_process_that_started_it() -> None:
    command = [sys.executable, "-c", RUN_UNTIL_KILLED]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder, *pids = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
    for pid in pids:
        assert until(partial(has_ended, int(pid)))
    # Nobody was left to remove it.
    subprocess.run(["rm", "-rf", "--", folder], check=True)


def test_virsh_says_what_failed(libvirtd: Libvirtd) -> None:
    with pytest.raises(
        HarnessError, match=r"virsh dominfo nobody ended with 1:\s+error: failed to get domain 'nobody'"
    ):
        libvirtd.virsh("dominfo", "nobody")
    assert libvirtd.virsh("dominfo", "nobody", check=False).returncode == 1


def test_what_is_not_installed_is_an_error_that_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirtd, "SEARCHED", "/nowhere")
    with pytest.raises(HarnessError, match="libvirtd is not installed") as raised, Libvirtd():
        pass
    assert "make test" in (raised.value.hint or "")


def test_one_that_does_not_start_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirtd, "LIBVIRTD_CONF", "max_clients = 'many'\n")
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.raises(HarnessError, match=r"(?s)libvirtd ended with \d+ .*max_clients"),
        Libvirtd(Path(folder)),
    ):
        pass
