"""What changes on the node, told by libvirt's events: when to look again, and what is then new, other or gone."""

from __future__ import annotations

import enum
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from executor.engine.listing import listing
from executor.hypervisor.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from executor.engine.listing import Query
    from executor.hypervisor.hypervisor import Hypervisor

LOOK_AGAIN: Final = 5.0
"""Seconds after which it is looked again though no event came: leases, and the state folder, tell nobody."""

GATHER: Final = 0.05
"""Seconds between an event and the look: events come in handfuls."""


class What(enum.StrEnum):
    """What happened to an object, in the words of Kubernetes' watch."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True)
class Change:
    """One object that changed, as it is now, or as it was last where it is gone."""

    what: What
    object: dict[str, Any]


@contextmanager
def bell(hypervisor: Hypervisor, *, look_again: float = LOOK_AGAIN) -> Iterator[Callable[[float | None], None]]:
    """Give a function that waits until something may have changed, at most so many seconds (None: for ever).

    What happens between two calls is not missed. It also returns after *look_again* seconds without an event.
    """
    rung = threading.Event()

    def wait(timeout: float | None) -> None:
        if rung.wait(look_again if timeout is None else min(timeout, look_again)):
            time.sleep(GATHER)
            rung.clear()

    with hypervisor.events(lambda _: rung.set()):
        yield wait


def changes(
    hypervisor: Hypervisor,
    queries: Sequence[Query],
    *,
    deadline: float | None = None,
    look_again: float = LOOK_AGAIN,
    lost: Callable[[Unavailable], object] = lambda _: None,
) -> Iterator[list[Change]]:
    """Yield what is there as ADDED, at first and at once, and then what changes, until *deadline* (of time.monotonic).

    A look that finds nothing new yields nothing, but for the first. While the connection is lost (*lost* is told) it
    is tried again; raises whatever else `listing` raises, and Unavailable if it is lost before the first look.
    """
    known: dict[tuple[str, ...], dict[str, Any]] | None = None
    with bell(hypervisor, look_again=look_again) as wait:
        while True:
            try:
                found = {_key(obj): obj for query in queries for obj in listing(hypervisor, query).objects}
            except Unavailable as error:
                if known is None:
                    raise
                lost(error)
            else:
                made = _compared(known or {}, found)
                if made or known is None:
                    yield made
                known = found
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            wait(left)


def _key(obj: dict[str, Any]) -> tuple[str, ...]:
    metadata = obj["metadata"]
    return str(obj["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]), str(metadata.get("uid", ""))


def _compared(
    before: dict[tuple[str, ...], dict[str, Any]], after: dict[tuple[str, ...], dict[str, Any]]
) -> list[Change]:
    gone = [Change(What.DELETED, obj) for key, obj in before.items() if key not in after]
    come = [
        Change(What.MODIFIED if key in before else What.ADDED, obj)
        for key, obj in after.items()
        if before.get(key) != obj
    ]
    return gone + come
