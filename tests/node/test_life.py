"""Start, stop, pause, save and the console, seen from inside a guest that counts the seconds."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command import VIRTCTL, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.node.conftest import Machine

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]


def test_the_console_shows_what_the_guest_counts(machine: Machine) -> None:
    machine.let_go()
    done = machine.virtctl("console", machine.name, "--timeout", "4s")
    assert done.stdout.count(b"tick ") >= 2


def test_what_is_piped_into_the_console_is_typed(machine: Machine) -> None:
    machine.let_go()
    done = machine.virtctl("console", "vm", machine.name, "--timeout", "4s", stdin=b"echo 6 times 7 is $((6 * 7))\n")
    assert b"6 times 7 is 42" in done.stdout


def test_a_console_in_use_is_taken_only_by_force(machine: Machine) -> None:
    machine.tick()
    refused = machine.virtctl("console", machine.name, "--timeout", "2s", code=1)
    assert b"--force" in refused.stderr
    done = machine.virtctl("console", machine.name, "--timeout", "4s", "--force")
    assert b"tick " in done.stdout
    machine.let_go()


class OnConsole:
    """virtctl's console on a terminal of its own: ``ours`` is a person's end of it, ``theirs`` virtctl's."""

    def __init__(self, machine: Machine) -> None:
        machine.let_go()
        self.ours, self.theirs = pty.openpty()
        self.before = self.modes()
        self.process = subprocess.Popen(
            [*VIRTCTL, "console", machine.name],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            env=environment({"LIBVIRT_DEFAULT_URI": machine.uri}),
        )

    def modes(self) -> list[Any]:
        """Return how the terminal is set."""
        return termios.tcgetattr(self.theirs)

    def until(self, text: bytes) -> bytes:
        """Read until *text* was said, and return all of it."""
        said = b""
        while text not in said:
            said += os.read(self.ours, 4096)
        return said

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def console(machine: Machine) -> Iterator[OnConsole]:
    made = OnConsole(machine)
    yield made
    made.close()


def test_a_terminal_is_raw_on_the_console_and_itself_again_after_ctrl_bracket(console: OnConsole) -> None:
    assert b"Ctrl-]" in console.until(b"tick ")
    assert not console.modes()[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    os.write(console.ours, b"\x1d")
    assert console.process.wait(timeout=60) == 0
    assert console.modes() == console.before


def test_a_terminal_is_itself_again_when_the_console_is_terminated(console: OnConsole) -> None:
    console.until(b"tick ")
    console.process.terminate()
    console.process.wait(timeout=60)
    assert console.modes() == console.before


def test_pause_stops_the_clock_and_resume_lets_it_go_on(machine: Machine) -> None:
    machine.virtctl("pause", machine.name)
    assert b"unchanged" in machine.virtctl("pause", "vm", machine.name).stdout
    last = machine.virtctl("console", machine.name, "--timeout", "3s", "--force").stdout
    assert b"tick " not in last
    refused = machine.virtctl("stop", machine.name, code=1)
    assert b"paused" in refused.stderr
    machine.virtctl("resume", machine.name)
    machine.let_go()
    machine.tick()
    assert b"unchanged" in machine.virtctl("resume", machine.name).stdout


def test_save_and_restore_go_on_with_the_count(machine: Machine) -> None:
    before = machine.tick().number
    machine.let_go()
    assert b" saved" in machine.virtctl("save", machine.name).stdout
    assert not machine.domain.active
    refused = machine.virtctl("console", machine.name, code=1)
    assert b"virtctl start" in refused.stderr
    assert b" restored" in machine.virtctl("restore", f"vm/{machine.name}").stdout
    after = machine.tick().number
    # Booted anew it would count from 1 again.
    assert before < after


def test_restore_says_when_nothing_is_saved(machine: Machine) -> None:
    assert b"runs" in machine.virtctl("restore", machine.name, code=1).stderr


def test_reset_boots_the_guest_anew_without_asking(machine: Machine) -> None:
    identity = machine.run
    machine.tick()
    machine.virtctl("reset", machine.name)
    machine.expect(rb"guest booted")
    assert machine.run == identity


def test_stop_asks_the_guest_and_start_boots_it(machine: Machine) -> None:
    machine.expect(rb"tick 1 ")
    assert machine.virtctl("stop", "vm", machine.name).stdout == f"virtualmachine/{machine.name} stopped\n".encode()
    assert machine.domain.state().reason == "shutdown"
    machine.let_go()
    assert b"unchanged" in machine.virtctl("stop", machine.name).stdout
    machine.virtctl("start", machine.name)
    machine.expect(rb"guest booted")


def test_a_guest_that_will_not_stop_is_said_to_run_still_and_stops_by_force(machine: Machine) -> None:
    # Paused when it would read the button, it never will: here the firmware has not booted yet.
    machine.virtctl("stop", machine.name, "--force")
    machine.let_go()
    machine.virtctl("start", machine.name, "--paused")
    machine.virtctl("resume", machine.name)
    refused = machine.virtctl("stop", machine.name, "--timeout", "0.1s", code=1)
    assert b"--force" in refused.stderr
    assert machine.domain.active
    started = time.monotonic()
    assert b"by force" in machine.virtctl("stop", machine.name, "--grace-period", "1s").stdout
    assert time.monotonic() - started >= 1
    assert machine.domain.state().reason == "destroyed"


def test_restart_gives_it_a_new_life(machine: Machine) -> None:
    machine.let_go()
    machine.boot()
    identity = machine.run
    machine.expect(rb"tick 2 ")
    assert b"restarted" in machine.virtctl("restart", machine.name).stdout
    assert machine.run not in {identity, -1}
    machine.let_go()
    machine.expect(rb"guest booted")


def test_one_that_is_not_there_is_one_line_and_the_others_are_done(machine: Machine) -> None:
    done = machine.virtctl("pause", "nosuch", machine.name, code=1)
    assert done.stderr.count(b"error: ") == 1
    assert b"nosuch" in done.stderr
    assert machine.domain.state().state == "paused"
    machine.virtctl("resume", machine.name)


def test_a_kind_that_cannot_do_it_is_a_mistake_in_usage(machine: Machine) -> None:
    assert b"only virtual machines" in machine.virtctl("start", "vmnet/default", code=2).stderr


def test_the_console_needs_no_standard_input_at_all(machine: Machine) -> None:
    machine.let_go()
    script = "import os, sys; os.close(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    done = subprocess.run(
        [VIRTCTL[0], "-c", script, *VIRTCTL[1:], "console", machine.name, "--timeout", "5s"],
        capture_output=True,
        env=environment({"LIBVIRT_DEFAULT_URI": machine.uri}),
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"tick " in done.stdout
