"""A node reads the Secrets of its own guests, by an account of its own that the controller keeps, and no other."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from controller import secrets
from executor.cluster.identity import NodeCredentials
from executor.cluster.link import Link
from executor.cluster.secrets import Secrets
from kube import configuration
from kube.client import Client
from kube.manager import Manager
from kube.session import Session
from tests.admission.api import Caller, RefusedError, manifest, path
from tests.admission.conftest import SYSTEM, TENANT, token_of
from tests.harness.credentials import kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.harness.controlplane import ControlPlane

SECRETS = f"/api/v1/namespaces/{TENANT}/secrets"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
ROLES, BINDINGS = f"{RBAC}/{TENANT}/roles", f"{RBAC}/{TENANT}/rolebindings"
NODES = {"node-1": "one", "node-2": "two"}


@pytest.fixture(scope="module")
def controller(cluster: ControlPlane, admin: Caller) -> Caller:
    """Return the controller."""
    return Caller(cluster, token_of(admin, "kubevmm-controller", {}))


@pytest.fixture(scope="module", autouse=True)
def guests(admin: Caller, one: Caller, two: Caller) -> Iterator[None]:  # noqa: ARG001  (the nodes must be there)
    """Keep a guest on each node, with a password in a Secret of its own."""
    for node, word in NODES.items():
        value = base64.b64encode(f"password of {word}".encode()).decode()
        admin.create(SECRETS, {"metadata": {"name": word}, "data": {"password": value}})
        graphics = [{"type": "vnc", "passwdSecretRef": {"name": word, "key": "password"}}]
        spec = {"domain": {"devices": {"graphics": graphics}}, "cloudInit": {"secretRef": {"name": f"{word}-seed"}}}
        admin.create(path("virtualmachines", TENANT), manifest("VirtualMachine", word, TENANT, spec=spec))
        admin.merge(path("virtualmachines", TENANT, word) + "/status", {"status": {"nodeName": node}})
        admin.apply(path("virtualmachinenodes", "", node), manifest("VirtualMachineNode", node), "test")
    yield
    for word in NODES.values():
        with contextlib.suppress(RefusedError):
            admin.delete(path("virtualmachines", TENANT, word))
        admin.delete(f"{SECRETS}/{word}")


def _configured(folder: Path, caller: Caller) -> configuration.Configuration:
    folder.mkdir(exist_ok=True)
    file = folder / "kubeconfig"
    cluster = caller.cluster
    file.write_text(json.dumps(kubeconfig(url=cluster.url, token=caller.token, ca=cluster.ca_file.read_bytes())))
    return asyncio.run(configuration.load(file))


def _control(folder: Path, controller: Caller, until: Callable[[], bool]) -> None:
    """Run the controller's part in this, as its own account, until what is asked for holds."""

    async def run(configured: configuration.Configuration) -> None:
        async with Session(configured) as session:
            manager = Manager(session)
            secrets.add(manager, Client(session))
            stop = asyncio.Event()
            running = asyncio.create_task(manager.run(stop))
            deadline = time.monotonic() + 60
            while not await asyncio.to_thread(until):
                assert time.monotonic() < deadline
                assert not running.done()
                await asyncio.sleep(0.1)
            stop.set()
            await running

    asyncio.run(run(_configured(folder, controller)))


def _names(admin: Caller, where: str) -> set[str]:
    listed = admin.get(f"{where}?labelSelector=kubevmm.io/node")["items"]
    return {each["metadata"]["name"] for each in listed}


def _rights(admin: Caller) -> bool:
    both = {f"kubevmm-node-{node}" for node in NODES}
    return _names(admin, ROLES) == _names(admin, BINDINGS) == both


def _read(configured: configuration.Configuration, node: str, *wanted: str) -> dict[str, str]:
    """Return what the executor of *node* can read of the Secrets *wanted*, by the executor's own code."""
    with Link(configured, "test", lambda _: None, identity=lambda client: NodeCredentials(node, client)) as link:
        found = Secrets(link).values((TENANT, each) for each in wanted)
    return {name: value for (_, name, _), value in found.items()}


def test_each_node_reads_what_its_guests_refer_to_and_nothing_else(
    admin: Caller, controller: Caller, one: Caller, two: Caller, tmp_path: Path
) -> None:
    _control(tmp_path / "controller", controller, lambda: _rights(admin))
    first, second = _configured(tmp_path / "one", one), _configured(tmp_path / "two", two)

    assert _read(first, "node-1", "one", "two") == {"one": "password of one"}
    assert _read(second, "node-2", "one", "two") == {"two": "password of two"}
    # Nor by saying that it is the other one.
    assert _read(second, "node-1", "one", "two") == {}
    rules = admin.get(f"{ROLES}/kubevmm-node-node-1")["rules"]
    assert rules == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one", "one-seed"], "verbs": ["get"]}
    ]


def test_a_node_whose_guest_has_gone_reads_its_secret_no_more(
    admin: Caller, controller: Caller, two: Caller, tmp_path: Path
) -> None:
    _control(tmp_path / "controller", controller, lambda: _rights(admin))
    admin.delete(path("virtualmachines", TENANT, "two"))

    _control(
        tmp_path / "controller", controller,
        lambda: _names(admin, ROLES) == _names(admin, BINDINGS) == {"kubevmm-node-node-1"},
    )  # fmt: skip

    assert _read(_configured(tmp_path / "two", two), "node-2", "two") == {}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("/api/v1/namespaces/kubevmm-nodes/serviceaccounts/node-1/token", "of the account kubevmm-nodes/node-2 alone"),
        (f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/kubevmm-controller/token", "cannot create resource"),
        (f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/kubevmm-executor/token", "cannot create resource"),
    ],
)
def test_a_node_is_given_tokens_of_its_own_account_alone(two: Caller, where: str, said: str) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}

    with pytest.raises(RefusedError) as refused:
        two.create(where, body)

    assert refused.value.code == 403
    assert said in str(refused.value)


def test_a_token_of_no_node_gets_no_other(nowhere: Caller) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}

    with pytest.raises(RefusedError, match="this token says nothing of a node"):
        nowhere.create("/api/v1/namespaces/kubevmm-nodes/serviceaccounts/node-1/token", body)


def _role(name: str, **rule: Any) -> dict[str, Any]:
    asked = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["get"], **rule}
    rules = [{key: value for key, value in asked.items() if value is not None}]
    return {"metadata": {"name": name, "labels": {"kubevmm.io/node": ""}}, "rules": rules}


def _binding(name: str, role: str, subject: dict[str, str], kind: str = "Role") -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}


_NODE = {"kind": "ServiceAccount", "name": "node-1", "namespace": "kubevmm-nodes"}
_OTHER = {"kind": "ServiceAccount", "name": "kubevmm-controller", "namespace": SYSTEM}


@pytest.mark.parametrize(
    ("where", "body", "said"),
    [
        (ROLES, _role("anything"), "of its own alone"),
        (ROLES, _role("kubevmm-node-x", resourceNames=None), "by their names, and nothing else"),
        (ROLES, _role("kubevmm-node-x", verbs=["get", "list"]), "by their names, and nothing else"),
        (ROLES, _role("kubevmm-node-x", resources=["secrets", "pods"]), "by their names, and nothing else"),
        (ROLES, _role("kubevmm-node-x", apiGroups=["*"]), "by their names, and nothing else"),
        (BINDINGS, _binding("kubevmm-node-node-1", "kubevmm-node-node-1", _OTHER), "and to nobody else"),
        (BINDINGS, _binding("kubevmm-node-node-2", "kubevmm-node-node-2", _NODE), "and to nobody else"),
        (BINDINGS, _binding("kubevmm-node-node-1", "another", _NODE), "and to nobody else"),
        (BINDINGS, _binding("kubevmm-node-node-1", "cluster-admin", _NODE, "ClusterRole"), "forbidden"),
    ],
)
def test_the_controller_gives_no_other_rights(controller: Caller, where: str, body: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        controller.create(where, body, dry_run=True)

    assert refused.value.code == 403
    assert said in str(refused.value)


def test_the_controller_reads_no_secrets_itself(controller: Caller) -> None:
    with pytest.raises(RefusedError) as refused:
        controller.get(f"{SECRETS}/one")

    assert refused.value.code == 403
