"""Flow control on the client's side: a bucket of tokens, so that one busy loop cannot drown the API server."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TokenBucket:
    """*rate* tokens flow in each second, up to *burst*; who takes one that is not there yet waits in line for it."""

    def __init__(self, rate: float, burst: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def reserve(self) -> float:
        """Take a token and return in how many seconds it may be used."""
        self._flow()
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def try_take(self) -> bool:
        """Take a token if one is there now."""
        self._flow()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def take(self) -> float:
        """Take a token, wait until it may be used, and return how many seconds that took."""
        wait = self.reserve()
        if wait > 0:
            await asyncio.sleep(wait)
        return wait

    def _flow(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
