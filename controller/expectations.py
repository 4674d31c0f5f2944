"""What was asked of the API server and is not yet in the cache, so that nothing is made or deleted twice.

As the replica set controller of Kubernetes has them. The names of what is made are chosen here, so that an answer
which was lost leaves no doubt about what to look for.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.object import Key
    from kube.store import Delta

LIFE: Final = 60.0
"""Seconds after which what did not come is no longer waited for: it was not made, or came and went unseen."""


class Expectations:
    """Of owners, by their uid. Tell `seen` each change of the cache. *clock* is in seconds and never set back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: dict[Key, tuple[str, float]] = {}
        self._deleted: dict[str, tuple[str, float]] = {}
        self._open: dict[str, int] = {}

    def make(self, owner: str, key: Key) -> None:
        """Expect *key*, which is about to be made for *owner*."""
        self._count(self._made.pop(key, None), -1)
        self._made[key] = entry = (owner, self._clock() + LIFE)
        self._count(entry, 1)

    def delete(self, owner: str, uid: str) -> None:
        """Expect that the object *uid*, of *owner*, is deleted or about to be."""
        self._count(self._deleted.pop(uid, None), -1)
        self._deleted[uid] = entry = (owner, self._clock() + LIFE)
        self._count(entry, 1)

    def unmade(self, key: Key) -> None:
        """Expect *key* no longer: the server refused it."""
        self._count(self._made.pop(key, None), -1)

    def undeleted(self, uid: str) -> None:
        """Expect the deletion of *uid* no longer."""
        self._count(self._deleted.pop(uid, None), -1)

    def seen(self, delta: Delta) -> None:
        """Take in a change of the cache."""
        found = delta.object
        self.unmade(found.key)
        if delta.new is None or delta.new.deleting:
            self.undeleted(found.uid)

    def forget(self, owner: str) -> None:
        """Expect nothing for *owner* any more."""
        self._drop(lambda each, _: each == owner)

    def left(self, owner: str) -> float:
        """Return for how many seconds *owner* has to wait at most, 0 where all that was asked for was seen."""
        if not self._open.get(owner):
            return 0.0
        now = self._clock()
        self._drop(lambda each, end: each == owner and end <= now)
        ends = [end for each, end in (*self._made.values(), *self._deleted.values()) if each == owner]
        return max(ends) - now if ends else 0.0

    def _drop(self, which: Callable[[str, float], bool]) -> None:
        for key in [key for key, entry in self._made.items() if which(*entry)]:
            self.unmade(key)
        for uid in [uid for uid, entry in self._deleted.items() if which(*entry)]:
            self.undeleted(uid)

    def _count(self, entry: tuple[str, float] | None, step: int) -> None:
        if entry is None:
            return
        count = self._open.get(entry[0], 0) + step
        if count > 0:
            self._open[entry[0]] = count
        else:
            self._open.pop(entry[0], None)
