"""A real Kubernetes cluster on this machine, to try KubeVMM on: `make cluster`, `make cluster-down`.

``python -m scripts.cluster up`` starts a process that holds all of it: etcd, the API server, controllers, scheduler,
one node with containerd and kubelet in namespaces of their own, and a libvirt of its own. It installs yamls/, boots the
guest of examples/cluster, and says what to try. ``down`` ends that process, and with it everything that it started.
Nothing listens but on loopback and on the link to the node; the machine's own containers and guests are never touched.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from schemas.errors import KubevmmError
from scripts.guest import guest_files
from tests.harness import cgroups, image
from tests.harness.build import build
from tests.harness.cluster import CLUSTER, Cluster, Machine
from tests.harness.errors import HarnessError, last_lines
from tests.harness.libvirtd import Libvirtd
from tests.harness.node import check_machine

ROOT = Path(__file__).parents[1]
FOLDER = Path("/var/cache/kubevmm-cluster")
NODE = "node-1"
# Seconds: for the cluster to be there; for what was applied to be ready; for all to end.
START, READY, END = 300.0, 180, 60.0


def up() -> int:
    """Start the cluster unless it runs, install KubeVMM, boot the guest, and say what to try."""
    check_machine()
    if _holder() is None:
        binaries = build(CLUSTER)
        print("building the image (a few minutes, the first time)", flush=True)
        archive = image.archive()
        _start(binaries, archive)
    environment = _environment()
    node = ["deployment/kubevmm-controller", "daemonset/kubevmm-executor"]
    _run("kubectl apply -f yamls", environment)
    for part in node:
        _run(f"kubectl rollout status -n kubevmm-system --timeout={READY}s {part}", environment)
    _run("kubectl apply -f examples/cluster/counter.yaml", environment)
    _run(f"kubectl wait --for=condition=Ready --timeout={READY}s vm/counter", environment)
    _run("kubectl get nodes,pods -A", environment)
    _run("kubectl get vm -o wide", environment)
    uri = (FOLDER / "libvirt-uri").read_text(encoding="utf-8")
    print(f"""
It runs until `make cluster-down`. In a shell of root's:

  export KUBECONFIG={FOLDER / "kubeconfig"} PATH={FOLDER / "bin"}:{ROOT / ".venv" / "bin"}:$PATH

  kubectl get vm,vmnode -o wide
  kubectl explain vm.spec.domain.devices.disks
  kubectl patch vm counter --type merge -p '{{"spec":{{"runStrategy":"Halted"}}}}' && kubectl get vm -w
  kubectl delete pod -n kubevmm-system --all    # the guest does not notice
  virtctl --connect '{uri}' console counter     # Ctrl-] leaves

KUBECONFIG={FOLDER / "kubeconfig"}""")
    return 0


def down() -> int:
    """End the cluster and remove what it kept; do nothing if there is none."""
    pid = _holder()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + END
        while _holder() is not None:
            if time.monotonic() > deadline:
                # The kernel ends what is tied to it.
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.1)
    group = FOLDER / "group"
    if group.exists():
        cgroups.remove(group.read_text(encoding="utf-8"))
    shutil.rmtree(FOLDER, ignore_errors=True)
    print("the cluster has ended" if pid is not None else "no cluster runs")
    return 0


def hold(binaries: Path, archive: Path) -> int:
    """Be the cluster until a signal comes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    with Libvirtd(FOLDER / "libvirt") as daemon:
        if not daemon.system:
            raise HarnessError(
                "the node's libvirt needs a mount namespace, and this machine lets even root make none",
                hint="in a container, it needs CAP_SYS_ADMIN (docker: --privileged)",
            )
        # That is /var/lib/libvirt/images for the libvirt that runs here.
        guest_files(daemon.folder / "state" / "images" / "counter")
        _write("libvirt-uri", daemon.uri)
        machine = Machine(NODE, {"/run/libvirt": daemon.folder / "run" / "libvirt"})
        with Cluster(FOLDER, machines=[machine], images=[archive], binaries=binaries) as cluster:
            _write("group", cluster.nodes[NODE].group)
            _write("ready", "")
            while all(server.exit_code() is None for server in cluster.servers):
                time.sleep(1)
            raise HarnessError("a server of the control plane has ended", hint=f"its log is in {FOLDER}")
    return 1


def _start(binaries: Path, archive: Path) -> None:
    """Start the process that holds the cluster, and wait until that is ready."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(mode=0o711)
    # What kubectl needs to be found by a person, and nothing that would hide the machine's own commands.
    (FOLDER / "bin").mkdir()
    (FOLDER / "bin" / "kubectl").symlink_to(binaries / "kubectl")
    log = FOLDER / "cluster.log"
    print("starting the cluster", flush=True)
    with log.open("wb") as output:
        holder = subprocess.Popen(
            [sys.executable, "-m", "scripts.cluster", "hold", str(binaries), str(archive)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _write("pid", f"{holder.pid} {_started(holder.pid)}")
    deadline = time.monotonic() + START
    while not (FOLDER / "ready").exists():
        if holder.poll() is not None or time.monotonic() > deadline:
            holder.kill()
            raise HarnessError(f"the cluster did not start ({log}):{last_lines(log)}", hint="make cluster-down")
        time.sleep(0.2)


def _holder() -> int | None:
    """Return the process id of what holds the cluster, None where that has ended."""
    with contextlib.suppress(OSError, ValueError):
        pid, started = (FOLDER / "pid").read_text(encoding="utf-8").split()
        if _started(int(pid)) == started:
            return int(pid)
    return None


def _started(pid: int) -> str:
    """Return when a process was started, in the kernel's ticks: an id alone may be another process' by now."""
    return Path("/proc", str(pid), "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "KUBECONFIG": str(FOLDER / "kubeconfig"),
        "PATH": f"{FOLDER / 'bin'}:{os.environ.get('PATH', '')}",
    }


def _run(line: str, environment: dict[str, str]) -> None:
    print(f"\n$ {line}", flush=True)
    command = shlex.split(line)
    command[0] = str(FOLDER / "bin" / command[0])
    code = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        raise HarnessError(f"`{line}` ended with {code}", hint="the cluster runs on; `make cluster-down` ends it")


def _write(name: str, text: str) -> None:
    scratch = FOLDER / f".{name}.new"
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(FOLDER / name)


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up")
    verbs.add_parser("down")
    holding = verbs.add_parser("hold")
    holding.add_argument("binaries", type=Path)
    holding.add_argument("archive", type=Path)
    options = parser.parse_args()
    try:
        if options.verb == "hold":
            return hold(options.binaries, options.archive)
        return up() if options.verb == "up" else down()
    except KeyboardInterrupt:
        return 130
    except (KubevmmError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", ""):
            print(f"hint: {hint}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
