"""Runs kubectl virt as a user does: kubectl finds it by its name, which pyproject.toml gives it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULE, _, FUNCTION = PROJECT["scripts"]["kubectl-virt"].partition(":")
PLUGIN = [sys.executable, "-c", f"from {MODULE} import {FUNCTION}; {FUNCTION}()"]


class Virt:
    """Runs it against *server*, as the user of *kubeconfig*, by default the administrator."""

    def __init__(self, server: ControlPlane, folder: Path, kubeconfig: Path | None = None) -> None:
        self._server = server
        self._folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(kubeconfig or server.kubeconfig)}

    def done(self, *words: str | Path, through_kubectl: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ``kubectl virt words``; whatever it is given, it must not show a traceback."""
        before, environment = PLUGIN, self.environment
        if through_kubectl:
            program = self._folder / "kubectl-virt"
            program.write_text(f'#!/bin/sh\nexec "{PLUGIN[0]}" -c "{PLUGIN[2]}" "$@"\n')
            program.chmod(0o700)
            before = [str(self._server.program("kubectl")), "virt"]
            environment = {**environment, "PATH": f"{self._folder}:/usr/bin:/bin", "HOME": str(self._folder)}
        done = subprocess.run(
            [*before, *map(str, words)],
            env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=self._folder,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert "internal error" not in done.stderr, done.stderr
        return done

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        """Run it; it must end with *code*. Return what it wrote to standard output."""
        done = self.done(*words)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout

    def refused(self, *words: str | Path) -> tuple[str, str]:
        """Run it; it must fail with one line, and one that says what to do. Return both."""
        done = self.done(*words)
        assert (done.returncode, done.stdout) == (1, ""), (words, done.stdout, done.stderr)
        error, hint = done.stderr.splitlines()
        assert error.startswith("error: "), done.stderr
        assert hint.startswith("hint: "), done.stderr
        return error.removeprefix("error: "), hint.removeprefix("hint: ")
