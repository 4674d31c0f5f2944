"""Finalizers: a name on an object that holds its deletion until whoever put it there has cleaned up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.errors import NotFound

if TYPE_CHECKING:
    from kube.client import Client
    from kube.object import Object
    from kube.resource import Resource


async def add(client: Client, resource: Resource, found: Object, finalizer: str) -> Object:
    """Return *found* with *finalizer*; nothing is written if it has it, or is being deleted (then it cannot be added).

    Raises an `ApiError`: `Conflict` if *found* is not the newest.
    """
    if finalizer in found.finalizers or found.deleting:
        return found
    return await _write(client, resource, found, [*found.finalizers, finalizer])


async def remove(client: Client, resource: Resource, found: Object, finalizer: str) -> Object | None:
    """Return *found* without *finalizer*, None if it went with it; nothing is written if it has none.

    Raises an `ApiError`: `Conflict` if *found* is not the newest.
    """
    if finalizer not in found.finalizers:
        return found
    try:
        return await _write(client, resource, found, [name for name in found.finalizers if name != finalizer])
    except NotFound:
        return None


async def _write(client: Client, resource: Resource, found: Object, finalizers: list[str]) -> Object:
    # The version goes with it, since a list in a merge patch takes the place of all that others put into it meanwhile.
    metadata = {"resourceVersion": found.resource_version, "uid": found.uid, "finalizers": finalizers}
    return await client.patch(resource, found.key, {"metadata": metadata})
