"""Requests to the tests' API server as one of many: an administrator, a tenant, an executor with its Pod's token."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harness.controlplane import ControlPlane

OURS = "/apis/kubevmm.io/v1alpha1"


class RefusedError(Exception):
    """The API server's own words, and its status code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Caller:
    """Somebody with a bearer token at the API server."""

    cluster: ControlPlane
    token: str

    def send(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """Return what the API server answers; raises RefusedError."""
        request = urllib.request.Request(  # noqa: S310 -- the URL is ours
            f"{self.cluster.url}{path}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", kind)
        context = ssl.create_default_context(cafile=self.cluster.ca_file)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(error.code, json.load(error)["message"]) from None

    def create(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Any:
        """Create *body* below *path*; raises RefusedError."""
        return self.send("POST", path + "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else ""), body)

    def merge(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Any:
        """Merge *body* into what is at *path*; raises RefusedError."""
        suffix = "?dryRun=All" if dry_run else ""
        return self.send("PATCH", path + suffix, body, kind="application/merge-patch+json")

    def apply(self, path: str, body: Mapping[str, Any], manager: str = "kubevmm-executor") -> Any:
        """Apply *body* at *path* as *manager*, by force; raises RefusedError."""
        suffix = f"?fieldManager={manager}&force=true"
        return self.send("PATCH", path + suffix, body, kind="application/apply-patch+yaml")

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Replace what is at *path*; raises RefusedError."""
        return self.send("PUT", path, body)

    def delete(self, path: str) -> Any:
        """Delete what is at *path*; raises RefusedError."""
        return self.send("DELETE", path)

    def get(self, path: str) -> Any:
        """Return what is at *path*; raises RefusedError."""
        return self.send("GET", path)


def path(plural: str, namespace: str = "", name: str = "") -> str:
    """Return where the objects *plural* of kubevmm.io are, or the one called *name*."""
    where = f"{OURS}/namespaces/{namespace}/{plural}" if namespace else f"{OURS}/{plural}"
    return f"{where}/{name}" if name else where


def manifest(kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    """Return an object of ours."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "kubevmm.io/v1alpha1", "kind": kind, "metadata": metadata, **rest}
