"""Where a generator's choices come from: the bytes of a fuzzer, or the draws of Hypothesis.

Both shrink and mutate well because 0 is always the simplest choice, and because the same bytes give the same document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Choices(Protocol):
    """A source of small numbers."""

    def below(self, limit: int) -> int:
        """Return a number from 0 to *limit* - 1; *limit* is at most 65,536."""


class Bytes:
    """Choices read from bytes; when these are used up, every choice is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, limit: int) -> int:
        if limit <= 1:
            return 0
        width = 1 if limit <= 1 << 8 else 2
        taken = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(taken, "big") % limit


def pick(choices: Choices, options: Sequence[T]) -> T:
    """Return one of *options*; the first is the simplest."""
    return options[choices.below(len(options))]


def rarely(choices: Choices, one_in: int) -> bool:
    """Say yes once in *one_in* times, and no where nothing is left to choose."""
    return choices.below(one_in) == one_in - 1
