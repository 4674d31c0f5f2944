"""An object as the API server sent it, with the little of it decoded that a cache and its readers ask for all the time.

Ten thousand objects as nested dicts are half a gigabyte that Python's garbage collector walks again and again; as bytes
they are a tenth of that, and it does not look at them at all.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")


class Key(msgspec.Struct, frozen=True, order=True, gc=False, cache_hash=True):
    """What names an object among those of its kind; ``namespace`` is "" for what is in none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Owner(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One of ``metadata.ownerReferences``."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    owner_references: tuple[Owner, ...] = ()
    deletion_timestamp: str | None = None
    finalizers: tuple[str, ...] = ()


class _Wire(msgspec.Struct):
    metadata: _Metadata


_HEADER = msgspec.json.Decoder(_Wire)
_NO_LABELS: dict[str, str] = {}


class Object(msgspec.Struct, frozen=True, gc=False, eq=False):
    """``raw`` is the object's JSON; the rest is its metadata. Treat ``labels`` as read-only."""

    raw: bytes
    key: Key
    uid: str
    resource_version: str
    generation: int
    labels: dict[str, str]
    owners: tuple[Owner, ...]
    finalizers: tuple[str, ...]
    deletion_timestamp: str | None

    @property
    def deleting(self) -> bool:
        """Return whether deletion was asked for, and only finalizers hold it."""
        return self.deletion_timestamp is not None

    def controller(self) -> Owner | None:
        """Return the owner that manages this object, if one does."""
        return next((owner for owner in self.owners if owner.controller), None)

    @overload
    def decode(self) -> dict[str, Any]: ...
    @overload
    def decode(self, into: type[T]) -> T: ...
    def decode(self, into: type[Any] = dict) -> Any:
        """Return the whole object, as a new dict or as the msgspec type *into*.

        Raises `msgspec.ValidationError` where it does not fit. Nothing is remembered: decode once, and what you need.
        """
        return msgspec.json.decode(self.raw, type=into)


def decode(raw: bytes | bytearray | memoryview | msgspec.Raw) -> Object:
    """Return the object in the JSON text *raw*. Raises `msgspec.MsgspecError` where it is none."""
    metadata = _HEADER.decode(raw).metadata
    return Object(
        # A copy of its own, since a slice would keep the whole page or chunk alive.
        raw=bytes(raw),
        key=Key(metadata.namespace, metadata.name),
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        labels=metadata.labels or _NO_LABELS,
        owners=metadata.owner_references,
        finalizers=metadata.finalizers,
        deletion_timestamp=metadata.deletion_timestamp,
    )
