"""What the campaign asks of the API server, directly and until it has an answer: each may be sent twice."""

from __future__ import annotations

import http.client
import time
import urllib.error
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.admission.api import Caller, RefusedError, manifest, path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.harness.controlplane import ControlPlane

PATIENCE = 60.0
_PODS = "/api/v1/namespaces/default/pods"

__all__ = ["Api", "manifest"]


@dataclass(frozen=True)
class Api:
    """The API server of *control_plane*, which may be away for a while. All is in the namespace default."""

    control_plane: ControlPlane

    def create(self, plural: str, body: Mapping[str, Any]) -> None:
        """Create it, unless it is there."""
        self._ask(lambda caller: caller.create(path(plural, "default"), body), there=True)

    def merge(self, plural: str, name: str, body: Mapping[str, Any]) -> None:
        """Merge *body* into it."""
        self._ask(lambda caller: caller.merge(path(plural, "default", name), body))

    def find(self, plural: str, name: str) -> dict[str, Any]:
        """Return it, and an empty one where there is none."""
        found: dict[str, Any] | None = self._ask(lambda caller: caller.get(path(plural, "default", name)), gone=True)
        return found or {}

    def list(self, plural: str, labels: str = "") -> list[dict[str, Any]]:
        """Return all, or those with the *labels*."""
        where = _PODS if plural == "pods" else path(plural, "default")
        suffix = f"?labelSelector={labels}" if labels else ""
        found: list[dict[str, Any]] = self._ask(lambda caller: caller.get(where + suffix))["items"]
        return found

    def delete(self, plural: str, name: str, uid: str) -> None:
        """Delete it, and none that has come after it."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        where = path(plural, "default", name)
        self._end(where, uid, lambda caller: caller.send("DELETE", where, body))

    def evict(self, pod: Mapping[str, Any]) -> None:
        """Evict the Pod, and none that has come after it."""
        metadata = {"name": pod["metadata"]["name"], "namespace": "default"}
        uid = str(pod["metadata"]["uid"])
        options = {"preconditions": {"uid": uid}}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options}
        where = f"{_PODS}/{metadata['name']}"
        self._end(where, uid, lambda caller: caller.send("POST", f"{where}/eviction", body))

    def node(self, name: str, *, cordoned: bool) -> None:
        """Let the node take no more Pods, or take them again."""
        self._ask(lambda caller: caller.merge(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": cordoned}}))

    def _end(self, where: str, uid: str, ask: Callable[[Caller], Any]) -> None:
        """Ask until what is at *where* is gone, another one, or on its way out: it may be written to meanwhile."""
        while True:
            self._ask(ask, gone=True, there=True)
            metadata = (self._ask(lambda caller: caller.get(where), gone=True) or {}).get("metadata") or {}
            if metadata.get("uid") != uid or "deletionTimestamp" in metadata:
                return

    def _ask(self, ask: Callable[[Caller], Any], *, gone: bool = False, there: bool = False) -> Any:
        caller = Caller(self.control_plane, self.control_plane.token)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return ask(caller)
            except RefusedError as error:
                if (error.code == 404 and gone) or (error.code == 409 and there):
                    return None
                # A server that has just come up knows neither tokens nor kinds for a moment.
                if error.code not in (401, 403, 404, 429, 500, 503) or time.monotonic() > end:
                    raise
            except (OSError, urllib.error.URLError, http.client.HTTPException):
                if time.monotonic() > end:
                    raise
            time.sleep(0.1)
