"""KubeVMM as it is installed: a real cluster with one node, and the Pods of yamls/ from this checkout's image on it."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.guest import guest_files
from tests.harness import image
from tests.harness.cluster import Cluster, Machine
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
YAMLS = ROOT / "yamls"
NAMESPACE = "kubevmm-system"
NODE = "node-1"
PARTS = ("deployment/kubevmm-controller", "daemonset/kubevmm-executor", "deployment/kubevmm-scheduler")
# Seconds; a machine that does other things as well is slow, and one that is not does not wait.
PATIENCE = 120.0


@dataclass(frozen=True)
class Installed:
    """A cluster, and the libvirt of its node."""

    cluster: Cluster
    libvirt: Libvirtd

    def apply(self, *documents: dict[str, Any]) -> None:
        """Apply objects."""
        self.cluster.kubectl("apply", "-f", "-", input="\n---\n".join(json.dumps(each) for each in documents))

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return an object, or a list of them."""
        found: dict[str, Any] = json.loads(self.cluster.kubectl("get", *arguments, "-o", "json").stdout)
        return found

    def in_pod(self, part: str, *command: str) -> str:
        """Run a command in a Pod of a part and return what it wrote."""
        return self.cluster.kubectl("exec", "-n", NAMESPACE, part, "--", *command).stdout

    def ready(self) -> None:
        """Wait until all Pods of ours are ready."""
        for part in PARTS:
            self.cluster.kubectl(
                "rollout", "status", "-n", NAMESPACE, part, f"--timeout={PATIENCE:.0f}s", timeout=2 * PATIENCE
            )

    def guest(self, name: str, **spec: Any) -> dict[str, Any]:
        """Return a guest that boots in seconds, on the node."""
        images = "/var/lib/libvirt/images/counter"
        domain = {
            "type": "qemu",
            "memory": "192Mi",
            "os": {
                "type": {"arch": "x86_64", "machine": "q35", "value": "hvm"},
                "kernel": f"{images}/vmlinuz",
                "initrd": f"{images}/initrd",
                "cmdline": "console=ttyS0 panic=-1 loglevel=3 random.trust_cpu=on",
            },
            "features": {"acpi": {}},
            "devices": {"serials": [{"type": "pty"}], "consoles": [{"type": "pty"}]},
        }
        spec = {"nodeName": NODE, "runStrategy": "Always", "domain": domain, **spec}
        return {"apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachine", "metadata": {"name": name}, "spec": spec}


def until(holds: Callable[[], Any], *, says: str | Callable[[], str]) -> Any:
    """Wait until ``holds`` returns something true, and return that; fail with what it ``says`` otherwise."""
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline, says if isinstance(says, str) else says()
        time.sleep(0.2)
    return found


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Installed]:
    """Yield a cluster whose node has the image and a libvirt with the guest's files, and nothing of ours on it."""
    archive = image.archive()
    with Libvirtd() as libvirt:
        # What is /var/lib/libvirt for that libvirt.
        guest_files(libvirt.folder / "state" / "images" / "counter")
        machine = Machine(NODE, {"/run/libvirt": libvirt.folder / "run" / "libvirt"})
        with Cluster(folder, machines=[machine], images=[archive]) as cluster:
            yield Installed(cluster, libvirt)
