"""A cluster of processes: a real API server, a controller, and an executor with a libvirt of its own for each node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.conftest import cluster_binaries
from tests.harness.controlplane import ControlPlane
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.operation.placing import Placed

__all__ = ["cluster_binaries"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE = 180.0
"""Seconds: what is waited for comes at once on a machine at rest; one that others keep busy is no reason to fail."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder: all need an API server."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.cluster)


class Daemon:
    """A process of ours that is ended by its process id; its log is in *log*."""

    def __init__(self, log: Path, *arguments: str, **environment: str) -> None:
        self.log = log
        self._arguments = arguments
        self._environment = {**os.environ, **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self._arguments], cwd=ROOT, env=self._environment, stderr=log, stdout=log
            )

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Cluster:
    """The API server, and what runs against it."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        self.control_plane = control_plane
        self.folder = folder
        self.daemons: list[Daemon] = []
        self.libvirts: dict[str, Libvirtd] = {}

    def kubectl(self, *arguments: str, stdin: str | None = None, code: int = 0) -> str:
        """Run kubectl, which must end with *code*; return what it wrote."""
        done = self.control_plane.kubectl(*arguments, input=stdin, check=False)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(each) for each in objects))

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-n", namespace, "-o", "json"))
        return found

    def find(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """Return the object, and an empty one where there is none."""
        found = self.kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return dict(json.loads(found)) if found else {}

    def controller(self, **environment: str) -> Daemon:
        return self.daemon("controller", "controller", "--no-elect", "--port", "0", **environment)

    def executor(self, node: str, libvirtd: Libvirtd, **environment: str) -> Daemon:
        self.libvirts[node] = libvirtd
        state = self.folder / f"state-{node}"
        return self.daemon(
            f"executor-{node}", "executor.cli", "executor", "--node", node, "--connect", libvirtd.uri,
            "--listen", "none", KUBEVMM_STATE=str(state), **environment,
        )  # fmt: skip

    def daemon(self, name: str, *arguments: str, **environment: str) -> Daemon:
        environment = {"KUBECONFIG": str(self.control_plane.kubeconfig), **environment}
        made = Daemon(self.folder / f"{name}-{len(self.daemons)}.log", *arguments, **environment)
        made.start()
        self.daemons.append(made)
        return made

    def stop(self) -> None:
        """End what was started, and show what it logged."""
        for daemon in self.daemons:
            daemon.stop()
            sys.stdout.write(f"--- {daemon.log.name}\n{daemon.log.read_text()}\n")


def eventually(check: Callable[[], bool], said: Callable[[], object] = lambda: "", patience: float = PATIENCE) -> None:
    """Wait until *check* holds; fail with what *said* says if it does not in time."""
    end = time.monotonic() + patience
    while not check():
        assert time.monotonic() < end, said()
        time.sleep(0.1)


def install(control_plane: ControlPlane) -> None:
    """Give the API server our kinds, and wait until it serves them."""
    files = [str(path) for part in "01" for path in sorted((ROOT / "yamls").glob(f"{part}*.yaml"))]
    apply = ("apply", "--server-side", *(f"--filename={path}" for path in files))
    # On a busy machine the server may give up on one of them; to apply the others again changes nothing.
    eventually(
        lambda: control_plane.kubectl(*apply, check=False, timeout=300).returncode == 0,
        lambda: control_plane.kubectl(*apply, check=False, timeout=300).stderr,
        patience=300,
    )
    # At first a definition has no conditions at all, and kubectl wait takes that for an error.
    wait = ("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    eventually(lambda: control_plane.kubectl(*wait, check=False).returncode == 0)


@pytest.fixture(scope="package")
def server(cluster_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Yield an API server with our kinds."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), binaries=cluster_binaries) as running:
        install(running)
        yield running


@pytest.fixture(scope="package")
def libvirtd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Libvirtd]:
    """Yield a libvirt of one node."""
    with Libvirtd(tmp_path_factory.mktemp("libvirtd")) as running:
        yield running


@pytest.fixture
def cluster(server: ControlPlane, tmp_path: Path) -> Iterator[Cluster]:
    """Yield the cluster; what a test started in it ends with the test."""
    made = Cluster(server, tmp_path)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placed]:
    """Yield a cluster with kube-scheduler, the extender, a controller, and two nodes with executors."""
    from tests.operation.placing import Placed  # noqa: PLC0415  (it is made of what stands above)

    with Placed(tmp_path_factory.mktemp("placed")) as running:
        yield running
