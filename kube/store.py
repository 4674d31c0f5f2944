"""The objects of one selection as they were last seen, with indexes, and what changed told to whoever asked.

All of it happens on the event loop's thread and without awaiting, so a reader never sees half of a change.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kube.object import Key, Object

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    Index = Callable[[Object], Iterable[str]]
    """Under which words an object is to be found."""


class Delta(msgspec.Struct, frozen=True):
    """An object that appeared (``old`` is None), changed, or went (``new`` is None).

    ``initial`` says that a list told of it, not a watch. One that was deleted and made again under the same name
    between two looks is told as gone, then as new.
    """

    old: Object | None
    new: Object | None
    initial: bool = False

    @property
    def object(self) -> Object:
        """Return the newest that is known of it."""
        found = self.new or self.old
        if found is None:
            raise ValueError("a change of nothing")
        return found


class Store:
    """Holds objects by key. *indexes* are named functions that say under which words an object is to be found."""

    def __init__(self, indexes: Mapping[str, Index] | None = None) -> None:
        self._objects: dict[Key, Object] = {}
        self._indexes: dict[str, Index] = {}
        self._found: dict[str, dict[str, set[Key]]] = {}
        self._listeners: list[Callable[[Delta], None]] = []
        for name, index in (indexes or {}).items():
            self.add_index(name, index)

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Object]:
        """Iterate over the objects as they are now; changes made meanwhile are not seen."""
        return iter(list(self._objects.values()))

    def __contains__(self, key: Key) -> bool:
        return key in self._objects

    def get(self, key: Key) -> Object | None:
        """Return the object, None if there is none."""
        return self._objects.get(key)

    def by(self, index: str, word: str) -> list[Object]:
        """Return the objects that *index* files under *word*, ordered by key. Raises KeyError without such an index."""
        return [self._objects[key] for key in sorted(self._found[index].get(word, ()))]

    def words(self, index: str) -> list[str]:
        """Return the words that *index* has objects under."""
        return sorted(self._found[index])

    def add_index(self, name: str, index: Index) -> None:
        """Add an index, also over what is there already."""
        self._indexes[name] = index
        self._found[name] = {}
        for found in self._objects.values():
            self._file(name, index, found)

    def subscribe(self, listener: Callable[[Delta], None]) -> None:
        """Call *listener* at each change from now on, after it happened; what is there already is told at once."""
        self._listeners.append(listener)
        for found in list(self._objects.values()):
            self._call(listener, Delta(None, found, initial=True))

    def unsubscribe(self, listener: Callable[[Delta], None]) -> None:
        """Call *listener* no more."""
        self._listeners.remove(listener)

    def put(self, new: Object, *, initial: bool = False) -> None:
        """Take in *new*, unless it is what is there already."""
        old = self._objects.get(new.key)
        if old is not None and old.uid == new.uid and old.resource_version == new.resource_version:
            return
        if old is not None:
            self._unfile(old)
        self._objects[new.key] = new
        for name, index in self._indexes.items():
            self._file(name, index, new)
        if old is not None and old.uid != new.uid:
            self._tell(Delta(old, None, initial))
            old = None
        self._tell(Delta(old, new, initial))

    def remove(self, last: Object, *, initial: bool = False) -> None:
        """Forget the object; *last* is how it was in the end. A newer one of the same name is not forgotten."""
        old = self._objects.get(last.key)
        if old is None or old.uid != last.uid:
            return
        self._unfile(old)
        del self._objects[last.key]
        self._tell(Delta(last, None, initial))

    def replace(self, objects: Mapping[Key, Object]) -> None:
        """Make *objects* all there is: what is not among them was deleted while nobody looked."""
        for old in [found for key, found in self._objects.items() if key not in objects]:
            self.remove(old, initial=True)
        for new in objects.values():
            self.put(new, initial=True)

    def _tell(self, delta: Delta) -> None:
        for listener in self._listeners:
            self._call(listener, delta)

    @staticmethod
    def _call(listener: Callable[[Delta], None], delta: Delta) -> None:
        try:
            listener(delta)
        except Exception:
            # One listener's mistake must not keep the cache from following the server.
            logger.exception("%s: a listener failed", delta.object.key)

    def _file(self, name: str, index: Index, new: Object) -> None:
        try:
            words = set(index(new))
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
            logger.warning("%s: not in the index %s: %s", new.key, name, error)
            return
        for word in words:
            self._found[name].setdefault(word, set()).add(new.key)

    def _unfile(self, old: Object) -> None:
        for name, index in self._indexes.items():
            found = self._found[name]
            try:
                words = set(index(old))
            except (msgspec.MsgspecError, LookupError, TypeError, ValueError):
                continue
            for word in words:
                keys = found.get(word)
                if keys is not None:
                    keys.discard(old.key)
                    if not keys:
                        del found[word]


def by_owner(found: Object) -> Iterable[str]:
    """Index objects by the uids of their owners."""
    return [owner.uid for owner in found.owners]


def by_namespace(found: Object) -> Iterable[str]:
    """Index objects by their namespace."""
    return [found.key.namespace]
