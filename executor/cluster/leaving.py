"""Whether a whole kind is being taken away from the cluster: then its objects go, and nobody asked for their guests."""

from __future__ import annotations

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


def kind_leaves(link: Link, kind: str) -> bool:
    """Say whether the definition of *kind* is being deleted, or is gone.

    The API server deletes it before the first of its objects. Raises KubevmmError where it does not say: whoever asks
    is about to delete a guest.
    """
    resource = RESOURCES[kind]
    try:
        return link.call(link.client.get(_DEFINITIONS, Key("", f"{resource.plural}.{resource.group}"))).deleting
    except NotFound:
        return True
    except ApiError as error:
        raise KubevmmError(f"whether {resource.plural} are to stay cannot be read: {error}") from None
