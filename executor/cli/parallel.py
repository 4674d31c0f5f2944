"""One function over many inputs, in worker processes where that pays, with the results in the order of the inputs."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

In = TypeVar("In")
Out = TypeVar("Out")

CHUNK = 64
"""Inputs that one worker takes at a time."""


def each(function: Callable[[In], Out], inputs: Sequence[In], jobs: int) -> Iterator[Out]:
    """Yield what *function* returns for each of *inputs*, in *jobs* processes (0: one for each core).

    *function* and what it takes and returns must pass from one process to another.
    """
    processes = min(jobs or os.cpu_count() or 1, len(inputs) // CHUNK + 1)
    if processes == 1:
        yield from map(function, inputs)
        return
    with ProcessPoolExecutor(processes, initializer=leave_interrupts) as pool:
        try:
            # The processes begin here; until they leave interrupts alone, one would end them with a traceback.
            held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                results = pool.map(function, inputs, chunksize=CHUNK)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, held)
            yield from results
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def leave_interrupts() -> None:
    """Let the parent process alone hear Ctrl-C: it says so once, and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
