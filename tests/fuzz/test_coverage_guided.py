"""A short run of the coverage-guided fuzzer for each target: the long ones are for nights."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from pathlib import Path

RUNS = {"xml": 15_000, "yaml": 15_000, "either": 15_000, "annotation": 10_000, "roundtrip": 400}


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="Atheris has no wheel for this kind of processor")
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_unexpected_happens_however_the_input_is_changed(target: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.coverage_guided", "--target", target, "--runs", str(RUNS[target])]
    run = subprocess.run([*command, "--findings", tmp_path], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    executed = re.search(r"number_of_executed_units: ([0-9]+)", run.stderr)
    assert executed is not None
    assert int(executed[1]) >= RUNS[target]
    assert list(tmp_path.iterdir()) == []
