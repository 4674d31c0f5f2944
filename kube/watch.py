"""The events of a watch, decoded no further than to know what they are about."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from kube.errors import ApiError, from_status
from kube.object import Object, decode

# The bookmark that ends a streamed list: KEP-3157.
INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


class Event(msgspec.Struct, frozen=True):
    """ADDED, MODIFIED or DELETED with its ``object``, as it is now or was in the end."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object


class Bookmark(msgspec.Struct, frozen=True):
    """All up to ``resource_version`` has been sent; ``ends_list`` if that was the whole list that was asked for."""

    resource_version: str
    ends_list: bool


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str
    annotations: dict[str, str] | None = None


class _Marked(msgspec.Struct):
    metadata: _Metadata


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


_LINE = msgspec.json.Decoder(_Line)
_MARKED = msgspec.json.Decoder(_Marked)


def decode_event(line: bytes) -> Event | Bookmark:
    """Return what *line* of a watch says.

    Raises `ApiError` if it is the server's word that the watch failed, `msgspec.MsgspecError` if it is no event.
    """
    event = _LINE.decode(line)
    match event.type:
        case "ADDED" | "MODIFIED" | "DELETED" as kind:
            return Event(kind, decode(event.object))
        case "BOOKMARK":
            metadata = _MARKED.decode(event.object).metadata
            ends = (metadata.annotations or {}).get(INITIAL_EVENTS_END) == "true"
            return Bookmark(metadata.resource_version, ends)
        case "ERROR":
            raise from_status(bytes(event.object))
        case other:
            raise ApiError(f"the watch sent an event of the type {other!r}")
