"""Build the real servers and commands that tests run, once for each set of versions.

``python -m tests.harness.build [COMMAND ...]`` prints a line for each step on stderr and the folder on stdout. Needs
a network the first time, and either Go or pip; neither a C compiler nor git.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness.errors import HarnessError, last_lines
from tests.harness.toolchain import find_go

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MODULE = Path(__file__).parent / "binaries"

# Each command by its import path; all are tools of the module.
COMMANDS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kubectl")

# kubectl and the servers compare the versions that the linker gives them.
VERSION_VARIABLES = ("k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion")
GO_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    # A value of our own, since an empty one would let a person's `go env -w GOFLAGS` through. With "readonly" go
    # neither touches the module's files nor builds what go.sum does not vouch for.
    "GOFLAGS": "-mod=readonly",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
    "GO111MODULE": "on",
}
# What would build for another machine, or with another toolchain's library.
GO_ENVIRONMENT_DROPPED = ("GOROOT", "GOOS", "GOARCH", "GOEXPERIMENT")


def build(commands: Sequence[str] = CONTROL_PLANE, *, report: Callable[[str], None] | None = None) -> Path:
    """Return a folder that holds the ``commands`` (keys of `COMMANDS`), building those that are missing.

    KUBEBUILDER_ASSETS is that folder if it has them all; else it is one for the pinned versions in the cache. Runs
    that ask at the same time wait for each other. ``report`` is called with a line for each step. Raises
    `HarnessError`.
    """
    report = report or _to_stderr
    if unknown := sorted(set(commands) - set(COMMANDS)):
        raise HarnessError(f"unknown command {unknown[0]}", hint=f"known: {', '.join(COMMANDS)}")
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        missing = _missing(Path(assets), commands)
        if not missing:
            return Path(assets)
        report(f"KUBEBUILDER_ASSETS is not used: {assets} has no {', '.join(missing)}")
    cache = cache_folder()
    folder = cache / _key()
    if not _missing(folder, commands):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / ".lock", report):
            # Another run may have built them while this one waited.
            if missing := _missing(folder, commands):
                for left_by_a_killed_run in folder.glob(".building-*"):
                    shutil.rmtree(left_by_a_killed_run)
                go = find_go(_go_minimum(), cache, report)
                for number, command in enumerate(missing, start=1):
                    report(f"building {command} ({number} of {len(missing)})")
                    started = time.monotonic()
                    size = _build_one(go, command, folder)
                    report(f"built {command} in {time.monotonic() - started:.0f} s, {size / 1e6:.0f} MB")
    except OSError as error:
        raise HarnessError(f"cannot build in {cache}: {error}", hint="XDG_CACHE_HOME chooses another place") from error
    return folder


def cache_folder() -> Path:
    """Return the folder that holds one folder for each set of versions, and the toolchain if one was fetched."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "kubevmm" / "controlplane"


def _key() -> str:
    """Name the folder after everything that decides what is in the binaries, with the versions readable."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    digest.update(repr((VERSION_VARIABLES, sorted(GO_ENVIRONMENT.items()), sorted(COMMANDS.items()))).encode())
    versions = f"kubernetes-{required('k8s.io/kubernetes')}-etcd-{required(COMMANDS['etcd'])}"
    return f"{versions}-{platform.system().lower()}-{platform.machine()}-{digest.hexdigest()[:12]}"


def required(module: str) -> str:
    """Return the version of ``module`` that go.mod requires, such as "v1.37.2"."""
    return _in_go_mod(rf"^\s+{re.escape(module)} (v\S+)$")[1]


def _go_minimum() -> tuple[int, int]:
    match = _in_go_mod(r"^go (\d+)\.(\d+)")
    return (int(match[1]), int(match[2]))


def _in_go_mod(pattern: str) -> re.Match[str]:
    match = re.search(pattern, (MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise HarnessError(f"{MODULE / 'go.mod'} has nothing like {pattern}")
    return match


def _missing(folder: Path, commands: Sequence[str]) -> list[str]:
    return [command for command in commands if not os.access(folder / command, os.X_OK)]


@contextlib.contextmanager
def _locked(path: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Hold an exclusive lock, which the kernel frees however this process ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another run that is building")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_one(go: Path, command: str, folder: Path) -> int:
    """Build one command into ``folder`` and return its size in bytes."""
    version = required("k8s.io/kubernetes")
    ldflags = " ".join(["-s", "-w", *(f"-X {variable}={version}" for variable in VERSION_VARIABLES)])
    environment = {name: value for name, value in os.environ.items() if name not in GO_ENVIRONMENT_DROPPED}
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as scratch:
        output = Path(scratch, command)
        # nice: it takes minutes of every core, and nobody waits at a prompt for it.
        arguments = ["nice", "-n", "10", str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags]
        result = subprocess.run(
            [*arguments, "-o", str(output), COMMANDS[command]],
            cwd=MODULE,
            env=environment | GO_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if result.returncode != 0:
            raise HarnessError(
                f"go could not build {command}:{last_lines(result.stdout)}",
                hint="it needs a module proxy (GOPROXY) and about 6 GB for go's own caches (GOCACHE, GOMODCACHE)",
            )
        output.replace(folder / command)
    return (folder / command).stat().st_size


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the commands named on the command line, or all; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness.build", description="Build what tests run.")
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(COMMANDS)}")
    options = parser.parse_args(arguments)
    try:
        folder = build(options.commands or tuple(COMMANDS))
    except KeyboardInterrupt:
        return 130
    except HarnessError as error:
        _to_stderr(f"error: {error}")
        if error.hint:
            _to_stderr(f"hint: {error.hint}")
        return 1
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
