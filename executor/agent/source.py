"""Where the agent's objects come from: the interface, which a folder of manifests and an API server both have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from executor.engine.objects import Ref
    from executor.engine.source import Declarations, Declared


@dataclass(frozen=True)
class Wanted:
    """What a source says of one object now.

    ``declared`` is the object as it was last well read; None where it is only remembered, as one that was brought about
    before. ``deleting`` says that somebody took it away: what was made for it is to go, as its deletionPolicy says.
    That is always something that was seen, never that something could not be seen. With ``orphan`` the guest stays, as
    nobody's, whatever its deletionPolicy. ``deliberate`` says that the object itself was deleted, not a file that may
    have gone for many a reason: then what has no deletionPolicy goes with its data. ``moves`` says that it goes on on
    another node, where it runs: one that is off, and is to stay so, stays here. ``refused`` is why nothing may be
    done about it (two say it differently), ``waits`` what it waits for, ``stale`` why its newest form could not be
    read; the last one counts on.
    """

    declared: Declared | None = field(default=None, repr=False)
    deleting: bool = False
    orphan: bool = False
    deliberate: bool = False
    moves: bool = False
    refused: str = ""
    waits: str = ""
    stale: str = ""


class Source(Protocol):
    """Objects that change. All functions may be called from any thread.

    The order of calls for one object: `claim` before anything is made for it (an API server's finalizer is set), then,
    once it is ``deleting`` and nothing of it is left, `release` (the finalizer goes). Both must be durable when they
    return, and do no harm twice, so that an end at any moment leaves nothing behind that nobody knows of.
    """

    def start(self, changed: Callable[[Iterable[Ref]], None]) -> None:
        """Read everything once, then call *changed* with objects that came, changed or go, from another thread.

        Returns when `refs` and `get` answer for the whole. Raises KubevmmError where there is nothing to read from.
        """

    def stop(self) -> None:
        """Call nobody any more, and give back what is open."""

    def reread(self) -> None:
        """Look at everything again, soon: somebody asked for it."""

    def refs(self) -> Iterable[Ref]:
        """Return all objects: those that are wanted, and those that are to be deleted."""

    def get(self, ref: Ref) -> Wanted | None:
        """Return what is wanted of *ref*; None where this source knows nothing of it, and nothing is to be done."""

    def knows(self, ref: Ref) -> bool:
        """Say whether `get` has something of *ref*: without asking anybody, since libvirt's events wait meanwhile."""

    def leaves(self, ref: Ref) -> bool:
        """Say whether *ref* is to be deleted: cheaply, and without asking anybody, since the queue asks often."""

    def every(self) -> Declarations:
        """Return all objects that are wanted, and the Secrets, for what refers to another."""

    def claim(self, declared: Declared) -> bool:
        """Remember that something is about to be made for *declared*, which `get` returned; return whether it still is.

        Where it is not wanted here any more, nothing may be made. Raises KubevmmError where it cannot.
        """

    def release(self, ref: Ref) -> None:
        """Remember it no longer: nothing is left of it."""

    def problems(self) -> list[str]:
        """Return what cannot be read at present, one line each; empty when all is well."""
