"""The libvirt of the demonstration's own: what it is told of, and that nothing of it is left, whatever ends it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.command import ROOT, environment

pytestmark = [pytest.mark.libvirt]

START = """
import os, sys
import libvirt
from tests.hypervisor.guests import real
libvirt.open().createXML(real(sys.argv[1]))
print(os.environ["NODE_FOLDER"], flush=True)
"""


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.node", *command], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("code", [0, 3])
def test_it_ends_with_the_commands_exit_code(code: int) -> None:
    process = started("sh", "-c", f"virsh list --name --all && echo $NODE_FOLDER && exit {code}")
    said = process.communicate(timeout=60)[0].split()
    assert (process.returncode, len(said)) == (code, 1)
    assert not Path(said[0]).parent.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_the_guests_and_the_folder(number: signal.Signals) -> None:
    name = f"left-{os.getpid()}-{number.name}"
    process = started("sh", "-c", '"$0" -c "$1" "$2" && sleep 1000', sys.executable, START, name)
    try:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip()).parent
        assert folder.name.startswith("kubevmm-libvirtd-")
        assert runs(name)
        process.send_signal(number)
        assert process.wait(timeout=60) == 128 + number
    finally:
        process.terminate()
        process.wait(timeout=60)
    assert not folder.exists()
    assert not runs(name)


def runs(name: str) -> bool:
    """Say whether QEMU runs the guest *name*."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"\0guest={name},".encode() in entry.read_bytes():
                return True
    return False


def test_a_shell_on_a_terminal_outlives_its_interrupts() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.node", "bash", "--norc"],
        cwd=ROOT, env=environment({"PS1": "ready> "}), stdin=theirs, stdout=theirs, stderr=theirs,
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)),  # noqa: PLW1509 -- no threads here
    )  # fmt: skip
    os.close(theirs)
    try:
        until(ours, b"ready> ")
        # What the shell says, not the echo of what was typed: before that, it would take the interrupt as typed, too.
        # It waits by itself: a program that it is about to start could lose the interrupt.
        os.write(ours, b"echo begun $((6 * 7)); read; echo code $?\n")
        until(ours, b"begun 42")
        os.write(ours, b"\x03")
        until(ours, b"ready> ")
        os.write(ours, b"echo still $((40 + 2)); exit 5\n")
        until(ours, b"still 42")
        assert process.wait(timeout=60) == 5
    finally:
        process.terminate()
        process.wait(timeout=60)
        os.close(ours)


def until(terminal: int, text: bytes) -> None:
    said = b""
    while text not in said:
        assert select.select([terminal], [], [], 60)[0], said
        said += os.read(terminal, 4096)
