"""The agent as tests run it: in this process, or in one of its own as a service manager would."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from executor.agent.agent import Agent
from executor.agent.folder import FolderSource
from executor.agent.metrics import Metrics
from executor.engine import state, store
from executor.engine.objects import Ref
from executor.engine.status import Progress
from tests.cli.command import VIRTCTL, environment
from tests.engine.objects import vm

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd

PATIENCE = 60.0
"""Seconds after which something that should happen is taken not to; far more than it takes."""

WEB = Ref("VirtualMachine", "default", "web-1")
QUICK = "terminationGracePeriodSeconds: 0\n"


def qemus(libvirtd: Libvirtd) -> dict[str, int]:
    """Return the process ids of all guests of *libvirtd*, by domain, as the kernel has them; each may have one only."""
    found: dict[str, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # It may end while it is looked at.
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes()
                name = re.search(rb"guest=([^,\0]+)", line)
                if name and b"qemu-system" in line.split(b"\0")[0] and _runs_under(libvirtd, entry, line):
                    found.setdefault(name[1].decode(), []).append(int(entry.name))
    doubled = {name: pids for name, pids in found.items() if len(pids) > 1}
    assert not doubled, f"two processes for one guest: {doubled}"
    return {name: pids[0] for name, pids in found.items()}


def _runs_under(libvirtd: Libvirtd, process: Path, line: bytes) -> bool:
    if not libvirtd.system:
        return str(libvirtd.folder).encode() in line
    # Both see the same mounts, and nobody else does.
    return (process / "ns" / "mnt").readlink() == Path("/proc", str(libvirtd.pid), "ns", "mnt").readlink()


def eventually(holds: Callable[[], object], what: object = "it") -> None:
    """Return when *holds* does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.02)


@dataclass(frozen=True)
class Folder:
    """A folder of manifests."""

    path: Path

    def put(self, text: str, name: str = "web.yaml") -> Path:
        """Write a file by rename, as careful people do."""
        temporary = self.path / f".{name}.new"
        temporary.write_text(text, encoding="utf-8")
        return temporary.rename(self.path / name)

    def vm(self, name: str = "web-1", *, spec: str = "runStrategy: Always", domain: str = "", **more: str) -> Path:
        """Put a guest into a file of its name."""
        return self.put(vm(name, spec=QUICK + spec, domain=domain, **more), f"{name}.yaml")


@dataclass
class Told:
    """A sink that keeps all that it is told."""

    status: dict[Ref, Mapping[str, Any]] = field(default_factory=dict)
    events: list[tuple[Ref, str, str, bool]] = field(default_factory=list)
    dropped: list[Ref] = field(default_factory=list)

    def last(self, ref: Ref) -> Mapping[str, Any] | None:
        return self.status.get(ref)

    def put(self, ref: Ref, status: Mapping[str, Any]) -> None:
        self.status[ref] = status

    def stale(self, ref: Ref) -> bool:  # noqa: ARG002  (a sink as any other)
        return False

    def progress(self, ref: Ref, what: str, done: int, whole: int | None) -> None:
        """Take no notice."""

    def drop(self, ref: Ref) -> None:
        self.status.pop(ref, None)
        self.dropped.append(ref)

    def event(self, ref: Ref, reason: str, message: str, *, warning: bool = False) -> None:
        self.events.append((ref, reason, message, warning))

    def condition(self, ref: Ref = WEB) -> Progress:
        """Return the condition Synchronized of *ref*; without a reason where nothing was told of it yet."""
        for each in (self.status.get(ref) or {}).get("conditions", ()):
            if each["type"] == "Synchronized":
                return Progress(each["status"] == "True", each["reason"], each["message"])
        return Progress(ok=False, reason="")

    def word(self, ref: Ref = WEB) -> str | None:
        return (self.status.get(ref) or {}).get("printableStatus")


class InProcess:
    """The agent on *node* in this process; ``told`` is its sink."""

    def __init__(self, node: Hypervisor, folder: Path) -> None:
        self.node = node
        self.told = Told()
        self.source = FolderSource(folder, state.folder(node))
        self.agent = Agent(node, self.source, self.told, Metrics(), workers=2)

    def __enter__(self) -> Self:
        self.agent.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.__exit__(None, None, None)

    def settled(self) -> None:
        """Return when all objects were looked at and nothing is due."""
        eventually(lambda: not self.agent.unready() and self.agent.queue.sizes()[:2] == (0, 0), self.agent.unready)

    def runs(self, ref: Ref = WEB) -> bool:
        guest = store.lookup(self.node, ref)
        return guest is not None and guest.domain.active

    def gone(self, ref: Ref = WEB) -> bool:
        return store.lookup(self.node, ref) is None


class Process:
    """``virtctl agent`` as a process; *hooks* are the words before ``agent``, for faults."""

    def __init__(self, uri: str, folder: Path, scratch: Path, *, program: list[str] | None = None, **env: str) -> None:
        self.socket = scratch / "agent.sock"
        self.log = scratch / "agent.log"
        self._command = [
            *(program or VIRTCTL), "agent", "--manifests", str(folder), "--connect", uri,
            "--listen", f"unix:{self.socket}",
        ]  # fmt: skip
        self._env = environment({"KUBEVMM_STATE": str(scratch / "state"), "LIBVIRT_DEFAULT_URI": None, **env})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *more: str) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*self._command, *more], stdout=log, stderr=log, env=self._env)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.poll() if self._process is not None else None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return its exit code when it has ended."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def stop(self) -> int | None:
        """End it, and return its exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def kill(self) -> None:
        """End it without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the text of the answer for *path*."""
        return get(self.socket, path)

    def ready(self) -> None:
        """Return when it says that it is."""

        def holds() -> bool:
            assert self.code is None, self.said()
            with contextlib.suppress(OSError):
                return self.get("/readyz")[0] == 200
            return False

        eventually(holds, self.said)


def get(path: Path, what: str) -> tuple[int, str]:
    """Return the status and the text of the answer to a GET over the unix socket *path*."""
    connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.closing(connection):
        connection.sock.connect(str(path))
        connection.request("GET", what)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
