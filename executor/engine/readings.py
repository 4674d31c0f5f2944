"""What files said when they were read last, by their bytes: what is not to be changed needs not be read again.

A cache in the state folder, as `remembered` is. Of an object it has the name, a digest, and what it refers to; the
object itself is read when somebody asks for it. Files with Secrets are always read: nothing of those is kept.
"""

from __future__ import annotations

import hashlib
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from executor.engine import claims, remembered, state
from executor.engine.objects import Ref
from executor.engine.source import Declarations, Declared, unchecked

if TYPE_CHECKING:
    from collections.abc import Callable

NAME: Final = "readings.json"

LIMIT: Final = 20_000
"""How many files are kept."""

INPUTS: Final = 16
"""How many inputs without a conflict are kept."""


class _Object(msgspec.Struct, frozen=True, array_like=True):
    kind: str
    namespace: str
    name: str
    digest: bytes
    reach: tuple[tuple[str, str, str], ...]
    seeded: bool


class _Said(msgspec.Struct, frozen=True, array_like=True):
    objects: tuple[_Object, ...]
    skipped: int


class _Kept(msgspec.Struct):
    code: str
    files: dict[str, _Said] = {}
    free: list[bytes] = []
    """Digests of inputs in which no two objects claim the same."""


class Unread(Declared):
    """An object of which its name and whether it is as it was are known; what it says is read when asked for."""

    def __init__(self, known: _Object, file: str, read: Callable[[], dict[str, Any]]) -> None:
        self.__dict__.update(
            {
                "ref": Ref(known.kind, known.namespace, known.name),
                "file": file,
                "digest": known.digest,
                "reach": known.reach,
                "seeded": known.seeded,
                "_read": read,
            }
        )

    @cached_property
    def object(self) -> dict[str, Any]:
        """The object."""
        read: Callable[[], dict[str, Any]] = self.__dict__["_read"]
        return read()


class Readings:
    """What files said, loaded from the state folder."""

    def __init__(self) -> None:
        self._path = state.base() / NAME
        found = remembered.decoded(self._path, _Kept)
        self._kept = found if found is not None and found.code == remembered.code() else _Kept(remembered.code())
        self._new = False

    def known(self, data: bytes, file: str, namespace: str | None) -> Declarations | None:
        """Return what *data*, the bytes of *file*, says; None where that is not known.

        *namespace* is what objects without one are given.
        """
        said = self._kept.files.get(_digest(data, namespace))
        if said is None:
            return None

        @cache
        def content() -> list[Declared]:
            return unchecked(data, file, namespace).objects

        objects = [
            Unread(each, file, lambda number=number: content()[number].object)  # type: ignore[misc]
            for number, each in enumerate(said.objects)
        ]
        return Declarations([*objects], skipped=said.skipped)

    def note(self, data: bytes, namespace: str | None, content: Declarations) -> None:
        """Keep that *data* was found without a fault, and says *content*."""
        if content.secrets:
            return
        objects = tuple(
            _Object(each.ref.kind, each.ref.namespace, each.ref.name, each.digest, each.reach, each.seeded)
            for each in content.objects
        )
        self._kept.files[_digest(data, namespace)] = _Said(objects, content.skipped)
        self._new = True

    def check(self, declared: Declarations) -> None:
        """Raise KubevmmError where two objects claim the same, as `claims.check`; what was found good before, is."""
        digest = hashlib.sha256(b"".join(sorted(each.digest for each in declared.objects))).digest()
        if digest in self._kept.free:
            declared.known().free_of_conflicts = True
            return
        claims.check(declared)
        self._kept.free = [*self._kept.free, digest][-INPUTS:]
        self._new = True

    def save(self) -> None:
        """Keep it for processes to come."""
        if self._new:
            self._kept.files = dict(list(self._kept.files.items())[-LIMIT:])
            remembered.write(self._path, self._kept)
            self._new = False


def _digest(data: bytes, namespace: str | None) -> str:
    # No namespace has a NUL in it.
    return hashlib.sha256(f"{namespace or ''}\0".encode() + data).hexdigest()
