"""Many at once what is mostly waiting, as for guests that shut down; the results in the order of the input."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

AT_ONCE: Final = 16
"""How many are worked on at the same time. libvirt itself works on 20 calls of a client at once."""


def together(items: Sequence[ItemT], act: Callable[[ItemT], ResultT], *, at_once: int = AT_ONCE) -> Iterator[ResultT]:
    """Yield what *act* returns for each of *items*, in their order; raises what it raises, when it is that one's turn.

    Whoever leaves off, by Ctrl-C too, waits for none of them, and no more are begun.
    """
    if min(at_once, len(items)) < 2:  # noqa: PLR2004  (nothing to do at once)
        yield from map(act, items)
        return
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(items)):
        left.put(number)
    done = [threading.Event() for _ in items]
    results: list[tuple[ResultT | None, BaseException | None]] = [(None, None)] * len(items)
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            try:
                number = left.get_nowait()
            except queue.Empty:
                return
            try:
                results[number] = act(items[number]), None
            except BaseException as error:  # noqa: BLE001  (it is raised where its result is waited for)
                results[number] = None, error
            done[number].set()

    for _ in range(min(at_once, len(items))):
        # Daemons: the end of the process must not wait for a guest that does not shut down.
        threading.Thread(target=work, name="together", daemon=True).start()
    try:
        for number, each in enumerate(done):
            each.wait()
            result, error = results[number]
            if error is not None:
                raise error
            yield result  # type: ignore[misc]  # there is one, or an error
    finally:
        ended.set()
