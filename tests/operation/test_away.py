"""An executor that was away for an hour: what it knew is forgotten by everybody, and nothing waited for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.operation.conftest import eventually
from tests.operation.network import Network
from tests.operation.nodes import condition, ready
from tests.operation.test_guests import NODE, domains, guest, hypervisor, run_of, running, status

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd
    from tests.operation.conftest import Cluster

__all__ = ["hypervisor"]

GUESTS = "/apis/kubevmm.io/v1alpha1/virtualmachines"
LEFT = ("same", "changed", "shown", "again", "let-go")
SCREEN = {"type": "vnc", "autoport": True, "listen": "127.0.0.1", "passwdSecretRef": {"name": "screen", "key": "word"}}


def secret(word: str) -> dict[str, Any]:
    metadata = {"name": "screen", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"word": word}}


def titled(cluster: Cluster, name: str, title: str) -> None:
    patch = json.dumps({"spec": {"domain": {"title": title}}})
    cluster.kubectl("patch", "vm", name, "--type", "merge", "-p", patch)


def test_an_executor_that_was_away_for_an_hour_catches_up_and_touches_nothing_that_it_need_not(
    cluster: Cluster, libvirtd: Libvirtd, hypervisor: Hypervisor
) -> None:
    with Network(cluster.control_plane, 1) as network:
        cluster.control_plane.write_kubeconfig(cluster.folder / "away.kubeconfig", url=network.proxy.url)
        cluster.controller()
        cluster.executor(NODE, libvirtd, KUBECONFIG=str(cluster.folder / "away.kubeconfig"))
        cluster.apply(secret("first"))
        for name in ("same", "changed", "doomed", "again"):
            running(cluster, name)
        running(cluster, "let-go", deletionPolicy="Retain")
        shown = guest("shown")
        shown["spec"]["domain"]["devices"]["graphics"] = [SCREEN]
        cluster.apply(shown)
        eventually(lambda: status(cluster, "shown").get("ready") is True, lambda: cluster.get("vm", "shown"))
        before = {name: run_of(hypervisor, f"default_{name}") for name in LEFT}
        seen = cluster.get("vm", "same")["metadata"]["resourceVersion"]

        network.proxy.down = True
        network.cut()
        _happen(cluster, seen)
        assert {name: run_of(hypervisor, f"default_{name}") for name in LEFT} == before
        assert domains(hypervisor)["default_doomed"].active
        network.proxy.down = False

        eventually(lambda: condition(cluster.find("vm", "same"), "NodeReady")["status"] == "")
        eventually(lambda: "<title>later</title>" in domains(hypervisor)["default_changed"].xml())
        eventually(lambda: "passwd='second'" in domains(hypervisor)["default_shown"].xml(secure=True))
        eventually(lambda: "default_doomed" not in domains(hypervisor))
        eventually(lambda: "kubevmm" not in domains(hypervisor)["default_let-go"].xml())
        eventually(lambda: cluster.find("vm", "doomed") == cluster.find("vm", "let-go") == {})
        for name in ("same", "changed", "shown", "again", "new"):
            eventually(
                lambda name=name: status(cluster, name).get("ready") is True, lambda name=name: status(cluster, name)
            )
        # Under its old name it is another object by now, and the same guest.
        assert cluster.get("vm", "again")["metadata"]["uid"] != before["again"][0]
        assert {name: run_of(hypervisor, f"default_{name}") for name in LEFT} == before
        cluster.kubectl("delete", "vm", "--all", "--timeout=60s")
    domains(hypervisor)["default_let-go"].destroy()
    domains(hypervisor)["default_let-go"].undefine()


def _happen(cluster: Cluster, seen: str) -> None:
    """Let an hour's changes happen, and what was before be forgotten: *seen* is a version of then."""
    lease = ("lease", f"node-{NODE}", "-n", "kubevmm-system")
    cluster.kubectl("patch", *lease, "--type=merge", "-p", '{"spec":{"leaseDurationSeconds":1}}')
    eventually(lambda: ready(cluster.find("vmnode", NODE))["status"] == "Unknown")
    eventually(lambda: condition(cluster.find("vm", "same"), "NodeReady")["status"] == "Unknown")
    titled(cluster, "changed", "meanwhile")
    titled(cluster, "changed", "later")
    cluster.apply(secret("second"))
    titled(cluster, "shown", "later")
    cluster.kubectl("delete", "vm", "doomed", "let-go", "--wait=false")
    # Somebody lost patience with this one, and made it anew.
    cluster.kubectl("delete", "vm", "again", "--wait=false")
    cluster.kubectl("patch", "vm", "again", "--type", "merge", "-p", '{"metadata":{"finalizers":null}}')
    cluster.kubectl("wait", "vm/again", "--for=delete", "--timeout=30s")
    cluster.apply(guest("again"), guest("new"))
    cluster.control_plane.compact()
    cluster.control_plane.restart("kube-apiserver")
    cluster.control_plane.compact()
    query = f"{GUESTS}?watch=true&timeoutSeconds=1&resourceVersion={seen}"
    assert "too old resource version" in cluster.kubectl("get", "--raw", query)
