"""What both fast paths share: a bound on what they remember, and the signal that a document is left to the codec."""

from __future__ import annotations

from typing import Any, TypeVar

Value = TypeVar("Value")

ENTRIES = 50_000
"""How many lines and places in documents are remembered, in each direction, before all are forgotten."""

MOST_DIFFERENT = 256
"""How many lines that differ in their values alone are remembered in one place: names, UUIDs and MACs never come back,
and would only push out what does."""

LONGEST_LINE = 200
"""Longer lines are not remembered, in characters."""

PIECES = 1000
"""How many whole elements are remembered in one place, besides as many that were remembered before these."""

MET = 10_000
"""How many texts are known to have been met."""

LONGEST_PIECE = 2000
"""Longer ones are not, in characters."""

DEEPEST = 100
"""Elements nest no deeper on a fast path; libxml2 itself stops at 256."""

LARGEST = 4 << 20
"""Longer documents, in bytes, are left to libxml2, which has limits on texts and names that no shorter one meets."""


class NotAccepted(Exception):  # noqa: N818  (a signal between modules, never an error that anyone sees)
    """The document is left to the codec."""


class Memory:
    """The places in documents in which lines are remembered, by what tells them apart."""

    def __init__(self) -> None:
        self._entries = 0
        self.places: dict[Any, Any] = {}

    def count(self) -> None:
        """Make room for one entry more."""
        self._entries += 1
        if self._entries > ENTRIES:
            self.clear()

    def clear(self) -> None:
        """Forget everything; a place that is in use finds what it needs again."""
        self._entries = 0
        self.places.clear()


class Met:
    """The texts that were met before, by their hashes; never many."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def again(self, text: str) -> bool:
        """Say whether *text* was met before; from now on it was."""
        known = hash(text)
        if known in self._hashes:
            return True
        if len(self._hashes) >= MET:
            self._hashes.clear()
        self._hashes.add(known)
        return False


class Recent(dict[str, Value]):
    """What was met again of late, by its text: what comes once alone is not kept, and it is never much.

    There are two generations: a full one becomes the older one, and what is found in that is taken over.
    """

    __slots__ = ("_met", "_older")

    def __init__(self) -> None:
        self._older: dict[str, Value] = {}
        self._met = Met()

    def read(self, key: str) -> Value:
        """Return what *key* is."""
        raise NotImplementedError

    def __missing__(self, key: str) -> Value:
        value = self._older.get(key)
        if value is None:
            value = self.read(key)
            if not self._met.again(key):
                return value
        if len(key) <= LONGEST_PIECE:
            if len(self) >= PIECES:
                self._older = dict(self)
                self.clear()
            self[key] = value
        return value

    def forget(self, key: str) -> None:
        """Forget what *key* is."""
        self.pop(key, None)
        self._older.pop(key, None)
