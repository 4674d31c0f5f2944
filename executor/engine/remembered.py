"""What passes found out about guests that are as they should be, for processes to come: one file in the state folder.

A cache: whoever deletes it, or cannot write it, has every guest planned for once more, and nothing else. Written by
rename, bounded, and of use only to the very code that wrote it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary

import msgspec

import analyser
import executor
import schemas
from executor.engine import state
from executor.engine.nodename import node_name
from executor.engine.objects import Ref
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

NAME: Final = "unchanged.json"
"""The file, beside what the state folder keeps for good."""

LIMIT: Final = 20_000
"""How many guests are remembered; the others are planned for."""


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """A guest of which a plan found nothing to do; what it depends on, as digests."""

    namespace: str
    name: str
    wanted: bytes
    """Of the object and of what it refers to."""
    uuid: str
    """The domain's."""
    seen: bytes
    """Of the domain's documents."""
    state: str
    reason: str
    notes: tuple[str, ...] = ()
    held: str = ""
    drift: tuple[str, ...] = ()
    daemon: bool = False


class _File(msgspec.Struct):
    by: str
    """Which code wrote it, on which node."""
    guests: list[Remembered]


class Guests:
    """What is known of the guests behind one connection: found by this process, or remembered by one before."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._by = f"{code()} {node_name(hypervisor)}"
        self._path = state.folder(hypervisor) / NAME
        self.entries = self._read()
        self._domains: dict[str, Domain] = {}
        self._quick: dict[Ref, object] = {}
        """What tells the documents from others in this process alone, at less cost."""
        self._new: dict[Ref, Remembered] = {}
        self._lock = threading.Lock()

    def note(self, entry: Remembered, domain: Domain, quick: object) -> None:
        """Know *entry*, which is about *domain*; *quick* is what tells its documents from others in this process."""
        with self._lock:
            self._domains[entry.uuid] = domain
            self._quick[_ref(entry)] = quick
            self.entries[_ref(entry)] = self._new[_ref(entry)] = entry

    def forget(self, ref: Ref) -> None:
        """Know nothing of *ref*."""
        with self._lock:
            self.entries.pop(ref, None)
            self._new.pop(ref, None)
            self._quick.pop(ref, None)

    def quick(self, entry: Remembered) -> bool:
        """Say whether this process has seen the documents of *entry*, and needs no digest of them."""
        return _ref(entry) in self._quick

    def same(self, entry: Remembered, quick: object, digest: bytes) -> bool:
        """Say whether documents are those of *entry*: by *quick* where this process has seen them, else by *digest*."""
        known = self._quick.get(_ref(entry))
        if known is not None:
            return quick == known
        if digest != entry.seen:
            return False
        self._quick[_ref(entry)] = quick
        return True

    def save(self) -> None:
        """Write what this process found out, beside what others did meanwhile. For the end of a pass."""
        with self._lock:
            new, self._new = self._new, {}
        if not new:
            return
        merged = self._read()
        for ref, each in new.items():
            # The last ones are those that stay.
            merged.pop(ref, None)
            merged[ref] = each
        write(self._path, _File(self._by, list(merged.values())[-LIMIT:]))

    def _read(self) -> dict[Ref, Remembered]:
        found = decoded(self._path, _File)
        return {_ref(each): each for each in found.guests} if found is not None and found.by == self._by else {}

    def domain(self, hypervisor: Hypervisor, uuid: str) -> Domain:
        """Return the domain with that UUID. Raises LibvirtError."""
        found = self._domains.get(uuid)
        if found is None:
            found = self._domains[uuid] = hypervisor.domains.by_uuid(uuid)
        return found


_KNOWN: Final[WeakKeyDictionary[Hypervisor, Guests]] = WeakKeyDictionary()
_LOADING: Final = threading.Lock()


def of(hypervisor: Hypervisor) -> Guests:
    """Return what is known of the guests behind this connection."""
    with _LOADING:
        found = _KNOWN.get(hypervisor)
        if found is None:
            found = _KNOWN[hypervisor] = Guests(hypervisor)
    return found


def forget(hypervisor: Hypervisor) -> None:
    """Know no more than what is written, as a new process does."""
    with _LOADING:
        _KNOWN.pop(hypervisor, None)


def _ref(entry: Remembered) -> Ref:
    return Ref("VirtualMachine", entry.namespace, entry.name)


FileT = TypeVar("FileT")


def decoded(path: Path, kind: type[FileT]) -> FileT | None:
    """Return what the cache *path* says; None where it is not there, or says anything else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError, RecursionError):
        return None


def write(path: Path, content: Any) -> None:
    """Write the cache *path*; where that cannot be done, there is none."""
    from analyser import files  # noqa: PLC0415  (what lists guests writes nothing)

    with contextlib.suppress(KubevmmError):
        files.write(path, msgspec.json.encode(content), mode=0o600)


@cache
def code() -> str:
    """Return what tells this code from any other: a version is the same while somebody works on it."""
    digest = hashlib.sha256()
    for package in (schemas, analyser, executor):
        for folder in package.__path__:
            for each in sorted(_files(folder)):
                digest.update(f"{each}\0".encode())
    return digest.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry.path)
        else:
            found = entry.stat()
            yield entry.path, found.st_size, found.st_mtime_ns
