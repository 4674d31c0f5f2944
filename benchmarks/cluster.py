"""A cluster to measure: the real control plane with all that is installed, our parts as processes, and nodes.

Each part asks the API server as what it is on a cluster: the controller and the extender by tokens of their service
accounts, each executor by one that is bound to a Pod of its node. Nodes are as many as one likes: a process holds the
executors of several, each with a libvirt of its own (the test driver in the place of QEMU).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from benchmarks.usage import Audit
from kube import configuration
from kube.resource import Resource
from kube.session import Session
from tests.harness import credentials
from tests.harness.build import CONTROL_PLANE, build
from tests.harness.controlplane import ControlPlane
from tests.harness.errors import last_lines
from tests.harness.server import TIED, Server, free_ports
from tests.operation.placing import scheduler_configuration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from kube.client import Client

ROOT: Final = Path(__file__).parents[1]
SYSTEM: Final = "kubevmm-system"
NODES: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineNode", "virtualmachinenodes", namespaced=False)
MACHINES: Final = Resource("", "v1", "Node", "nodes", namespaced=False)
PODS: Final = Resource("", "v1", "Pod", "pods")
ACCOUNTS: Final = Resource("", "v1", "ServiceAccount", "serviceaccounts")
POLICY: Final = """{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
 "rules": [{"level": "Metadata"}]}"""
EMPTY: Final = """<node><memory>268435456</memory><cpu><mhz>2000</mhz><model>x86_64</model><active>64</active>
<nodes>1</nodes><sockets>1</sockets><cores>32</cores><threads>2</threads></cpu></node>"""
CAPACITY: Final = {"cpu": "10k", "memory": "10Ti", "pods": "10k"}


class Cluster:
    """A context manager: etcd, kube-apiserver with an audit log and *arguments*, and what `yamls/` installs.

    ``pids`` are the processes by name, those of one kind with a number behind it.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._arguments = arguments
        self.pids: dict[str, int] = {}
        self._stack = contextlib.ExitStack()
        self.audit = Audit(folder / "audit.jsonl")

    def __enter__(self) -> Self:
        (self.folder / "policy.json").write_text(POLICY)
        self._binaries = build((*CONTROL_PLANE, "kube-scheduler"))
        arguments = (
            f"--audit-policy-file={self.folder / 'policy.json'}", f"--audit-log-path={self.audit.path}",
            # It is read to its end: a second file would not be.
            "--audit-log-maxsize=16384", *self._arguments,
        )  # fmt: skip
        plane = ControlPlane(self.folder / "plane", binaries=self._binaries, apiserver_arguments=arguments)
        try:
            self.plane = self._stack.enter_context(plane)
            self.pids |= {server.name: server.pid for server in plane.servers}
            plane.kubectl("apply", "--server-side", "-f", str(ROOT / "yamls"))
            plane.kubectl("wait", "--for=create", "crd", "--all", "--timeout=60s")
            plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.asynccontextmanager
    async def session(self, kubeconfig: Path | None = None) -> AsyncIterator[Session]:
        """Give a way to the API server as its administrator or by *kubeconfig*, as fast as it takes requests."""
        loaded = await configuration.load(str(kubeconfig or self.plane.kubeconfig))
        async with Session(loaded, rate=10_000, burst=10_000, user_agent="benchmark") as session:
            yield session

    async def prepare(self, client: Client) -> None:
        """Make what no controller makes here: the service account of Pods."""
        account = {"metadata": {"name": "default", "namespace": "default"}}
        await client.create(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", **account})

    async def machines(self, client: Client, names: Sequence[str], capacity: Mapping[str, str] = CAPACITY) -> None:
        """Make the Kubernetes Nodes *names*, ready as kubelets would say."""
        gate = asyncio.Semaphore(8)

        async def make(name: str) -> None:
            async with gate:
                await machine(client, name, capacity)

        await asyncio.gather(*(make(name) for name in names))

    async def controller(self, client: Client) -> None:
        """Start the controller."""
        path = await self.kubeconfig(client, "kubevmm-controller")
        self._process("controller", "controller", "--no-elect", "--port", "0", kubeconfig=path)

    async def extender(self, client: Client) -> int:
        """Start the extender; return its port."""
        path = await self.kubeconfig(client, "kubevmm-scheduler")
        port, health = free_ports(2)
        arguments = ("--port", str(port), "--health-port", str(health))
        self._process("extender", "scheduler", *arguments, kubeconfig=path)
        return port

    def scheduler(self, extender: int, *, port: int = 0, **settings: Any) -> Server:
        """Start kube-scheduler as `yamls/` has it, with what *settings* say; it tells of itself at *port*.

        *extender* is the extender's port; 0 for none.
        """
        whole = {**scheduler_configuration(self.plane.kubeconfig, extender), **settings}
        whole["clientConnection"] = {"kubeconfig": str(self.plane.kubeconfig), **settings.get("clientConnection", {})}
        if not extender:
            del whole["extenders"]
        (self.folder / "scheduler.json").write_text(json.dumps(whole))
        arguments = [f"--config={self.folder / 'scheduler.json'}", f"--secure-port={port}"]
        if port:
            arguments += [f"--cert-dir={self.folder / 'scheduler'}", "--authorization-always-allow-paths=/metrics"]
        started = Server(self.plane.program("kube-scheduler"), arguments, log=self.folder / "kube-scheduler.log")
        self._stack.callback(started.stop)
        self.pids["kube-scheduler"] = started.pid
        return started

    async def executors(self, client: Client, nodes: Sequence[str], processes: int) -> None:
        """Start the executors of *nodes*, whose Kubernetes Nodes are there, in so many *processes*."""
        for name in nodes:
            (self.folder / f"{name}.xml").write_text(EMPTY)
            await self.kubeconfig(client, "kubevmm-executor", name)
        for number in range(processes):
            mine = nodes[number::processes]
            self._process(f"executors {number}", "benchmarks.executors", str(self.folder), *mine)

    def logs(self) -> str:
        """Return the ends of what the processes logged, for who waits in vain."""
        return "".join(f"\n--- {each.name}{last_lines(each)}" for each in sorted(self.folder.glob("*.log")))

    async def kubeconfig(self, client: Client, account: str, node: str = "") -> Path:
        """Write a kubeconfig with a token of *account*, as the kubelet of *node* would ask for it; return its path."""
        spec: dict[str, Any] = {}
        if node:
            wanted = {
                "metadata": {"name": f"executor-{node}", "namespace": SYSTEM},
                "spec": {
                    "serviceAccountName": account, "nodeName": node,
                    "containers": [{"name": "executor", "image": "none"}],
                },
            }  # fmt: skip
            pod = await client.create(PODS, wanted)
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod.key.name, "uid": pod.uid}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        asked = await client.session.request("POST", ACCOUNTS.path(SYSTEM, account, "token"), body=body)
        token = msgspec.json.decode(asked)["status"]["token"]
        path = self.folder / f"{node or account}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(
            json.dumps(credentials.kubeconfig(url=self.plane.url, token=token, ca=self.plane.ca_file.read_bytes()))
        )
        return path

    def _process(self, name: str, module: str, *arguments: str, kubeconfig: Path | None = None) -> None:
        self.pids[name] = self._stack.enter_context(_running(self.folder, module, arguments, kubeconfig))


async def machine(
    client: Client,
    name: str,
    capacity: Mapping[str, str],
    labels: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> None:
    """Make the Kubernetes Node *name*, ready as its kubelet would say."""
    known = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})}
    metadata = {"name": name, "labels": known}
    conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}]
    status = {"capacity": capacity, "allocatable": capacity, "conditions": conditions}
    made = await client.create(MACHINES, {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status})
    # The API server taints a new node until a controller sees that it is ready; none runs here.
    await client.patch(MACHINES, made.key, {"spec": {"taints": None, **(spec or {})}})


@contextlib.contextmanager
def _running(folder: Path, module: str, arguments: Sequence[str], kubeconfig: Path | None) -> Iterator[int]:
    environment = {**os.environ, "KUBEVMM_STATE": str(folder / "state")}
    if kubeconfig is not None:
        environment["KUBECONFIG"] = str(kubeconfig)
    tied = [sys.executable, "-I", "-S", str(TIED), str(os.getpid())]
    with (folder / f"{module}.log").open("ab") as log:
        process = subprocess.Popen(
            [*tied, sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
