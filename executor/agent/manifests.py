"""A folder of manifests, read again and again: what is in it now, and what is surely no longer in it.

A file that cannot be read, or says what cannot be, keeps what it said last, and as long as there is one nothing counts
as removed: what is missing may be just in there. A removal counts only once it was seen twice, some seconds apart:
files are renamed, replaced and written anew by editors, `git` and whoever mounts a folder.
"""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from analyser.files import ENDINGS
from executor.engine.source import Declarations, InvalidInput, read
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from executor.agent.memory import Memory
    from executor.engine.objects import Ref
    from executor.engine.source import Declared

QUIET: Final = 0.2
"""Seconds for which a file must not have changed before it is read: somebody may be writing it still."""

GONE: Final = 2.0
"""Seconds after which a removal counts."""

AGAIN: Final = 5.0
"""Seconds after which what cannot be read is tried once more, where nothing tells of a change."""


@dataclass
class _File:
    signature: tuple[int, ...] = ()
    """What of it changes with its content."""
    content: Declarations = field(default_factory=Declarations)
    problem: str = ""
    retry: bool = False
    """Whether it is read again though it is the same: the fault was not in what it says."""
    pending: bool = False
    """Whether somebody may be writing it still."""


@dataclass(frozen=True)
class Reading:
    """What the folder says. ``again`` is in how many seconds it has to be looked at anew; None for at a change."""

    objects: dict[Ref, Declared] = field(default_factory=dict)
    every: Declarations = field(default_factory=Declarations)
    refused: dict[Ref, str] = field(default_factory=dict)
    stale: dict[Ref, str] = field(default_factory=dict)
    gone: frozenset[Ref] = frozenset()
    problems: tuple[str, ...] = ()
    again: float | None = None
    watch: frozenset[Path] = frozenset()
    """The folders in which what is read lies: the folder itself, and those that links lead to."""


class Manifests:
    """The *folder*, and what of it was claimed before. Not for several threads at once."""

    def __init__(self, folder: Path, memory: Memory, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._memory = memory
        self._clock = clock
        self._files: dict[str, _File] = {}
        self._missing: dict[Ref, float] = {}
        self._last: dict[Ref, Declared] = {}
        self._gone: set[Ref] = set()

    def scan(self) -> Reading:
        """Return what the folder says now."""
        again: list[float] = []
        watch = {self.folder}
        try:
            names = self._names()
        except KubevmmError as error:
            return self._reading([str(error)], [AGAIN], watch, nothing=True)
        for name in names:
            again += self._look(name, watch)
        for name in self._files.keys() - set(names):
            del self._files[name]
        problems = [each.problem for each in self._files.values() if each.problem]
        return self._reading(problems, again, watch)

    def _names(self) -> list[str]:
        try:
            device = self.folder.stat().st_dev
            names = sorted(
                name
                for name in (path.name for path in self.folder.iterdir())
                if name.endswith(ENDINGS) and not name.startswith(".")
            )
        except OSError as error:
            raise KubevmmError(f"{self.folder}: cannot be read: {error.strerror or error}") from None
        if not names and self._memory.refs() and self._memory.is_another_file_system(device):
            raise KubevmmError(
                f"{self.folder}: is empty, and on another file system than it was: is something not mounted there?"
            )
        self._memory.note_file_system(device)
        return names

    def _look(self, name: str, watch: set[Path]) -> Iterator[float]:
        """Read the file *name* if it has changed; yield in how many seconds it has to be looked at again."""
        path = self.folder / name
        known = self._files.setdefault(name, _File())
        try:
            if path.is_symlink():
                watch.add((path.parent / path.readlink()).parent)
                watch.add(path.resolve().parent)
            found = path.stat()
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "links lead in a circle"
            known.problem, known.retry, known.signature = f"{path}: cannot be read: {reason}", True, ()
            yield AGAIN
            return
        if not stat.S_ISREG(found.st_mode):
            known.problem, known.signature = f"{path}: is not a file", ()
            return
        signature = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if signature == known.signature and not known.retry:
            return
        age = time.time() - found.st_mtime
        if 0 <= age < QUIET:
            known.pending, known.signature = True, ()
            yield QUIET - age + 0.01
            return
        known.signature = signature
        self._read(path, known)
        if known.retry:
            yield AGAIN

    def _read(self, path: Path, known: _File) -> None:
        known.problem, known.retry, known.pending = "", False, False
        try:
            content = read([str(path)])
        except InvalidInput as error:
            more = f" and {len(error.problems) - 1} more problems" if len(error.problems) > 1 else ""
            known.problem = f"{error.problems[0]}{more}"
            known.retry = "cannot be read:" in error.problems[0]
            return
        except KubevmmError as error:
            known.problem, known.retry = str(error), True
            return
        if known.content.objects and not content.objects and not content.secrets:
            known.problem = f"{path}: has no objects any more; they are kept: remove the file to delete them"
            return
        known.content = content

    def _reading(self, problems: list[str], again: list[float], watch: set[Path], *, nothing: bool = False) -> Reading:
        objects: dict[Ref, Declared] = {}
        refused: dict[Ref, str] = {}
        stale: dict[Ref, str] = {}
        every = Declarations()
        for each in self._files.values():
            every.secrets |= each.content.secrets
            for declared in each.content.objects:
                first = objects.setdefault(declared.ref, declared)
                if first is not declared:
                    text = f"{declared.ref} in {declared.ref.namespace} is in {first.file} and in {declared.file}"
                    refused[declared.ref] = f"{text}: remove one of them"
                elif each.problem or nothing:
                    stale[declared.ref] = each.problem or problems[0]
        blocked = bool(problems) or any(each.pending for each in self._files.values())
        again += self._look_for_removals(objects.keys(), blocked=blocked)
        # What is missing and not yet surely gone counts on.
        kept = {ref: each for ref, each in self._last.items() if ref not in objects and ref not in self._gone}
        objects |= kept
        every.objects = list(objects.values())
        self._last = objects
        claimed = self._memory.refs()
        if problems:
            # It may be in what cannot be read.
            stale |= dict.fromkeys(kept, problems[0])
            stale |= dict.fromkeys(claimed - objects.keys() - self._gone, problems[0])
        return Reading(
            objects,
            every,
            refused,
            stale,
            frozenset(self._gone & claimed),
            (*problems, *refused.values()),
            min(again, default=None),
            frozenset(watch),
        )

    def _look_for_removals(self, there: AbstractSet[Ref], *, blocked: bool) -> list[float]:
        """Note what is surely gone; return in how many seconds to look again."""
        now = self._clock()
        absent = (self._memory.refs() | self._last.keys() | self._gone) - there
        # Once surely gone it stays so, whatever cannot be read later, until it is there again.
        self._gone &= absent & self._memory.refs()
        waiting = absent - self._gone
        self._missing = {} if blocked else {ref: self._missing.get(ref, now) for ref in waiting}
        self._gone |= {ref for ref, since in self._missing.items() if now - since >= GONE}
        return [max(since + GONE - now, 0.01) for ref, since in self._missing.items() if ref not in self._gone]
