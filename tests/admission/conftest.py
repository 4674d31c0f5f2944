"""One API server with all that is installed, two nodes with an executor each, and people of several kinds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.admission.api import Caller, RefusedError, manifest, path
from tests.harness.build import build
from tests.harness.controlplane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
YAMLS = HERE.parents[1] / "yamls"
SYSTEM = "kubevmm-system"
TENANT, TRUSTED, OTHER = "shop", "vault", "office"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs the API server, before -m selects."""
    for item in items:
        if item.path.is_relative_to(HERE) and "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="package")
def cluster(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Yield a running API server with yamls/ applied, namespaces of a tenant, of a trusted one, and of a third."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        binaries = build()
    users: dict[str, list[str]] = {"owner": [], "helper": [], "operator": [], "nobody": []}
    with ControlPlane(tmp_path_factory.mktemp("admission"), binaries=binaries, users=users) as running:
        running.kubectl("apply", "-f", str(YAMLS))
        for namespace in (TENANT, TRUSTED, OTHER):
            running.kubectl("create", "namespace", namespace)
        running.kubectl("label", "namespace", TRUSTED, "kubevmm.io/trusted=true")
        # No controller aggregates here what the built-in roles get.
        for user, role in (("owner", "kubevmm-admin"), ("helper", "kubevmm-edit"), ("operator", "kubevmm-host")):
            for namespace in (TENANT, TRUSTED):
                running.kubectl(
                    "create", "rolebinding", f"{user}-{namespace}", "-n", namespace, f"--clusterrole={role}",
                    f"--user={user}",
                )  # fmt: skip
        admin = Caller(running, running.token)
        _wait_for_policies(running, admin)
        yield running


def _wait_for_policies(running: ControlPlane, admin: Caller) -> None:
    """Wait until the API server holds both sides to what was installed: it reads policies a moment later."""
    tenant = Caller(running, running.tokens["owner"])
    executor = _executor(running, admin, "early")
    refused = manifest("VirtualMachine", "early", TENANT, spec={"domain": {"devices": {"emulator": "/tmp/evil"}}})  # noqa: S108 -- what a tenant may try
    _until(lambda: _is_refused(tenant, path("virtualmachines", TENANT), refused, "usehost"))
    other = manifest("VirtualMachineNode", "never")
    _until(lambda: _is_refused(executor, path("virtualmachinenodes"), other, "itself alone"))
    accounts = "/api/v1/namespaces/kubevmm-nodes/serviceaccounts"
    admin.create(accounts, {"metadata": {"name": "other"}})
    _until(
        lambda: _is_refused(
            executor, f"{accounts}/other/token", {"spec": {}}, "of the account kubevmm-nodes/early alone"
        )
    )
    controller = Caller(running, token_of(admin, "kubevmm-controller", {}))
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{TENANT}/roles"
    _until(lambda: _is_refused(controller, roles, {"metadata": {"name": "any"}}, "of its own alone"))


def _is_refused(caller: Caller, where: str, body: dict[str, Any], said: str) -> bool:
    try:
        caller.create(where, body, dry_run=True)
    except RefusedError as error:
        return said in str(error)
    return False


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "the API server does not hold to the policies"
        time.sleep(0.1)


def _executor(running: ControlPlane, admin: Caller, node: str) -> Caller:
    """Return the executor of *node*, by the token that its kubelet would mount into its Pod."""
    admin.create("/api/v1/nodes", {"metadata": {"name": node}})
    spec = {
        "serviceAccountName": "kubevmm-executor",
        "nodeName": node,
        "containers": [{"name": "executor", "image": "none"}],
    }
    where = f"/api/v1/namespaces/{SYSTEM}/pods"
    pod = admin.create(where, {"metadata": {"name": f"executor-{node}"}, "spec": spec})["metadata"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": pod["name"], "uid": pod["uid"]}
    return Caller(running, token_of(admin, "kubevmm-executor", {"boundObjectRef": bound}))


def token_of(admin: Caller, account: str, spec: dict[str, Any]) -> str:
    """Return a token of one of our service accounts, as the TokenRequest *spec* asks for it."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    made = admin.create(f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{account}/token", body)
    return str(made["status"]["token"])


@pytest.fixture(scope="package")
def admin(cluster: ControlPlane) -> Caller:
    """Return the cluster's administrator."""
    return Caller(cluster, cluster.token)


@pytest.fixture(scope="package")
def one(cluster: ControlPlane, admin: Caller) -> Caller:
    """Return the executor of node-1."""
    return _executor(cluster, admin, "node-1")


@pytest.fixture(scope="package")
def two(cluster: ControlPlane, admin: Caller) -> Caller:
    """Return the executor of node-2."""
    return _executor(cluster, admin, "node-2")


@pytest.fixture(scope="package")
def nowhere(cluster: ControlPlane, admin: Caller) -> Caller:
    """Return somebody with the executors' service account, but a token that no Pod of a node was given."""
    return Caller(cluster, token_of(admin, "kubevmm-executor", {}))


@pytest.fixture(scope="package")
def owner(cluster: ControlPlane) -> Caller:
    """Return the owner of two namespaces, of which one is trusted."""
    return Caller(cluster, cluster.tokens["owner"])


@pytest.fixture(scope="package")
def helper(cluster: ControlPlane) -> Caller:
    """Return somebody who may edit in two namespaces, of which one is trusted."""
    return Caller(cluster, cluster.tokens["helper"])


@pytest.fixture(scope="package")
def operator(cluster: ControlPlane) -> Caller:
    """Return somebody who may give guests of two namespaces what is the nodes'."""
    return Caller(cluster, cluster.tokens["operator"])
