"""``python -m benchmarks.scale``: guests made at a steady pace on a real control plane, until they run, and at rest.

etcd, kube-apiserver and kube-scheduler are the real ones; the controller, the extender and an executor for each node
run as processes, with libvirt's test driver in the place of QEMU, so that what is measured is ours and the API
server's. The API server's audit log says who asked it for what.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import report
from kube import configuration
from kube.client import Client
from kube.manager import Manager
from kube.resource import Resource
from kube.session import Session
from tests.harness.build import CONTROL_PLANE, build
from tests.harness.controlplane import ControlPlane
from tests.harness.server import Server, free_ports
from tests.operation.conftest import install
from tests.operation.test_placement import scheduler_configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.store import Delta

ROOT = Path(__file__).parents[1]
GUESTS = Resource("kubevmm.io", "v1alpha1", "VirtualMachine", "virtualmachines")
NODES = Resource("kubevmm.io", "v1alpha1", "VirtualMachineNode", "virtualmachinenodes", namespaced=False)
MACHINES = Resource("", "v1", "Node", "nodes", namespaced=False)
ACCOUNTS = Resource("", "v1", "ServiceAccount", "serviceaccounts")
OURS = ("controller", "extender", "executor")
AGENTS = {"kubevmm-controller": "controller", "kubevmm-extender": "extender", "kubevmm-executor": "executor"}
POLICY = """{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
 "rules": [{"level": "Metadata"}]}"""
EMPTY = """<node><memory>268435456</memory><cpu><mhz>2000</mhz><model>x86_64</model><active>64</active>
<nodes>1</nodes><sockets>1</sockets><cores>32</cores><threads>2</threads></cpu></node>"""
REST = 30.0
"""Seconds that all is watched at rest."""


class Use(NamedTuple):
    """What a process has used: seconds of processor time, and MiB of memory that are its own."""

    seconds: float
    memory: float


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="Guests on a cluster.")
    parser.add_argument("--guests", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--pace", type=float, default=10.0, help="guests made in a second")
    parser.add_argument("--output", type=Path, help="a Markdown page that gets the section")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kubevmm-scale-") as folder:
        text = measure(Path(folder), options.guests, options.nodes, options.pace)
    sys.stdout.write(text + "\n")
    if options.output:
        report.save(options.output, f"On a cluster: {options.guests:,} guests, {options.pace:g} a second", text)
    return 0


def measure(folder: Path, count: int, nodes: int, pace: float) -> str:
    """Return the section."""
    (folder / "policy.json").write_text(POLICY)
    (folder / "node.xml").write_text(EMPTY)
    audit = Audit(folder / "audit.log")
    arguments = [f"--audit-policy-file={folder / 'policy.json'}", f"--audit-log-path={audit.path}"]
    binaries = build((*CONTROL_PLANE, "kube-scheduler"))
    with (
        ControlPlane(folder / "plane", binaries=binaries, apiserver_arguments=arguments) as plane,
        contextlib.ExitStack() as stack,
    ):
        install(plane)
        port, health = free_ports(2)
        settings = scheduler_configuration(plane.kubeconfig, port)
        (folder / "scheduler.json").write_text(json.dumps(settings))
        started = {
            "controller": stack.enter_context(_process(folder, plane, "controller", "--no-elect", "--port", "0")),
            "extender": stack.enter_context(
                _process(folder, plane, "scheduler", "--port", str(port), "--health-port", str(health))
            ),
        }
        scheduler = Server(
            plane.program("kube-scheduler"), [f"--config={folder / 'scheduler.json'}", "--secure-port=0"],
            log=folder / "kube-scheduler.log",
        )  # fmt: skip
        stack.callback(scheduler.stop)
        for number in range(nodes):
            started[f"executor {number}"] = stack.enter_context(
                _process(
                    folder, plane, "executor.cli", "executor", "--node", f"node-{number}", "--listen", "none",
                    "--connect", f"test://{folder / 'node.xml'}", state=folder / f"state-{number}",
                )
            )  # fmt: skip
        return asyncio.run(_measure(plane, started, audit, count, nodes, pace))


async def _measure(
    plane: ControlPlane, started: dict[str, int], audit: Audit, count: int, nodes: int, pace: float
) -> str:
    async with Session(await configuration.load(str(plane.kubeconfig)), user_agent="benchmark") as session:
        client, manager = Client(session), Manager(session)
        created: dict[str, float] = {}
        running: dict[str, float] = {}

        def seen(delta: Delta) -> None:
            name = delta.object.key.name
            if delta.new is not None and name not in running:
                word = (delta.new.decode().get("status") or {}).get("printableStatus")
                if word == "Running":
                    running[name] = time.monotonic()

        manager.cache(GUESTS).subscribe(seen)
        stop = asyncio.Event()
        following = asyncio.create_task(manager.run(stop))
        await _prepare(client, nodes)
        await _until(lambda: _reporting(client), nodes)
        await asyncio.sleep(5)
        idle, _ = {name: use(pid) for name, pid in started.items()}, audit.read()
        began = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / pace - time.monotonic()))
            created[f"guest-{number}"] = time.monotonic()
            await client.create(GUESTS, guest(f"guest-{number}"))
        await _until(lambda: _count(running), count)
        whole = time.monotonic() - began
        await asyncio.sleep(10)
        after, requests = {name: use(pid) for name, pid in started.items()}, audit.read()
        await asyncio.sleep(REST)
        rest, quiet = {name: use(pid) for name, pid in started.items()}, audit.read()
        stop.set()
        await following
    waits = sorted(running[name] - created[name] for name in created)
    return _text(count, nodes, pace, whole, waits, (idle, after, rest), requests, quiet)


async def _prepare(client: Client, nodes: int) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
    await client.create(ACCOUNTS, account)
    capacity = {"cpu": "10k", "memory": "10Ti", "pods": "10k"}
    conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}]
    for number in range(nodes):
        labels = {"kubernetes.io/hostname": f"node-{number}", "kubernetes.io/os": "linux"}
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{number}", "labels": labels}}
        made = await client.create(MACHINES, body)
        status = {"capacity": capacity, "allocatable": capacity, "conditions": conditions}
        await client.patch(MACHINES, made.key, {"status": status}, subresource="status")
        await client.patch(MACHINES, made.key, {"spec": {"taints": None}})


async def _reporting(client: Client) -> int:
    found = await client.list(NODES)
    return sum(bool((each.decode().get("status") or {}).get("guests")) for each in found)


async def _count(running: dict[str, float]) -> int:
    return len(running)


async def _until(look: Any, wanted: int) -> None:
    end = time.monotonic() + 600
    while await look() < wanted:
        if time.monotonic() > end:
            sys.exit(f"error: {await look()} of {wanted} after ten minutes")
        await asyncio.sleep(0.1)


def guest(name: str) -> dict[str, Any]:
    """Return a guest that the test driver runs, which may be on any node."""
    domain = {
        "type": "test", "memory": "64Mi", "vcpu": {"value": 1}, "os": {"type": {"value": "hvm"}},
        "devices": {"interfaces": [{"type": "user"}]},
    }  # fmt: skip
    return {
        "apiVersion": GUESTS.api_version, "kind": GUESTS.kind,
        "metadata": {"name": name, "namespace": "default"}, "spec": {"runStrategy": "Always", "domain": domain},
    }  # fmt: skip


def use(pid: int) -> Use:
    """Return what the process *pid* has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return Use(seconds, sum(int(lines[key].split()[0]) for key in ("Private_Clean", "Private_Dirty")) / 1024)


class Audit:
    """The API server's audit log at *path*, read on from where it was read last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def read(self) -> Counter[tuple[str, str, str]]:
        """Return how often whom asked the API server since for what: part, verb, and kind with its subresource."""
        found: Counter[tuple[str, str, str]] = Counter()
        with self.path.open("rb") as file:
            file.seek(self._read)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if not line.endswith(b"\n"):
                break
            self._read += len(line)
            entry = json.loads(line)
            agent = str(entry.get("userAgent", "")).partition("/")[0]
            about = entry.get("objectRef") or {}
            kind = "/".join(filter(None, (about.get("resource", ""), about.get("subresource", ""))))
            part = AGENTS.get(agent, agent)
            if entry["stage"] == "ResponseComplete" and part != "benchmark":
                found[part, entry["verb"], kind] += 1
        return found


@contextlib.contextmanager
def _process(
    folder: Path, plane: ControlPlane, module: str, *arguments: str, state: Path | None = None
) -> Iterator[int]:
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig), "KUBEVMM_STATE": str(state or folder / "state")}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def _text(
    count: int,
    nodes: int,
    pace: float,
    whole: float,
    waits: list[float],
    uses: tuple[dict[str, Use], ...],
    requests: Counter[tuple[str, str, str]],
    quiet: Counter[tuple[str, str, str]],
) -> str:
    idle, after, rest = uses
    cuts = statistics.quantiles(waits, n=100)
    head = (
        f"{count:,} guests, at most {pace:g} made in a second, on {nodes} nodes, placed by kube-scheduler: from "
        f"created to Running in {cuts[49]:.2f} s (median), {cuts[94]:.2f} s (95 of 100), {cuts[98]:.2f} s (99 of 100); "
        f"all in {whole:.1f} s. The API server, etcd, kube-scheduler and all of these share the cores; libvirt's test "
        "driver is in the place of QEMU."
    )
    rows = []
    for part in OURS:
        names = [name for name in idle if name.partition(" ")[0] == part]
        calls = sum(n for (who, _, _), n in requests.items() if who == part)
        resting = sum(n for (who, _, _), n in quiet.items() if who == part)
        each = f"{part}s, each" if len(names) > 1 else part
        rows.append(
            [
                each,
                f"{calls / count:.2f}",
                f"{1000 * sum(after[n].seconds - idle[n].seconds for n in names) / count:.0f}",
                f"{max(after[n].memory for n in names):.0f}",
                f"{100 * sum(rest[n].seconds - after[n].seconds for n in names) / len(names) / REST:.1f}",
                f"{60 * resting / len(names) / REST:.0f}",
            ]
        )
    header = [
        "",
        "calls for a guest",
        "ms of processor for a guest",
        "memory, MiB",
        "at rest, % of a core",
        "calls/min",
    ]
    most = [
        [f"{who}: {verb} {kind}", f"{n / count:.2f}"]
        for (who, verb, kind), n in requests.most_common()
        if n * 20 > count
    ]
    return "\n\n".join(
        [
            head, report.table(header, rows), "Which calls, for each guest:",
            report.table(["", "calls"], most), report.machine("aiohttp", "msgspec"),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
