"""`kubectl apply -f yamls/` on a real cluster: all Pods run, may what they must and no more; guests outlive them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.installed import NAMESPACE, NODE, YAMLS, Installed, started, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAREWELL = "serviceaccount/kubevmm-farewell"
OURS = "kubevmm"
LEFT = "serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings"
EXECUTOR, CONTROLLER = "daemonset/kubevmm-executor", "deployment/kubevmm-controller"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Installed]:
    """Yield an empty cluster with one node."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # The first build takes minutes: whoever waits must see what for.
    with capture.global_and_fixture_disabled():
        running = started(tmp_path_factory.mktemp("installation"))
        installed = running.__enter__()
    try:
        yield installed
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="module")
def installed(machine: Installed) -> Installed:
    """Return the cluster after one `kubectl apply -f yamls/`."""
    machine.cluster.kubectl("apply", "-f", str(YAMLS))
    machine.ready()
    return machine


@pytest.fixture(scope="module")
def guest(installed: Installed) -> str:
    """Return the name of a guest that runs."""
    installed.apply(installed.guest("steady"))
    installed.cluster.kubectl("wait", "--for=condition=Ready", "--timeout=120s", "vm/steady", timeout=150)
    return "steady"


def test_all_pods_become_ready_and_the_node_reports_itself(installed: Installed) -> None:
    pods = installed.get("pods", "-n", NAMESPACE)["items"]
    assert sorted(pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods) == [
        "controller", "controller", "executor", "scheduler", "scheduler",
    ]  # fmt: skip
    installed.cluster.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"vmnode/{NODE}")


def test_kubectl_calls_what_a_second_apply_does_unchanged(installed: Installed) -> None:
    lines = installed.cluster.kubectl("apply", "-f", str(YAMLS)).stdout.splitlines()
    # kubectl sends a budget's selector each time, and calls that a change.
    changed = [line for line in lines if not line.endswith(" unchanged") and "poddisruptionbudget" not in line]
    assert (bool(lines), changed) == (True, [])


@pytest.mark.parametrize("how", [[], ["--server-side", "--force-conflicts"]], ids=["client-side", "server-side"])
def test_a_second_apply_changes_nothing(installed: Installed, how: list[str]) -> None:
    def apply() -> dict[tuple[str, str], tuple[str, int]]:
        items = json.loads(installed.cluster.kubectl("apply", "-f", str(YAMLS), "-o", "json", *how).stdout)["items"]
        return {
            (item["kind"], item["metadata"]["name"]): (item["metadata"]["uid"], item["metadata"].get("generation", 0))
            for item in items
        }

    first = apply()
    assert apply() == first
    assert installed.cluster.kubectl("diff", "-f", str(YAMLS), *how).stdout == ""


@pytest.mark.parametrize("part", [EXECUTOR, CONTROLLER])
def test_a_part_has_no_capabilities_a_filter_of_system_calls_and_nothing_to_write_to(
    installed: Installed, part: str
) -> None:
    lines = installed.in_pod(part, "cat", "/proc/self/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    capabilities = {name: int(value, 16) for name, value in status.items() if name.startswith("Cap")}
    assert capabilities == dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    for path in ("/", "/opt/kubevmm", "/etc"):
        refused = installed.cluster.kubectl("exec", "-n", NAMESPACE, part, "--", "touch", f"{path}/x", check=False)
        assert "Read-only file system" in refused.stderr


def test_an_executor_has_of_its_host_libvirts_folder_alone(installed: Installed) -> None:
    spec = installed.get(EXECUTOR, "-n", NAMESPACE)["spec"]["template"]["spec"]
    assert [volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume] == ["/run/libvirt"]
    for share in ("hostPID", "hostIPC", "hostNetwork"):
        assert not spec.get(share)
    # Processes of the node would be seen here, and its network.
    processes = installed.in_pod(EXECUTOR, "sh", "-c", "ls -d /proc/[0-9]*").split()
    assert len(processes) < 10
    mounts = installed.in_pod(EXECUTOR, "cat", "/proc/self/mountinfo")
    (libvirt,) = [line for line in mounts.splitlines() if " /run/libvirt " in line]
    assert libvirt.split()[5].split(",")[0] == "ro"


def test_the_controller_meets_the_restricted_level_of_pod_security(installed: Installed) -> None:
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    installed.apply(namespace)
    for part, refused in ((CONTROLLER, ""), ("deployment/kubevmm-scheduler", ""), (EXECUTOR, "hostPath")):
        template = installed.get(part, "-n", NAMESPACE)["spec"]["template"]
        spec = template["spec"] | {"serviceAccountName": "default"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "strict"}, "spec": spec}
        answer = installed.cluster.kubectl(
            "create", "--dry-run=server", "-f", "-", input=json.dumps(pod), check=False
        ).stderr
        assert refused in answer if refused else not answer, answer


ALLOWED = [
    ("controller", "patch", "virtualmachines.kubevmm.io/status", "default", True),
    ("controller", "list", "virtualmachinedisks.kubevmm.io", "", True),
    ("controller", "create", "pods", "default", True),
    ("controller", "update", "leases.coordination.k8s.io/kubevmm-controller", NAMESPACE, True),
    ("controller", "update", "leases.coordination.k8s.io/node-node-1", NAMESPACE, False),
    ("controller", "get", "secrets", "default", False),
    # Replica sets take guests away that are too many.
    ("controller", "delete", "virtualmachines.kubevmm.io", "default", True),
    ("controller", "create", "pods/exec", "default", False),
    ("executor", "patch", "virtualmachines.kubevmm.io/scale", "default", False),
    ("executor", "list", "virtualmachines.kubevmm.io", "", True),
    ("executor", "patch", "virtualmachines.kubevmm.io/status", "default", True),
    ("executor", "create", "virtualmachinenodes.kubevmm.io", "", True),
    ("executor", "patch", "leases.coordination.k8s.io", NAMESPACE, True),
    ("executor", "patch", "leases.coordination.k8s.io", "kube-system", False),
    ("executor", "get", "secrets", "default", False),
    ("executor", "list", "secrets", "", False),
    ("executor", "get", "pods", "default", False),
    ("executor", "get", "nodes", "", False),
    ("executor", "create", "virtualmachines.kubevmm.io", "default", False),
    ("executor", "delete", "virtualmachines.kubevmm.io", "default", False),
]


@pytest.mark.parametrize(("account", "verb", "resource", "namespace", "allowed"), ALLOWED)
def test_each_part_may_do_what_it_does_and_no_more(
    installed: Installed, account: str, verb: str, resource: str, namespace: str, allowed: bool
) -> None:
    where = ["-n", namespace] if namespace else ["-A"]
    user = f"--as=system:serviceaccount:{NAMESPACE}:kubevmm-{account}"
    resource, _, part = resource.partition("/")
    # A name where the resource is a Lease, a subresource otherwise.
    which = [f"{resource}/{part}"] if "leases" in resource and part else [resource, f"--subresource={part}"]
    answer = installed.cluster.kubectl("auth", "can-i", verb, *which, *where, user, check=False).stdout
    assert answer.strip() == ("yes" if allowed else "no")


def test_a_namespace_lets_executors_read_its_secrets_by_one_command(installed: Installed) -> None:
    kubectl = installed.cluster.kubectl
    kubectl("create", "namespace", "trusting")
    account = f"{NAMESPACE}:kubevmm-executor"
    kubectl(
        "create", "rolebinding", "kubevmm-secrets", "-n", "trusting", "--clusterrole=kubevmm-secrets",
        f"--serviceaccount={account}",
    )  # fmt: skip
    user = f"--as=system:serviceaccount:{account}"
    assert kubectl("auth", "can-i", "get", "secrets", "-n", "trusting", user, check=False).stdout.strip() == "yes"
    assert kubectl("auth", "can-i", "list", "secrets", "-n", "trusting", user, check=False).stdout.strip() == "no"
    # Who makes such a binding takes it away: it is none of what yamls/ installs.
    kubectl("delete", "namespace", "trusting", "--timeout=60s")


def test_metrics_are_at_the_endpoints_of_the_services(installed: Installed) -> None:
    for part in ("controller", "executor"):
        slices = installed.get("endpointslices", "-n", NAMESPACE, "-l", f"kubernetes.io/service-name=kubevmm-{part}")
        addresses = [each["addresses"][0] for item in slices["items"] for each in item["endpoints"]]
        assert addresses
        code = f"import urllib.request as u; print(u.urlopen('http://{addresses[0]}:8081/metrics').read().decode())"
        assert "# TYPE " in installed.in_pod(CONTROLLER, "python", "-c", code)


def _kill_pods(installed: Installed) -> None:
    installed.cluster.kubectl("delete", "pods", "--all", "-n", NAMESPACE, "--grace-period=0", "--force", timeout=150)


def _kill_kubelet(installed: Installed) -> None:
    node = installed.cluster.nodes[NODE]
    node.kubelet.kill()
    node.start_kubelet()


def _kill_containerd(installed: Installed) -> None:
    node = installed.cluster.nodes[NODE]
    node.containerd.kill()
    node.start_containerd()


def _kill_api_server(installed: Installed) -> None:
    installed.cluster.restart("kube-apiserver")


def _kill_etcd(installed: Installed) -> None:
    installed.cluster.restart("etcd")


BLOWS = [_kill_pods, _kill_kubelet, _kill_containerd, _kill_api_server, _kill_etcd]


@pytest.mark.parametrize("blow", BLOWS, ids=lambda blow: blow.__name__.removeprefix("_kill_"))
def test_a_guest_runs_on_and_is_looked_after_again_when_something_was_killed(
    installed: Installed, guest: str, blow: Callable[[Installed], None]
) -> None:
    process = _qemu(installed, guest)
    blow(installed)
    # What is asked for now arrives, by whatever had to come back for that.
    title = f"after {blow.__name__}"
    patch = json.dumps({"spec": {"domain": {"title": title}}})
    until(
        lambda: (
            not installed.cluster.kubectl("patch", "vm", guest, "--type=merge", "-p", patch, check=False).returncode
        ),
        says="the API server does not come back",
    )
    domain = f"default_{guest}"
    until(
        lambda: installed.libvirt.virsh("desc", "--title", domain).stdout.strip() == title,
        says=f"{title}, nobody looks after the guest",
    )
    assert _qemu(installed, guest) == process
    installed.ready()


def test_a_pod_that_is_evicted_keeps_its_room_until_its_guest_is_off(installed: Installed) -> None:
    document = installed.guest("evicted", evictionStrategy="Shutdown", terminationGracePeriodSeconds=8)
    del document["spec"]["nodeName"]
    installed.apply(document)
    installed.cluster.kubectl("wait", "--for=condition=Ready", "--timeout=120s", "vm/evicted", timeout=150)
    process = _qemu(installed, "evicted")
    pod = ("pod", "evicted-placement")
    uid = installed.get(*pod)["metadata"]["uid"]
    installed.cluster.kubectl("delete", *pod, "--wait=false")

    phases = []
    while installed.libvirt.virsh("domstate", "default_evicted").stdout.strip() == "running":
        found = installed.get(*pod)
        if installed.libvirt.virsh("domstate", "default_evicted").stdout.strip() != "running":
            break
        phases.append((found["metadata"]["uid"], found["status"]["phase"]))

    # A kubelet ends what is deleted within two seconds; one that has ended counts for nothing.
    assert len(phases) > 1
    assert set(phases) == {(uid, "Running")}
    # It is bound to its node by its kernel, which is a file there: so it goes on there.
    until(lambda: _runs_anew(installed, "evicted", process), says="the guest does not go on")
    assert installed.get(*pod)["metadata"]["uid"] != uid
    installed.cluster.kubectl("delete", "vm", "evicted", "--timeout=60s")


def _runs_anew(installed: Installed, guest: str, before: tuple[int, str]) -> bool:
    try:
        return _qemu(installed, guest) != before
    except OSError:
        return False


LOST = 300
"""Guests of a node that is down: more than anybody lets go of while the rights to do so are being deleted."""


def _lost(installed: Installed) -> list[dict[str, Any]]:
    """Return what an executor has taken on that does not live any more."""
    guest = installed.guest("lost", nodeName="gone", runStrategy="Halted")
    held = {"finalizers": ["kubevmm.io/executor"]}
    guests = [{**guest, "metadata": {"name": f"lost-{number}", **held}} for number in range(LOST)]
    disk = {"poolRef": {"name": "fast"}, "nodeName": "gone"}
    others = {"VirtualMachineDisk": disk, "VirtualMachineSnapshot": {"virtualMachineRef": {"name": "lost-1"}}}
    return guests + [
        {"apiVersion": guest["apiVersion"], "kind": kind, "metadata": {"name": "lost", **held}, "spec": spec}
        for kind, spec in others.items()
    ]


def test_deleting_all_of_it_leaves_guests_alone_and_applying_it_again_takes_them_back(
    installed: Installed, guest: str
) -> None:
    process = _qemu(installed, guest)
    kubectl = installed.cluster.kubectl
    until(
        lambda: kubectl("get", FAREWELL, "-n", "kube-system", check=False).returncode == 0, says="no farewell account"
    )
    kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": _lost(installed)}))
    kubectl("delete", "-f", str(YAMLS), "--timeout=240s", timeout=300)
    assert kubectl("get", "namespace", NAMESPACE, check=False).returncode == 1
    assert "kubevmm.io" not in kubectl("get", "crd", "-o", "name").stdout
    assert _qemu(installed, guest) == process
    # What the controller made for itself and for nodes, the garbage collector takes.
    until(lambda: not _left(installed), says=lambda: f"stays: {_left(installed)}")

    installed.cluster.kubectl("apply", "-f", str(YAMLS))
    installed.ready()
    document = installed.guest(guest)
    # As it is called, and by the identity that it has, since the object is another one.
    uuid = installed.libvirt.virsh("domuuid", f"default_{guest}").stdout.strip()
    document["spec"]["domain"]["uuid"] = uuid
    installed.apply(document)
    installed.cluster.kubectl("wait", f"vm/{guest}", "--for=condition=Synchronized", "--timeout=60s")
    # Only a guest that is as its object says is taken over; from then on it is as it is told to be.
    document["spec"]["domain"]["title"] = "taken back"
    installed.apply(document)
    until(
        lambda: installed.libvirt.virsh("desc", "--title", f"default_{guest}").stdout.strip() == "taken back",
        says="nobody takes the guest back",
    )
    assert _qemu(installed, guest) == process


def _left(installed: Installed) -> list[str]:
    """Return what of ours there is beside objects of our kinds, each as ``kind/name``."""
    return [name for name in installed.cluster.kubectl("get", LEFT, "-A", "-o", "name").stdout.split() if OURS in name]


def _qemu(installed: Installed, guest: str) -> tuple[int, str]:
    """Return the guest's process id and when that was started."""
    pid = int((installed.libvirt.folder / "run" / "libvirt" / "qemu" / f"default_{guest}.pid").read_text())
    os.kill(pid, 0)
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
        return pid, file.read().rpartition(")")[2].split()[19]
