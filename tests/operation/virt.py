"""Runs kubectl virt as a user does: kubectl finds it by its name, which pyproject.toml gives it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from executor.cli.cluster.app import main

if TYPE_CHECKING:
    from tests.harness.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULE, _, FUNCTION = PROJECT["scripts"]["kubectl-virt"].partition(":")
PLUGIN = [sys.executable, "-c", f"from {MODULE} import {FUNCTION}; {FUNCTION}()"]


class Done(NamedTuple):
    """What came of it."""

    returncode: int
    stdout: str
    stderr: str


class Virt:
    """Runs it against *server*, as the user of *kubeconfig*, by default the administrator."""

    def __init__(self, server: ControlPlane, folder: Path, kubeconfig: Path | None = None) -> None:
        self._server = server
        self._folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(kubeconfig or server.kubeconfig)}

    def done(self, *words: str | Path) -> Done:
        """Run ``kubectl virt words`` in this process; whatever it is given, it must not show a traceback."""
        out, err = io.StringIO(), io.StringIO()
        code: Any = 0
        with (
            mock.patch.dict(os.environ, {"KUBECONFIG": self.environment["KUBECONFIG"]}),
            mock.patch.object(sys, "argv", ["kubectl-virt", *map(str, words)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as left:
                code = left.code
        assert "Traceback" not in err.getvalue(), err.getvalue()
        assert "internal error" not in err.getvalue(), err.getvalue()
        return Done(int(code or 0), out.getvalue(), err.getvalue())

    def through_kubectl(self, *words: str) -> str:
        """Run it as kubectl does that finds it on the path; return what it wrote to standard output."""
        program = self._folder / "kubectl-virt"
        program.write_text(f'#!/bin/sh\nexec "{PLUGIN[0]}" -c "{PLUGIN[2]}" "$@"\n')
        program.chmod(0o700)
        environment = {**self.environment, "PATH": f"{self._folder}:/usr/bin:/bin", "HOME": str(self._folder)}
        kubectl = str(self._server.program("kubectl"))
        return subprocess.run(
            [kubectl, "virt", *words], env=environment, capture_output=True, text=True, timeout=120, check=True
        ).stdout

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
