"""What top, events and guest info tell of a guest that runs."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import VIRTCTL, environment

if TYPE_CHECKING:
    from tests.node.conftest import Machine

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]


def test_top_shows_a_guest_at_work_and_not_one_that_is_off(machine: Machine) -> None:
    machine.tick()
    machine.typed("while true; do :; done & echo started-$!", rb"started-\d+")
    (busy,) = json.loads(machine.virtctl("top", "-o", "json").stdout)
    assert busy["name"] == machine.name
    assert busy["cpu"] > 10
    assert (busy["vcpus"], busy["memoryMaximum"]) == (1, 192 << 20)
    machine.virtctl("pause", machine.name)
    (still,) = json.loads(machine.virtctl("top", "vm", machine.name, "-o", "json").stdout)
    assert still["cpu"] < busy["cpu"]
    machine.virtctl("resume", machine.name)
    machine.typed("kill %1; echo calm-$((1 + 1))", rb"calm-2")
    assert b"CPU%" in machine.virtctl("top").stdout


def test_events_are_told_as_they_come(machine: Machine) -> None:
    process = subprocess.Popen(
        [*VIRTCTL, "events", machine.name, "-o", "json", "--count", "2", "--timeout", "60s"],
        stdout=subprocess.PIPE,
        env=environment({"LIBVIRT_DEFAULT_URI": machine.uri}),
    )
    try:
        # When it listens nobody can see, so it happens until it has been heard twice.
        while process.poll() is None:
            machine.domain.suspend()
            machine.domain.resume()
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    told = [json.loads(line) for line in said.splitlines()]
    assert len(told) == 2
    assert {each["topic"] for each in told} == {"lifecycle"}
    assert {each["what"] for each in told} == {"suspended", "resumed"}
    assert {each["name"] for each in told} == {machine.name}


def test_a_guest_without_an_agent_is_one_line(machine: Machine) -> None:
    done = machine.virtctl("guest", "info", "vm", machine.name, code=1)
    assert len(done.stderr.splitlines()) == 2
    assert b"no guest agent" in done.stderr


def test_softreboot_has_the_guest_boot_anew(machine: Machine) -> None:
    run = machine.run
    machine.tick()
    assert b"rebooting" in machine.virtctl("softreboot", machine.name).stdout
    machine.expect(rb"guest booted")
    assert machine.run == run
