"""Server-side apply that asks nothing of the server when nothing would change: writes are what limits scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kube import metrics
from kube.managed import unchanged
from kube.object import Key, Object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.client import Client
    from kube.resource import Resource


class Applied(msgspec.Struct, frozen=True):
    """The object as it is now, and whether the apply changed it."""

    object: Object
    changed: bool


async def apply(
    client: Client,
    resource: Resource,
    desired: Mapping[str, Any],
    *,
    manager: str,
    current: Object | None = None,
    force: bool = True,
    subresource: str | None = None,
) -> Applied:
    """Make *desired*, which names all that *manager* has an opinion on, so; without *current* always ask the server.

    *current* may be a cache's: if that lags behind, what is missed now is seen when the cache catches up. Fields that
    *manager* applied before and *desired* no longer names are removed. *force* takes fields from other managers.
    apiVersion and kind are filled in. Raises an `ApiError`: `Conflict` if *force* is false and a field is another's.
    """
    wanted = {"apiVersion": resource.api_version, "kind": resource.kind, **desired}
    metadata = wanted["metadata"]
    if current is not None and unchanged(wanted, current.decode(), manager, subresource):
        metrics.APPLIES.labels("skipped").inc()
        return Applied(current, changed=False)
    metrics.APPLIES.labels("sent").inc()
    key = Key(metadata.get("namespace", ""), metadata["name"])
    params = {"fieldManager": manager, "force": "true" if force else "false"}
    after = await client.patch(resource, key, wanted, kind="apply", subresource=subresource, params=params)
    return Applied(after, changed=current is None or after.resource_version != current.resource_version)


async def apply_status(
    client: Client,
    resource: Resource,
    current: Object,
    status: Mapping[str, Any],
    *,
    manager: str,
    exactly: bool = False,
) -> Applied:
    """Make *status* all that *manager* says in the status of *current*.

    With *exactly* it is written only if the object has not changed since *current*: where a status decides what is done
    next. Without, a late one may even land on a successor of the same name (the server ignores the uid here), which the
    next reconcile then mends. Raises an `ApiError`: `NotFound` if the object is gone, `Conflict` if it has changed.
    """
    metadata = {"name": current.key.name}
    if current.key.namespace:
        metadata["namespace"] = current.key.namespace
    if exactly:
        metadata["resourceVersion"] = current.resource_version
    desired = {"metadata": metadata, "status": status}
    return await apply(client, resource, desired, manager=manager, current=current, subresource="status")
