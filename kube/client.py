"""The verbs of the API, on raw objects: what a reconciler calls when the cache is not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from kube.object import Key, Object, decode
from kube.pages import EVERYTHING, Selection, pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.resource import Resource
    from kube.session import Session

PATCHES = {
    "apply": "application/apply-patch+yaml",
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
}
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PropagationPolicy = Literal["Background", "Foreground", "Orphan"]


class Client:
    """Reads and writes objects through *session*; *urgent* ones do not wait for its flow control.

    All methods raise an `ApiError`.
    """

    def __init__(self, session: Session, *, urgent: bool = False) -> None:
        self.session = session
        self._urgent = urgent

    async def get(self, resource: Resource, key: Key) -> Object:
        """Return the object as the API server has it now."""
        return decode(await self.session.request("GET", resource.path(key.namespace, key.name), urgent=self._urgent))

    async def metadata(self, resource: Resource, key: Key) -> Object:
        """Return the object's metadata alone, which of some kinds is a thousandth of it."""
        path = resource.path(key.namespace, key.name)
        return decode(await self.session.request("GET", path, accept=METADATA, urgent=self._urgent))

    async def list(self, resource: Resource, selection: Selection = EVERYTHING) -> list[Object]:
        """Return the objects that *selection* means, as the API server has them now."""
        return [item async for page in pages(self.session, resource, selection) for item in page.items]

    async def create(self, resource: Resource, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Create *body* in the namespace that it names, and return what the server made of it.

        With *dry_run* the server only says whether it would.
        """
        path = resource.path(body["metadata"].get("namespace"))
        params = {"dryRun": "All"} if dry_run else None
        return decode(await self.session.request("POST", path, params=params, body=body, urgent=self._urgent))

    async def replace(self, resource: Resource, body: Mapping[str, Any], *, subresource: str | None = None) -> Object:
        """Put *body* in the place of what is there; `Conflict` if its resourceVersion is not the newest."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"], subresource)
        return decode(await self.session.request("PUT", path, body=body, urgent=self._urgent))

    async def patch(
        self,
        resource: Resource,
        key: Key,
        body: object,
        *,
        kind: Literal["apply", "json", "merge"] = "merge",
        subresource: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Object:
        """Change the object as *body* says, and return it as it then is."""
        path = resource.path(key.namespace, key.name, subresource)
        answer = await self.session.request(
            "PATCH", path, params=params, body=body, content_type=PATCHES[kind], urgent=self._urgent
        )
        return decode(answer)

    async def delete(
        self,
        resource: Resource,
        key: Key,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: PropagationPolicy | None = None,
        grace: int | None = None,
    ) -> None:
        """Ask for the object's deletion, *grace* seconds from now where it is a Pod; `NotFound` if it is gone already.

        *uid* and *resource_version* are preconditions: `Conflict` if the object is another one by now.
        """
        conditions = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {name: value for name, value in conditions.items() if value is not None}
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if preconditions:
            body["preconditions"] = preconditions
        if propagation is not None:
            body["propagationPolicy"] = propagation
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        path = resource.path(key.namespace, key.name)
        await self.session.request("DELETE", path, body=body, urgent=self._urgent)
