"""A folder of manifests as the agent's source, as the kubelet's of static Pods: inotify wakes it, nothing polls."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import stat
import threading
import time
from typing import TYPE_CHECKING, Final

from inotify_simple import INotify, flags

from executor.agent.manifests import Manifests, Reading
from executor.agent.memory import Memory
from executor.agent.source import Wanted
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from executor.engine.objects import Ref
    from executor.engine.source import Declarations, Declared

logger = logging.getLogger(__name__)

DEBOUNCE: Final = 0.1
"""Seconds without another event after which the folder is read ..."""

LONGEST: Final = 2.0
"""... or after this many, however many come."""

_OF_SECRETS: Final = ("VirtualMachine", "VirtualMachineStoragePool", "VirtualMachineImage")
"""The kinds that may refer to a Secret."""

UNWATCHED: Final = 10.0
"""Seconds after which it is read anew where the kernel has no inotify left for us."""

_MASK: Final = (
    flags.CREATE | flags.CLOSE_WRITE | flags.ATTRIB | flags.MOVED_FROM | flags.MOVED_TO | flags.DELETE
    | flags.DELETE_SELF | flags.MOVE_SELF
)  # fmt: skip


def check(folder: Path) -> None:
    """Raise KubevmmError where there is no such folder, or where everybody can write to it."""
    try:
        found = folder.stat()
        next(folder.iterdir(), None)
    except OSError as error:
        raise KubevmmError(
            f"{folder}: {error.strerror or error}", hint="--manifests names a folder that exists"
        ) from None
    if found.st_mode & stat.S_IWOTH:
        raise KubevmmError(
            f"{folder}: everybody may write to it, and what is in it is done with the agent's rights",
            hint=f"`chmod o-w {folder}`",
        )


class FolderSource:
    """A `source.Source` of the manifests in *folder*; what was brought about of them is remembered below *state*."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder.absolute()
        self._lock = threading.Lock()
        self._memory = Memory(state, self.folder)
        self._manifests = Manifests(self.folder, self._memory)
        self._reading = Reading()
        self._changed: Callable[[Iterable[Ref]], None] = lambda _: None
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="manifests", daemon=True)

    def start(self, changed: Callable[[Iterable[Ref]], None]) -> None:
        """Read the folder, then watch it. Raises KubevmmError as `check` does, and where the memory cannot be read."""
        check(self.folder)
        self._memory.load()
        self._changed = changed
        self._scan()
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopping.set()
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join()

    def reread(self) -> None:
        """Read the folder again, soon."""
        os.eventfd_write(self._wake, 1)

    def refs(self) -> list[Ref]:
        """Return what is in the folder, and what was."""
        with self._lock:
            return list({**self._reading.objects, **dict.fromkeys(self._memory.refs())})

    def get(self, ref: Ref) -> Wanted | None:
        """Return what the folder says of *ref*."""
        with self._lock:
            reading = self._reading
            declared = reading.objects.get(ref)
            if declared is None and ref not in self._memory.refs():
                return None
            return Wanted(
                declared,
                deleting=declared is None and ref in reading.gone,
                refused=reading.refused.get(ref, ""),
                stale=reading.stale.get(ref, ""),
            )

    def knows(self, ref: Ref) -> bool:
        """See `Source.knows`."""
        return self.get(ref) is not None

    def leaves(self, ref: Ref) -> bool:
        """See `Source.leaves`."""
        wanted = self.get(ref)
        return wanted is not None and wanted.deleting

    def every(self) -> Declarations:
        """Return all objects in the folder, and the Secrets."""
        with self._lock:
            return self._reading.every

    def claim(self, declared: Declared) -> bool:
        """Remember that *declared* is brought about."""
        with self._lock:
            self._memory.add(declared)
        return True

    def release(self, ref: Ref) -> None:
        """Remember *ref* no longer."""
        with self._lock:
            self._memory.remove(ref)

    def problems(self) -> list[str]:
        """Return what cannot be read."""
        with self._lock:
            return list(self._reading.problems)

    def _scan(self) -> Reading:
        with self._lock:
            before, after = self._reading, self._manifests.scan()
            self._reading = after
        for problem in after.problems:
            if problem not in before.problems:
                logger.warning("%s", problem, extra={"event": "manifest"})
        for problem in before.problems:
            if problem not in after.problems:
                logger.info("%s: no longer so", problem, extra={"event": "manifest"})
        self._changed(_changes(before, after))
        return after

    def _watch(self) -> None:
        """Read the folder whenever something happens in it, or has to be looked at again."""
        with contextlib.ExitStack() as stack:
            inotify = _inotify(stack)
            watches: dict[Path, int] = {}
            # What happened before it was watched is found by reading it once more.
            again: float | None = 0.0
            while not self._stopping.is_set():
                watched = False
                if inotify is not None:
                    watched = _arrange(inotify, watches, self._reading.watch)
                if not watched:
                    again = UNWATCHED if again is None else min(UNWATCHED, again)
                self._wait(inotify, again)
                if self._stopping.is_set():
                    break
                try:
                    again = self._scan().again
                except Exception:
                    logger.exception("the folder %s could not be read", self.folder)
                    again = UNWATCHED

    def _wait(self, inotify: INotify | None, again: float | None) -> None:
        """Return when something happened and it is quiet again, or *again* seconds are over."""
        readers = [self._wake, *([inotify.fileno()] if inotify is not None else [])]
        timeout, deadline = again, None
        while True:
            ready = select.select(readers, [], [], timeout)[0]
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
                return
            if not ready:
                return
            if inotify is not None:
                inotify.read(timeout=0)
            deadline = deadline or time.monotonic() + LONGEST
            timeout = min(DEBOUNCE, deadline - time.monotonic())
            if timeout <= 0:
                return


def _changes(before: Reading, after: Reading) -> list[Ref]:
    """Return what has to be looked at."""
    refs = before.objects.keys() | after.objects.keys() | before.gone | after.gone
    refs |= before.stale.keys() | after.stale.keys() | before.refused.keys() | after.refused.keys()
    return sorted(
        ref
        for ref in refs
        if (ref in after.gone) != (ref in before.gone)
        or before.stale.get(ref) != after.stale.get(ref)
        or before.refused.get(ref) != after.refused.get(ref)
        or _object(before, ref) != _object(after, ref)
        # What refers to a Secret is not told apart from what does not.
        or (ref.kind in _OF_SECRETS and before.every.secrets != after.every.secrets)
    )


def _object(reading: Reading, ref: Ref) -> object:
    declared = reading.objects.get(ref)
    return (declared.object, declared.file) if declared is not None else None


def _inotify(stack: contextlib.ExitStack) -> INotify | None:
    try:
        return stack.enter_context(INotify(nonblocking=True))
    except OSError as error:
        logger.warning("no inotify (%s): the folder is read every %g s", error.strerror, UNWATCHED)
        return None


def _arrange(inotify: INotify, watches: dict[Path, int], wanted: frozenset[Path]) -> bool:
    """Watch the folders *wanted* and no others; return whether all could be."""
    for path in watches.keys() - wanted:
        with contextlib.suppress(OSError):
            inotify.rm_watch(watches.pop(path))
    complete = True
    for path in wanted:
        try:
            # Also those that are watched already: another folder may be there by now.
            watches[path] = inotify.add_watch(path, _MASK)
        except OSError:
            complete = False
    return complete
