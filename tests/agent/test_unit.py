"""The unit for systemd says what the agent understands, and what systemd does."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.cli.command import ROOT, virtctl

if TYPE_CHECKING:
    from pathlib import Path

UNIT = ROOT / "packaging" / "systemd" / "virtctl-agent.service"


def _unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have case
    parser.read(UNIT, encoding="utf-8")
    return parser


def test_what_it_starts_is_a_command_that_the_agent_takes(tmp_path: Path) -> None:
    program, *arguments = shlex.split(_unit()["Service"]["ExecStart"])
    assert program == "/usr/bin/virtctl"
    folder = arguments.index("--manifests") + 1
    arguments[folder] = str(tmp_path / "none")
    # It goes as far as the folder, which the command line's own mistakes come before.
    done = virtctl(*arguments)
    assert (done.returncode, b"No such file or directory" in done.stderr) == (1, True), done.stderr


def test_it_tells_systemd_when_it_is_ready_and_that_it_lives() -> None:
    service = _unit()["Service"]
    assert service["Type"] == "notify"
    assert service["WatchdogSec"]
    assert service["ExecReload"].endswith("-HUP $MAINPID")


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    text = UNIT.read_text(encoding="utf-8")
    assert "ProtectSystem=strict" in text
    if program is not None:
        copy = tmp_path / UNIT.name
        # Its program is wherever this one is installed.
        copy.write_text(text.replace("/usr/bin/virtctl", "/bin/true"), encoding="utf-8")
        done = subprocess.run([program, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
