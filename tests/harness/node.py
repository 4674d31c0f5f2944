"""A real Kubernetes node for tests: containerd and kubelet in namespaces of their own, nothing left behind.

They have their own mounts, processes and network, as a machine would: what listens there is not reachable from
elsewhere, kernel settings stay as they are, and the end of the namespaces' first process is the end of everything in
them. There is no kube-proxy, no DNS, and no way out: Pods reach each other and the API server, at the address of the
service `kubernetes`.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.harness import cgroups, images
from tests.harness.errors import HarnessError, last_lines
from tests.harness.libvirtd import find_program
from tests.harness.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from tests.harness.controlplane import ControlPlane

HERE = Path(__file__).parent
HINT = "`make cluster` and `make test` install it (packages containerd, runc, containernetworking-plugins, iproute2)"
# The first address of the API server's --service-cluster-ip-range, which its certificate names as well.
SERVICE = "10.0.0.1"
PODS = "10.244.0.0/24"
PLUGINS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")

# The folder's own on the left, where it stands for the node on the right.
STANDS = {
    "run": "/run",
    "var-lib": "/var/lib",
    "var-log": "/var/log",
}
# What kubelet wants the kernel's settings to be. It finds it said here, and the machine's stay as they are.
SETTINGS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}

CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/containerd/opt"
"""


class Inside(Server):
    """A program in a node's namespaces. ``pid`` is its process id as this machine sees it."""

    def __init__(self, space: int, program: Path, arguments: list[str], *, log: Path) -> None:
        enter = [f"--target={space}", "--mount", "--net", "--pid", "--", str(program), *arguments]
        super().__init__(find_program("nsenter"), enter, log=log)
        self.name = program.name

    @property
    def pid(self) -> int:
        """Return the process id of the program, which nsenter had to fork; raises `HarnessError` if it has ended."""
        deadline = time.monotonic() + 10
        while (child := first_child(super().pid)) is None:
            if self.exit_code() is not None or time.monotonic() > deadline:
                raise HarnessError(f"{self.name} has ended ({self.log}):{last_lines(self.log)}")
            time.sleep(0.01)
        return child

    def stop(self, *, grace: float = 10.0) -> None:
        """End it as a `Server`: nsenter, which waits for it, would end alone."""
        if self.exit_code() is None:
            child = first_child(super().pid)
            for number in (signal.SIGTERM, signal.SIGKILL):
                if child is not None and _sent(child, number):
                    deadline = time.monotonic() + grace
                    while self.exit_code() is None and time.monotonic() < deadline:
                        time.sleep(0.02)
        super().stop(grace=grace)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        os.kill(self.pid, signal.SIGKILL)
        super().stop()


class Node:
    """A context manager that is a node of the control plane's cluster, registered and Ready.

    ``folder`` keeps its logs and all that it stores, ``name`` is the node's. ``stands`` has further folders of this
    machine by where they are on the node, such as libvirt's at /run/libvirt. Entering raises `HarnessError` with the
    end of a log if it is not Ready in ``timeout`` seconds. While it runs: ``containerd``, ``kubelet`` (`Inside`),
    ``address``.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        folder: Path,
        *,
        name: str = "node-1",
        stands: Mapping[str, Path] | None = None,
        timeout: float = 120.0,
    ) -> None:
        self.name = name
        self.folder = folder.absolute()
        self._control_plane = control_plane
        self._stands = dict(stands or {})
        self._timeout = timeout
        self._servers: list[Server] = []
        self.group = f"kubevmm-{os.getpid()}-{name}"

    def __enter__(self) -> Self:
        check_machine()
        for where in STANDS.values():
            if self.folder.is_relative_to(where):
                raise HarnessError(f"a node's folder cannot be below {where}, where the node has one of its own")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            cgroups.make(self.group)
            self._enter_space()
            self._connect()
            self._write_configuration()
            self.containerd = self.start_containerd()
            self.import_image(images.pause(self.folder / "pause.tar"))
            self.kubelet = self.start_kubelet()
            self._wait_until_ready()
        except BaseException:
            # Also on Ctrl-C: nobody will call __exit__.
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def run(self, *command: str, timeout: float = 120.0) -> str:
        """Run a command in the node's namespaces and return what it wrote; raises `HarnessError` if it fails."""
        enter = [find_program("nsenter"), f"--target={self._space}", "--mount", "--net", "--pid", "--"]
        result = subprocess.run(
            [*enter, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
        if result.returncode != 0:
            raise HarnessError(f"{' '.join(command)} ended with {result.returncode}:{last_lines(result.stderr)}")
        return result.stdout

    def import_image(self, archive: Path) -> None:
        """Give the node the images in an archive, as `docker save` and `buildah push` write it."""
        self.run("ctr", "-n=k8s.io", "images", "import", f"--snapshotter={self._snapshotter}", str(archive))

    def expose(self, port: int) -> tuple[str, int]:
        """Let the node's Pods reach a TCP port of this machine's loopback; return where they do."""
        self._forward(port, port)
        return SERVICE, port

    def start_containerd(self) -> Inside:
        """Start containerd, again if it was killed, and wait until it answers."""
        arguments = ["--config", str(self.folder / "containerd.toml")]
        self.containerd = self._inside("containerd", find_program("containerd"), arguments)
        self._until(lambda: self._answers("ctr", "version"), self.containerd)
        return self.containerd

    def start_kubelet(self) -> Inside:
        """Start kubelet, again if it was killed."""
        arguments = [
            f"--config={self.folder / 'kubelet.json'}",
            f"--kubeconfig={self.folder / 'kubeconfig'}",
            f"--root-dir={self.folder / 'kubelet'}",
            f"--cert-dir={self.folder / 'kubelet' / 'pki'}",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
        ]
        self.kubelet = self._inside("kubelet", self._control_plane.program("kubelet"), arguments)
        return self.kubelet

    def _inside(self, name: str, program: Path, arguments: list[str]) -> Inside:
        server = Inside(self._space, program, arguments, log=self.folder / f"{name}.log")
        self._servers = [old for old in self._servers if old.name != server.name] + [server]
        return server

    def _enter_space(self) -> None:
        """Make the namespaces, with the node's folders where they belong."""
        stands = {where: self.folder / name for name, where in STANDS.items()}
        for path in stands.values():
            path.mkdir(exist_ok=True)
        for name, value in SETTINGS.items():
            file = self.folder / "settings" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n", encoding="ascii")
            if Path("/proc/sys", name).exists():
                stands[f"/proc/sys/{name}"] = file
        ready = self.folder / "space-ready"
        ready.unlink(missing_ok=True)
        space = Server(
            find_program("unshare"),
            ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
            + [sys.executable, "-I", "-S", str(HERE / "space.py"), str(ready)]
            + [f"{path}:{where}" for where, path in (stands | self._stands).items()],
            log=self.folder / "space.log",
        )
        self._servers.append(space)
        self._until(ready.exists, space)
        child = first_child(space.pid)
        if child is None:
            raise HarnessError(f"the node's namespaces ended ({space.log}):{last_lines(space.log)}")
        self._space = child

    def _connect(self) -> None:
        """Join the node's network to this machine's, for the API server alone, and let the node reach that."""
        subnet, link = _free_subnet(), f"kv{random.randrange(16**8):08x}"  # noqa: S311 -- a name, not a secret
        here, self.address = f"{subnet}.1", f"{subnet}.2"
        for command in (
            ["link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(self._space)],
            ["address", "add", f"{here}/30", "dev", link],
            ["link", "set", link, "up"],
        ):
            _ip(*command)
        for command in (
            ["link", "set", "lo", "up"],
            ["address", "add", f"{SERVICE}/32", "dev", "lo"],
            ["address", "add", f"{self.address}/30", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
            # Without a default route kubelet finds no address; nothing is passed on where this one leads.
            ["route", "add", "default", "via", here],
        ):
            self.run("ip", *command)
        self._forward(443, int(self._control_plane.url.rpartition(":")[2]))

    def _forward(self, listen: int, to: int) -> None:
        arguments = ["-I", "-S", str(HERE / "forward.py"), str(self._space), f"{SERVICE}:{listen}", f"127.0.0.1:{to}"]
        self._servers.append(Server(Path(sys.executable), arguments, log=self.folder / f"forward-{listen}.log"))

    def _write_configuration(self) -> None:
        plugins = next((path for path in PLUGINS if Path(path, "bridge").exists()), None)
        if plugins is None:
            raise HarnessError(f"there is no CNI plugin `bridge` in {', '.join(PLUGINS)}", hint=HINT)
        self._snapshotter = "overlayfs" if self._has_overlay() else "native"
        text = CONTAINERD.format(folder=self.folder, pause=images.PAUSE, snapshotter=self._snapshotter, plugins=plugins)
        (self.folder / "containerd.toml").write_text(text, encoding="utf-8")
        (self.folder / "cni").mkdir(exist_ok=True)
        _write_json(self.folder / "cni" / "10-bridge.conflist", _network())
        _write_json(self.folder / "kubelet.json", self._kubelet_configuration())
        self._control_plane.write_kubeconfig(
            self.folder / "kubeconfig", f"system:node:{self.name}", url=f"https://{SERVICE}"
        )

    def _kubelet_configuration(self) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.address,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self._control_plane.kubelet_client_certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "readOnlyPort": 0,
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.group}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            "localStorageCapacityIsolation": False,
            "resolvConf": "",
            # Nothing answers there; a Pod without one is warned of at every start.
            "clusterDNS": ["10.0.0.10"],
            # The machine's disk may be nearly full of other things, and evicting the Pods would not help it.
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "makeIPTablesUtilChains": False,
            "syncFrequency": "10s",
            "nodeStatusUpdateFrequency": "5s",
            "fileCheckFrequency": "24h",
        }

    def _has_overlay(self) -> bool:
        """Say whether a folder of the node can be laid over others; a container's own file system often cannot."""
        folders = {name: self.folder / "overlay" / name for name in ("lower", "upper", "work", "merged")}
        for path in folders.values():
            path.mkdir(parents=True, exist_ok=True)
        options = ",".join(f"{name}dir={folders[name]}" for name in ("lower", "upper", "work"))
        found = self._answers("mount", "-t", "overlay", "overlay", "-o", options, str(folders["merged"]))
        if found:
            self.run("umount", str(folders["merged"]))
        return found

    def _answers(self, *command: str) -> bool:
        try:
            self.run(*command)
        except HarnessError:
            return False
        return True

    def _wait_until_ready(self) -> None:
        def ready() -> bool:
            path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
            return self._control_plane.kubectl("get", "node", self.name, "-o", path, check=False).stdout == "True"

        self._until(ready, self.kubelet, pause=0.5)

    def _until(self, holds: Callable[[], bool], server: Server, *, pause: float = 0.05) -> None:
        deadline = time.monotonic() + self._timeout
        while not holds():
            if (code := server.exit_code()) is not None:
                raise HarnessError(f"{server.name} ended with {code} ({server.log}):{last_lines(server.log)}")
            if time.monotonic() > deadline:
                raise HarnessError(
                    f"{server.name} was not ready in {self._timeout:.0f} s ({server.log}):{last_lines(server.log)}"
                )
            time.sleep(pause)

    def _stop(self) -> None:
        # Not one by one: with the namespaces' first process all in them end, Pods, shims and links too.
        for server in self._servers:
            if not isinstance(server, Inside):
                server.stop(grace=0.0 if server.name == "unshare" else 5.0)
        for server in self._servers:
            server.stop()
        self._servers.clear()
        cgroups.remove(self.group)
        for name in ("containerd", "kubelet", "overlay", *STANDS):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def check_machine() -> None:
    """Raise `HarnessError` that says in one line what keeps a node from running on this machine, and what to do."""
    if os.geteuid() != 0:
        raise HarnessError("only root can run a node (kubelet, containerd)", hint="sudo make cluster")
    for program in ("containerd", "runc", "ip", "nsenter", "unshare", "mount"):
        if shutil.which(program, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") is None:
            raise HarnessError(f"{program} is not installed", hint=HINT)
    cgroups.hierarchies()
    try:
        subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true"], check=True, capture_output=True
        )
    except subprocess.CalledProcessError as error:
        raise HarnessError(
            "this machine lets even root make no namespaces, so no containers can run here",
            hint="in a container, it needs CAP_SYS_ADMIN and CAP_NET_ADMIN (docker: --privileged)",
        ) from error


def first_child(pid: int) -> int | None:
    """Return a child of the process ``pid``, from what the kernel says of every process' parent; None without one."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # Behind the command's name, which may hold anything: state, then parent.
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                return int(entry.name)
    return None


def _sent(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _network() -> dict[str, object]:
    ranges = [[{"subnet": PODS}]]
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods0",
                "isGateway": True,
                "ipMasq": False,
                "ipam": {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]},
            },
            {"type": "loopback"},
        ],
    }


def _free_subnet() -> str:
    """Return the first three numbers of a network that this machine does not use, of those kept for benchmarks."""
    used = set(re.findall(r"\b198\.18\.\d+", _ip("-o", "address")))
    return random.choice([subnet for n in range(256) if (subnet := f"198.18.{n}") not in used])  # noqa: S311


def _ip(*arguments: str) -> str:
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise HarnessError(f"ip {' '.join(arguments)}: {result.stderr.strip()}", hint=HINT)
    return result.stdout


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
