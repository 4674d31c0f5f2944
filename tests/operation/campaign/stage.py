"""The cluster of the campaign: one control plane, and all parts of ours, each with its own way to the API server."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.harness import powerbutton, wrongclock
from tests.harness.build import CONTROL_PLANE, build
from tests.harness.controlplane import ControlPlane
from tests.harness.libvirtd import Libvirtd
from tests.harness.server import Server, free_ports
from tests.operation.campaign.api import Api
from tests.operation.campaign.parts import Part
from tests.operation.campaign.record import Record
from tests.operation.campaign.roads import Roads
from tests.operation.conftest import ROOT, Cluster, eventually, install
from tests.operation.placing import node, scheduler_configuration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

NODES = ("node-a", "node-b", "node-c")
CONTROLLERS = ("controller-1", "controller-2")
EXECUTORS = tuple(f"executor-{name}" for name in NODES)
PARTS = (*CONTROLLERS, *EXECUTORS, "extender", "kube-scheduler")
"""Those that have a way of their own to the API server."""

API_SERVER = "kube-apiserver"
STRUCK = "tests.operation.campaign.struck"

FOREIGN = """
<domain type='qemu'><name>somebody-elses-{state}</name><uuid>{uuid}</uuid><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><controller type='usb' model='none'/>
<memballoon model='none'/></devices></domain>
"""


class Stage:
    """A context manager that is such a cluster. ``parts`` by name; ``kernel`` and ``disk`` are files for guests."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._stack = contextlib.ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="kvc-"))
        self.parts: dict[str, Part] = {}
        self.libvirtds: dict[str, Libvirtd] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._enter(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _enter(self, stack: contextlib.ExitStack) -> None:
        self.folder.chmod(0o755)
        self.kernel = powerbutton.write(self.folder / "kernel")
        self.disk = self.folder / "disk.raw"
        self.disk.write_bytes(bytes(1 << 20))
        binaries = build((*CONTROL_PLANE, "kube-scheduler", "kube-controller-manager"))
        for number, name in enumerate(NODES):
            folder = self.folder / f"l{number}"
            self.libvirtds[name] = stack.enter_context(Libvirtd(folder))
            for state in ("on", "off"):
                document = self.folder / f"foreign-{name}-{state}.xml"
                document.write_text(FOREIGN.format(state=state, uuid=uuid.uuid4()), encoding="utf-8")
                self.libvirtds[name].virsh("define", str(document))
            self.libvirtds[name].virsh("start", "somebody-elses-on")
        self.control_plane = stack.enter_context(ControlPlane(self.folder / "control-plane", binaries=binaries))
        self.api = Api(self.control_plane)
        install(self.control_plane)
        cluster = Cluster(self.control_plane, self.folder)
        cluster.kubectl("create", "serviceaccount", "default")
        for name in NODES:
            node(cluster, name, cpu="64", memory="64Gi")
        # Ended after the roads: as long as somebody watches, it takes half a minute.
        self._part(stack, API_SERVER, self._api_server)
        self.roads = stack.enter_context(Roads(self.control_plane, PARTS, self._seed))
        self.record = stack.enter_context(Record({name: each.uri for name, each in self.libvirtds.items()}))
        self.record.foreign = {"somebody-elses-on", "somebody-elses-off"}
        self._begin(stack)
        eventually(
            lambda: all(cluster.find("vmnode", name).get("status", {}).get("guests") for name in NODES), self.logs
        )

    def _begin(self, stack: contextlib.ExitStack) -> None:
        self.port, health = free_ports(2)
        for name in CONTROLLERS:
            self._ours(stack, name, ["controller", "--port", "0"])
        for number, name in enumerate(NODES):
            uri = self.libvirtds[name].uri
            arguments = ["executor", "--node", name, "--connect", uri, "--listen", "none"]
            self._ours(stack, EXECUTORS[number], arguments, KUBEVMM_STATE=str(self.folder / f"state-{name}"))
        self._ours(stack, "extender", ["extender", "--port", str(self.port), "--health-port", str(health)])
        self._part(stack, "kube-scheduler", self._scheduler)
        self._part(stack, "kube-controller-manager", self._collector)

    def _part(self, stack: contextlib.ExitStack, name: str, start: object) -> None:
        part = self.parts[name] = Part(name, self.folder, start)  # type: ignore[arg-type]
        part.begin()
        stack.callback(part.end)

    def _ours(self, stack: contextlib.ExitStack, name: str, arguments: Sequence[str], **environment: str) -> None:
        config = self.folder / f"{name}.kubeconfig"
        self.control_plane.write_kubeconfig(config, url=self.roads.of[name].url)
        self.clock(name, 0)
        clock = wrongclock.environment(self._clock_of(name))
        whole = {"KUBECONFIG": str(config), "PYTHONPATH": str(ROOT), **clock, **environment}
        command = [sys.executable, "-m", STRUCK, str(self.orders(name)), *arguments]
        self._part(stack, name, lambda log: _server(command, whole, log))

    def _scheduler(self, log: Path) -> Server:
        config = self.folder / "kube-scheduler.kubeconfig"
        self.control_plane.write_kubeconfig(config, url=self.roads.of["kube-scheduler"].url)
        configuration = scheduler_configuration(config, self.port)
        # The road reads what it carries.
        json_ = "application/json"
        configuration["clientConnection"] |= {"contentType": json_, "acceptContentTypes": json_}
        path = self.folder / "scheduler.json"
        path.write_text(json.dumps(configuration), encoding="utf-8")
        program = self.control_plane.program("kube-scheduler")
        return Server(program, [f"--config={path}", "--secure-port=0"], log=log)

    def _collector(self, log: Path) -> Server:
        arguments = [
            f"--kubeconfig={self.control_plane.kubeconfig}", "--controllers=garbage-collector-controller",
            "--leader-elect=false", "--secure-port=0",
        ]  # fmt: skip
        return Server(self.control_plane.program("kube-controller-manager"), arguments, log=log)

    def _api_server(self, log: Path) -> Server:
        del log
        there = next((each for each in self.control_plane.servers if each.name == API_SERVER), None)
        if there is not None and there.exit_code() is not None:
            self.control_plane.servers.remove(there)
            self.control_plane.revive(API_SERVER)
        return next(each for each in self.control_plane.servers if each.name == API_SERVER)

    def orders(self, name: str) -> Path:
        """Return the file by which a part of ours is told where to end."""
        return self.folder / f"{name}.orders"

    def clock(self, name: str, seconds: int) -> None:
        """Have the wall clock of a part of ours be wrong by so much."""
        wrongclock.wrong(self._clock_of(name), seconds)

    def _clock_of(self, name: str) -> Path:
        return self.folder / f"{name}.clock"

    def up(self) -> bool:
        """Say whether all parts run."""
        return all(part.up for part in self.parts.values())

    def objects(self) -> list[str]:
        """Return a line on each object."""
        out = []
        for plural in ("virtualmachines", "virtualmachineoperations", "pods"):
            for each in self.api.list(plural):
                metadata = {key: each["metadata"].get(key) for key in ("name", "deletionTimestamp", "finalizers")}
                out.append(json.dumps({**metadata, "node": each["spec"].get("nodeName"), "status": each.get("status")}))
        return out

    def logs(self) -> str:
        """Return the end of what each part logged last."""
        out = []
        for part in self.parts.values():
            text = part.logs[-1].read_text(encoding="utf-8") if part.logs and part.logs[-1].exists() else ""
            out.append(f"--- {part.name} (ended: {part.ends})\n{text[-3000:]}")
        return "\n".join(out)


def _server(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Server:
    return Server(
        Path("/usr/bin/env"), [*(f"{name}={value}" for name, value in environment.items()), *command], log=log
    )
