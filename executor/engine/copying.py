"""How far libvirt's copy of a volume is: it copies in one call, and tells what the new volume takes meanwhile."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.engine.landing import Progress
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume

EVERY: Final = 0.5
"""Seconds between two looks."""


@contextlib.contextmanager
def told(pool: Pool, name: str, source: Volume | None, progress: Progress | None) -> Iterator[None]:
    """Tell *progress*, until the block ends, how much of *source* (None: nothing) the volume *name* of *pool* has."""
    if source is None or progress is None:
        yield
        return
    whole = source.info().allocation
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(EVERY):
            # Not there yet, or the connection is lost: whoever copies will hear of it.
            with contextlib.suppress(KubevmmError):
                done = pool.volume(name).info().allocation
                if not ended.is_set():
                    progress("copying", min(done, whole), whole)

    thread = threading.Thread(target=look, name="copying", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(EVERY)
