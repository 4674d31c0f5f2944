"""One API server for all tests of this folder, and for each a namespace of its own and sessions as it needs them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kube import configuration
from kube.client import Client
from kube.object import Key
from kube.resource import Resource
from kube.session import Session
from tests.cluster.conftest import cluster_binaries, control_plane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.controlplane import ControlPlane

__all__ = ["cluster_binaries", "control_plane"]

HERE = Path(__file__).parent
GADGETS = Resource("runtime.kubevmm.io", "v1", "Gadget", "gadgets")
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps")
NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)

CONDITIONS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {
        "type": "object",
        "required": ["type"],
        "properties": {
            **{name: {"type": "string"} for name in ("type", "status", "reason", "message", "lastTransitionTime")},
            "observedGeneration": {"type": "integer"},
        },
    },
}
SPEC = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 0},
        "note": {"type": "string"},
        "flag": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "path": {"type": "array", "items": {"type": "string"}},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "value": {"type": "integer"}},
            },
        },
        "options": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
STATUS = {"type": "object", "properties": {"node": {"type": "string"}, "conditions": CONDITIONS}}


def definition(resource: Resource) -> dict[str, Any]:
    """Return the CustomResourceDefinition of *resource*."""
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".status.node"}],
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.lower()},
            "versions": [version],
        },
    }


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the API server."""
    for item in items:
        if item.path.is_relative_to(HERE) and "control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="package")
def gadgets(control_plane: ControlPlane) -> ControlPlane:
    """Return an API server that knows gadgets."""
    control_plane.kubectl("apply", "-f", "-", input=json.dumps(definition(GADGETS)))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/gadgets.runtime.kubevmm.io", "--timeout=60s")
    return control_plane


@pytest.fixture
def cluster(gadgets: ControlPlane) -> Cluster:
    """Return the API server, with a namespace of this test's own."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    gadgets.kubectl("create", "namespace", namespace)
    return Cluster(gadgets, namespace)


class Cluster:
    """An API server and a namespace in it."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.control_plane = control_plane
        self.namespace = namespace

    @contextlib.asynccontextmanager
    async def session(self, server: str | None = None, **options: Any) -> AsyncIterator[Session]:
        """Give a session as administrator, by way of *server* in the place of the real one."""
        loaded = await configuration.load(self.control_plane.kubeconfig)
        if server is not None:
            loaded.server, loaded.tls = server, None
        options.setdefault("rate", 5000.0)
        async with Session(loaded, **options) as session:
            yield session

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with self.session() as session:
            yield Client(session)

    def key(self, name: str) -> Key:
        return Key(self.namespace, name)

    def gadget(self, name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, "namespace": self.namespace}
        if labels:
            metadata["labels"] = labels
        return {"apiVersion": GADGETS.api_version, "kind": GADGETS.kind, "metadata": metadata, "spec": spec}


async def until(condition: Any, *, seconds: float = 30.0) -> None:
    """Wait until *condition* returns something true; fail the test if it never does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (what is waited for is often outside this loop)
            await asyncio.sleep(0.01)
