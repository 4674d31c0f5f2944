"""Lines out of chunks of bytes, of whatever length: an object's line may be larger than any buffer's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator


async def lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of *chunks* without their ends, and no empty ones; an unfinished last line is dropped."""
    pending: list[bytes] = []
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            if pending:
                pending.append(line)
                line = b"".join(pending)  # noqa: PLW2901  (the line's beginning came in chunks before)
                pending.clear()
            if line:
                yield line
        if rest:
            pending.append(rest)
