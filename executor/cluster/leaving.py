"""Whether a whole kind is being taken away from the cluster: then its objects go, and nobody asked for their guests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from executor.cluster.resources import RESOURCES
from kube.errors import ApiError, NotFound
from kube.object import Key
from kube.resource import Resource
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.cluster.link import Link

_DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)


_REMEMBERED: Final = 5.0
"""Seconds for which it is known that a kind leaves: a definition that is being deleted does not come back."""

_leaving: dict[str, float] = {}


def kind_leaves(link: Link, kind: str) -> bool:
    """Say whether the definition of *kind* is being deleted, or is gone.

    The API server deletes it before the first of its objects. Raises KubevmmError where it does not say: whoever asks
    is about to delete a guest.
    """
    resource = RESOURCES[kind]
    if time.monotonic() < _leaving.get(kind, 0.0):
        return True
    try:
        key = Key("", f"{resource.plural}.{resource.group}")
        leaves = link.call(link.client.metadata(_DEFINITIONS, key)).deleting
    except NotFound:
        leaves = True
    except ApiError as error:
        raise KubevmmError(f"whether {resource.plural} are to stay cannot be read: {error}") from None
    if leaves:
        _leaving[kind] = time.monotonic() + _REMEMBERED
    return leaves
