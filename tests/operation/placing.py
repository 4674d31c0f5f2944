"""A cluster in which guests are placed: the real kube-scheduler and controllers, our extender, two nodes."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import yaml

from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.build import CONTROL_PLANE, build
from tests.harness.controlplane import ControlPlane
from tests.harness.libvirtd import Libvirtd
from tests.harness.server import Server, free_ports
from tests.operation.conftest import ROOT, Cluster, eventually, install
from tests.operation.test_guests import guest, status

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.operation.conftest import Daemon

NODES = ("node-a", "node-b")

AUDIT = """{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
 "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Metadata"}]}"""

CONTROLLERS = ("garbage-collector-controller", "resourcequota-controller", "horizontal-pod-autoscaler-controller")
"""Of Kubernetes' own, those that have to do with guests."""


def scheduler_configuration(kubeconfig: Path, extender: int) -> dict[str, Any]:
    """Return what `yamls/` gives the second kube-scheduler, but for where it finds whom."""
    documents = yaml.safe_load_all((ROOT / "yamls" / "32-scheduler.yaml").read_text(encoding="utf-8"))
    installed = next(each for each in documents if each["kind"] == "ConfigMap")
    found: dict[str, Any] = yaml.safe_load(installed["data"]["scheduler.yaml"])
    found["extenders"][0]["urlPrefix"] = f"http://127.0.0.1:{extender}"
    return {
        **found,
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 2,
    }


class Placed(Cluster):
    """A context manager: the cluster, with a controller, an extender, and an executor on each of the nodes."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        binaries = build((*CONTROL_PLANE, "kube-scheduler", "kube-controller-manager"))
        (folder / "audit.json").write_text(AUDIT)
        self.audit = folder / "audit.log"
        arguments = [f"--audit-policy-file={folder / 'audit.json'}", f"--audit-log-path={self.audit}"]
        super().__init__(ControlPlane(folder / "plane", binaries=binaries, apiserver_arguments=arguments), folder)
        self.extender: Daemon

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        try:
            plane = enter(self.control_plane)
            install(plane)
            self.kubectl("create", "serviceaccount", "default")
            for name in NODES:
                node(self, name, cpu="4", memory="1Gi")
            port, health = free_ports(2)
            settings = scheduler_configuration(plane.kubeconfig, port)
            # Pods without guests are the default one's; one process is both, as where the extender is added to it.
            settings["profiles"].append({"schedulerName": "default-scheduler"})
            (self.folder / "scheduler.json").write_text(json.dumps(settings))
            self._serve("kube-scheduler", f"--config={self.folder / 'scheduler.json'}")
            self._serve(
                "kube-controller-manager", f"--kubeconfig={plane.kubeconfig}", "--leader-elect=false",
                f"--controllers={','.join(CONTROLLERS)}", "--horizontal-pod-autoscaler-sync-period=1s",
            )  # fmt: skip
            self.extender = self.daemon("extender", "scheduler", "--port", str(port), "--health-port", str(health))
            self.controller()
            for name in NODES:
                self.executor(name, enter(Libvirtd(self.folder / name)))
            for name in NODES:
                eventually(lambda name=name: bool(self.find("vmnode", name).get("status", {}).get("guests")))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._stack.close()
        for log in self.folder.glob("kube-*.log"):
            sys.stdout.write(f"--- {log}\n{log.read_text()[-4000:]}\n")

    def _serve(self, name: str, *arguments: str) -> None:
        program = self.control_plane.program(name)
        server = Server(program, [*arguments, "--secure-port=0"], log=self.folder / f"{name}.log")
        self._stack.callback(server.stop)


def node(cluster: Cluster, name: str, **amounts: str) -> None:
    """Make a Node, as a kubelet would."""
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
    capacity = {**amounts, "pods": "110"}
    conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}]
    patch = {"status": {"capacity": capacity, "allocatable": capacity, "conditions": conditions}}
    cluster.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", json.dumps(patch))
    # The API server taints a new node until a controller sees that it is ready; none runs here.
    cluster.kubectl("patch", "node", name, "--type=merge", "-p", '{"spec":{"taints":null}}')


def other(node: str) -> str:
    return next(each for each in NODES if each != node)


def anywhere(name: str, *, memory: str = "64Mi", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a guest that names no node."""
    made = guest(name, **spec)
    del made["spec"]["nodeName"]
    made["spec"]["domain"]["memory"] = memory
    made["metadata"]["labels"] = labels or {}
    return made


def container(name: str, *, memory: str = "64Mi", **spec: Any) -> dict[str, Any]:
    """Return a Pod that has nothing to do with guests."""
    resources = {"requests": {"cpu": "10m", "memory": memory}}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "none", "resources": resources}],
            **spec}  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def runs(cluster: Cluster, name: str) -> str:
    """Wait until the guest runs, and return where."""
    eventually(lambda: status(cluster, name).get("printableStatus") == "Running", lambda: cluster.get("vm", name))
    return str(status(cluster, name)["nodeName"])


def scheduled(cluster: Cluster, name: str) -> dict[str, str]:
    """Return what is said of the guest's place."""
    conditions = status(cluster, name).get("conditions") or ()
    return next((each for each in conditions if each["type"] == "Scheduled"), {"reason": "", "message": ""})


def node_of(cluster: Cluster, pod: str) -> str:
    """Return the node that *pod* is bound to, empty where it is to none."""
    return str(cluster.get("pod", pod)["spec"].get("nodeName") or "")


def waits(cluster: Cluster, name: str, reason: str = "Unschedulable") -> str:
    """Wait until the guest has no place for *reason*, and return what is said of it."""
    eventually(lambda: scheduled(cluster, name)["reason"] == reason, lambda: cluster.get("vm", name))
    return scheduled(cluster, name)["message"]


def delete(cluster: Cluster, *names: str) -> None:
    """Delete guests, and wait until their Pods are gone as well."""
    cluster.kubectl("delete", "vm", *names, "--ignore-not-found", "--timeout=60s")
    for name in names:
        eventually(lambda name=name: not cluster.find("pod", f"{name}-placement"))


def domains_on(cluster: Cluster, node: str) -> set[str]:
    """Return the names of the domains that run on *node*, as libvirt says."""
    with Hypervisor(cluster.libvirts[node].uri) as hypervisor:
        return {each.domain.name for each in hypervisor.domains.summaries() if each.domain.active}
