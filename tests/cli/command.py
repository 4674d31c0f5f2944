"""Runs virtctl as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GUEST = EXAMPLES / "guests" / "web-1.xml"

VIRTCTL = [sys.executable, "-m", "executor.cli"]


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return this process' environment, fit to run virtctl from any folder, with *changes* (None takes away)."""
    merged: dict[str, str | None] = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": None, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def virtctl(
    *arguments: str | Path,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    **more: Any,
) -> subprocess.CompletedProcess[bytes]:
    """Run ``virtctl arguments``; whatever it is given, it must not show a traceback nor call anything internal."""
    done = subprocess.run(
        [*VIRTCTL, *map(str, arguments)], input=stdin, cwd=cwd, env=environment(env), check=False, timeout=120,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )  # fmt: skip
    said = (done.stdout or b"") + (done.stderr or b"")
    assert b"Traceback" not in said, said.decode(errors="replace")
    assert b"internal error" not in said, said.decode(errors="replace")
    return done


def lines(output: bytes) -> list[str]:
    return output.decode().splitlines()
