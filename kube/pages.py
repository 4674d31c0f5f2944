"""A list, page by page, so that neither side ever holds all of it as one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from kube.object import Object, decode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.resource import Resource
    from kube.session import Session

PAGE: Final = 500


class Selection(msgspec.Struct, frozen=True):
    """Which objects of a kind are meant: those of a namespace (None: of all), by label and by field.

    The selectors are written as kubectl takes them.
    """

    namespace: str | None = None
    labels: str = ""
    fields: str = ""

    def params(self) -> dict[str, str]:
        """Return the query parameters that say so."""
        selectors = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return {name: value for name, value in selectors.items() if value}


EVERYTHING: Final = Selection()


class Page(msgspec.Struct):
    """Some of a list's objects, and the resource version of the whole list, which a watch may start at."""

    items: list[Object]
    resource_version: str


class _ListMetadata(msgspec.Struct, rename={"resource_version": "resourceVersion", "continue_": "continue"}):
    resource_version: str = ""
    continue_: str = ""


class _List(msgspec.Struct):
    metadata: _ListMetadata
    items: list[msgspec.Raw] | None = None


_LIST = msgspec.json.Decoder(_List)


async def pages(
    session: Session, resource: Resource, selection: Selection = EVERYTHING, *, size: int = PAGE
) -> AsyncIterator[Page]:
    """Yield the pages of a consistent list, the last one too where it is empty.

    Raises an `ApiError`: `Gone` when the list's snapshot is compacted away before its last page, for which there is no
    other way than to begin again.
    """
    params = {**selection.params(), "limit": str(size)}
    path = resource.path(selection.namespace)
    while True:
        answer = _LIST.decode(await session.request("GET", path, params=params))
        items = [decode(raw) for raw in answer.items or ()]
        yield Page(items, answer.metadata.resource_version)
        if not answer.metadata.continue_:
            return
        params["continue"] = answer.metadata.continue_
