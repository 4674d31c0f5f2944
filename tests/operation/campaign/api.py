"""What the campaign asks of the API server, directly and until it has an answer: each may be sent twice."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from typing import TYPE_CHECKING, Any

from tests.admission.api import RefusedError, manifest, path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harness.controlplane import ControlPlane

PATIENCE = 60.0
UNKNOWN = "could not find the requested resource"
"""A server's words for a kind that it does not serve, as of ours when it has just come up."""

_PODS = "/api/v1/namespaces/default/pods"

__all__ = ["Api", "manifest"]


class Api:
    """The API server of *control_plane*, which may be away for a while. All is in the namespace default."""

    def __init__(self, control_plane: ControlPlane) -> None:
        host, _, port = control_plane.url.removeprefix("https://").partition(":")
        tls = ssl.create_default_context(cafile=control_plane.ca_file)
        self._connection = http.client.HTTPSConnection(host, int(port), timeout=30, context=tls)
        self._token = control_plane.token

    def create(self, plural: str, body: Mapping[str, Any]) -> None:
        """Create it, unless it is there."""
        self._ask("POST", path(plural, "default"), body, there=True)

    def merge(self, plural: str, name: str, body: Mapping[str, Any]) -> None:
        """Merge *body* into it."""
        self._ask("PATCH", path(plural, "default", name), body)

    def find(self, plural: str, name: str) -> dict[str, Any]:
        """Return it, and an empty one where there is none."""
        found: dict[str, Any] | None = self._ask("GET", path(plural, "default", name), gone=True)
        return found or {}

    def list(self, plural: str, labels: str = "") -> list[dict[str, Any]]:
        """Return all, or those with the *labels*."""
        where = _PODS if plural == "pods" else path(plural, "default")
        suffix = f"?labelSelector={labels}" if labels else ""
        found: list[dict[str, Any]] = self._ask("GET", where + suffix)["items"]
        return found

    def delete(self, plural: str, name: str, uid: str) -> None:
        """Delete it, and none that has come after it."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        where = path(plural, "default", name)
        self._end(where, uid, "DELETE", where, body)

    def evict(self, pod: Mapping[str, Any]) -> None:
        """Evict the Pod, and none that has come after it."""
        metadata = {"name": pod["metadata"]["name"], "namespace": "default"}
        uid = str(pod["metadata"]["uid"])
        options = {"preconditions": {"uid": uid}}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options}
        where = f"{_PODS}/{metadata['name']}"
        self._end(where, uid, "POST", f"{where}/eviction", body)

    def node(self, name: str, *, cordoned: bool) -> None:
        """Let the node take no more Pods, or take them again."""
        self._ask("PATCH", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": cordoned}})

    def _end(self, where: str, uid: str, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Ask until what is at *where* is gone, another one, or on its way out: it may be written to meanwhile."""
        while True:
            self._ask(method, path, body, gone=True, there=True)
            metadata = (self._ask("GET", where, gone=True) or {}).get("metadata") or {}
            if metadata.get("uid") != uid or "deletionTimestamp" in metadata:
                return

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, gone: bool = False, there: bool = False
    ) -> Any:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._send(method, path, body)
            except RefusedError as error:
                if (error.code == 404 and gone and UNKNOWN not in str(error)) or (error.code == 409 and there):
                    return None
                # A server that has just come up knows neither tokens nor kinds for a moment.
                if error.code not in (401, 403, 404, 429, 500, 503) or time.monotonic() > end:
                    raise
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if time.monotonic() > end:
                    raise
            time.sleep(0.1)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise RefusedError(response.status, answer.decode(errors="replace"))
        return json.loads(answer)
