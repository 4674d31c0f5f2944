"""Waiting longer after each failure, and never in step with others who failed at the same moment."""

from __future__ import annotations

import random
from typing import Final

DEFAULT_RANDOM: Final = random.Random()  # noqa: S311  (spreads load, guards nothing)


class Backoff:
    """Delays that start at *first* seconds and double up to *limit*; each is drawn from its upper half.

    *source* is where chance comes from; a test gives a seeded one.
    """

    def __init__(self, first: float = 0.5, limit: float = 30.0, *, source: random.Random = DEFAULT_RANDOM) -> None:
        self.first = first
        self.limit = limit
        self._source = source
        self._failures = 0

    def next(self) -> float:
        """Count a failure and return how many seconds to wait before the next attempt."""
        # 2**64 seconds are no delay that anybody asks for, and a larger exponent would overflow.
        whole = min(self.limit, self.first * 2.0 ** min(self._failures, 64))
        self._failures += 1
        return whole * self._source.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Forget the failures: something worked."""
        self._failures = 0
