"""The three-way merge: what is wanted, what was applied last and what is there become what shall be, as in kubectl.

What the spec says wins. What the spec said last time and says no longer goes. What only libvirt or somebody else says
stays. Every place where the result differs from what is there is a Change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from executor.plan import foreign, identity, rules
from executor.plan.same import nothing, same, same_foreign
from schemas.table import ELEMENT, EXTRA, REFERENCE, Field, Type

Path: TypeAlias = tuple[str, ...]
"""Keys from the root; a list's entry is a step such as ``[vda]``."""


Answers: TypeAlias = frozenset[tuple[str, str]]
"""Paths, and digests of what libvirt has there in place of what was asked for."""


class Cause(StrEnum):
    """Why what is there is not what is wanted."""

    SPEC = "spec changed"
    OUTSIDE = "changed outside"
    RESTART = "waits for a restart"
    FIRST = "not applied yet"


@dataclass(frozen=True)
class Change:
    """One value that becomes another; None is absent. ``kind`` is the type that ``field`` belongs to."""

    path: Path
    old: Any
    new: Any
    cause: Cause
    field: Field | None = None
    kind: str = ""


@dataclass
class Merged:
    """What shall be: the document, how it differs from what is there, and by path what became of list entries.

    ``entries`` has those that changed, with the entry as it is and as it shall be (None: absent).
    """

    node: dict[str, Any]
    changes: list[Change] = field(default_factory=list)
    entries: dict[Path, tuple[Any, Any, Field]] = field(default_factory=dict)


def merge(
    actual: dict[str, Any] | None,
    wanted: dict[str, Any],
    last: dict[str, Any] | None,
    kind: Type,
    *,
    repair: bool = True,
    answers: Answers = frozenset(),
    keep: frozenset[Path] = frozenset(),
) -> Merged:
    """Return what shall be of the document *actual* (None: there is none), of type *kind*.

    With *repair* false, what somebody changed behind our back stays as it is. *answers* are what libvirt made of values
    that it does not take as they are written: there, what is found is as it should be. What is at or below the paths
    *keep* stays as it is, whatever the spec says.
    """
    run = _Merge(repair=repair, first=last is None, answers=answers, keep=keep)
    out = run.map(actual or {}, wanted, last or {}, kind, ())
    return Merged(out, run.changes, run.entries)


class _Merge:
    def __init__(
        self, *, repair: bool, first: bool, answers: Answers = frozenset(), keep: frozenset[Path] = frozenset()
    ) -> None:
        self.repair = repair
        self.answers = answers
        self.answered = {path for path, _ in answers}
        self.keep = keep
        self.first = first
        self.changes: list[Change] = []
        self.entries: dict[Path, tuple[Any, Any, Field]] = {}

    def cause(self, key: str, wanted: Any, last: dict[str, Any], kind: Type) -> Cause:
        if self.first:
            return Cause.FIRST
        said = last.get(key)
        return Cause.OUTSIDE if said is not None and equal(wanted, said, kind, key) else Cause.SPEC

    def note(self, change: Change) -> bool:
        """Take down *change* and say whether it is made."""
        if change.cause is Cause.OUTSIDE and (not self.repair or (self.answers and answer(change) in self.answers)):
            return False
        if self.keep and any(change.path[: len(prefix)] == prefix for prefix in self.keep):
            return False
        self.changes.append(change)
        return True

    def map(
        self, actual: dict[str, Any], wanted: dict[str, Any], last: dict[str, Any], kind: Type, path: Path
    ) -> dict[str, Any]:
        out = dict(actual)
        start = len(self.changes)
        for key, value in wanted.items():
            where = kind.by_key.get(key)
            if where is not None and where.where is REFERENCE:
                continue
            found = actual.get(key)
            said = last.get(key)
            twin = rules.TWINS.get((kind.name, key))
            if found is None and twin is not None and value == actual.get(twin) == wanted.get(twin, value):
                continue
            merged = self.value(where, key, found, value, said, last, kind, (*path, key))
            if merged is not None:
                out[key] = merged
            elif key in out:
                del out[key]
        kept = rules.KEPT.get(kind.name, frozenset())
        for key, said in last.items():
            if key in wanted or key not in actual or key in rules.KEPT_EVERYWHERE:
                continue
            where = kind.by_key.get(key)
            if key in kept:
                if where is not None and where.value == "map" and said.__class__ is dict:
                    out[key] = self.map(actual[key], {}, said, where.type, (*path, key))
                continue
            if where is not None and where.where is REFERENCE:
                continue
            left = self.removed(where, key, actual[key], said, kind, (*path, key))
            if left is None:
                del out[key]
            else:
                out[key] = left
        if len(self.changes) > start:
            self.follow(out, actual, wanted, last, kind, path, start)
        return out

    def value(
        self,
        where: Field | None,
        key: str,
        found: Any,
        value: Any,
        said: Any,
        last: dict[str, Any],
        kind: Type,
        path: Path,
    ) -> Any:
        """Return what shall stand under *key*, None for nothing."""
        if found == value:
            return found
        whole = len(path) == 1 and key in self.answered
        if whole and answer(Change(path, found, value, Cause.OUTSIDE)) in self.answers:
            if self.cause(key, value, last, kind) is Cause.OUTSIDE:
                return found
            # Of what was never applied as a whole, nothing was.
            said = None
        if where is None or where.value == "xml":
            if where is not None and where.key == "metadata":
                return self.metadata(found, value, said, path, where)
            if key in kind.sequences or (where is not None and where.many):
                return self.whole(where, found, value, self.cause(key, value, last, kind), kind, path)
            if found is not None and same_foreign(str(found), str(value)):
                return found
            made = self.note(Change(path, found, value, self.cause(key, value, last, kind), where, kind.name))
            return value if made else found
        if where.many:
            if identity.keys_of(where) == identity.WHOLE:
                return self.whole(where, found, value, self.cause(key, value, last, kind), kind, path)
            return self.entries_of(where, found or [], value, said or [], path)
        if where.value == "map":
            if value.__class__ is not dict or (found is not None and found.__class__ is not dict):
                return value
            if found is None:
                if nothing_said(value, where, kind):
                    return None
                if kind.name == "domain/devices" or not said_keys(value, where.type):
                    cause = self.cause(key, value, last, kind)
                    new = plain(value, where.type)
                    if not self.note(Change(path, None, new, cause, where, kind.name)):
                        return None
                    self.entries[path] = (None, new, where)
                    return new
            start = len(self.changes)
            merged = self.map(found or {}, value, said if said.__class__ is dict else {}, where.type, path)
            if kind.name == "domain/devices" and len(self.changes) > start:
                self.entries[path] = (found, merged, where)
            return merged if merged or found is not None else None
        if same(value, found, where, kind.name):
            return found
        cause = self.cause(key, value, last, kind)
        return value if self.note(Change(path, found, value, cause, where, kind.name)) else found

    def metadata(self, found: Any, value: Any, said: Any, path: Path, where: Field) -> Any:
        new, changed = foreign.merge(found or "", str(value or ""), str(said or ""))
        for name, old_xml, new_xml, ours in changed:
            cause = Cause.FIRST if self.first else Cause.SPEC if ours else Cause.OUTSIDE
            if not self.note(Change((*path, f"[{name}]"), old_xml, new_xml, cause, where, "domain")):
                return found
        return new or None

    def whole(self, where: Field | None, found: Any, value: Any, cause: Cause, kind: Type, path: Path) -> Any:
        if not value and not found:
            return found
        both = value.__class__ is list and found.__class__ is list
        if (
            both
            and len(found) == len(value)
            and all(covers(one, two, where, kind, path[-1]) for one, two in zip(value, found, strict=True))
        ):
            return found
        new = [plain(each, where.type) if where is not None and where.value == "map" else each for each in value]
        return new if self.note(Change(path, found, new, cause, where, kind.name)) else found

    def entries_of(
        self, where: Field, found: list[Any], wanted: list[Any], last: list[Any], path: Path
    ) -> list[Any] | None:
        kind = where.type

        def fits(one: Any, two: Any) -> bool:
            return covers(one, two, where, kind, "")

        known = identity.pair(last, found, where, fits)
        was = {place: said for place, said in zip(known, last, strict=True) if place is not None}
        # With a history, what nobody applied is somebody else's, and a new entry is a new one.
        pairs = identity.pair(wanted, found, where, fits, free=lambda place: self.first or place in was)
        said_for = self._said_for(wanted, last, where, fits)
        by_place = {place: index for index, place in enumerate(pairs) if place is not None}
        out: list[Any] = []
        labels: set[str] = set()
        for place, entry in enumerate(found):
            index = by_place.get(place)
            if index is not None:
                name = self._label(wanted[index] | _names(entry, where), where, place, labels)
                start = len(self.changes)
                said = was.get(place)
                other = said_for[index]
                if said is None and other is not None:
                    said = last[other]
                merged = self.map(entry, wanted[index], said or {}, kind, (*path, name))
                if len(self.changes) > start:
                    self.entries[(*path, name)] = (entry, merged, where)
                out.append(merged)
            elif place in was:
                name = self._label(entry, where, place, labels)
                cause = Cause.SPEC
                self.note(Change((*path, name), entry, None, cause, where, ""))
                self.entries[(*path, name)] = (entry, None, where)
            else:
                out.append(entry)
        for index, entry in enumerate(wanted):
            if pairs[index] is None:
                name = self._label(entry, where, len(out), labels)
                cause = Cause.FIRST if self.first else Cause.SPEC if said_for[index] is None else Cause.OUTSIDE
                new = plain(entry, kind)
                if self.note(Change((*path, name), None, new, cause, where, "")):
                    self.entries[(*path, name)] = (None, new, where)
                    out.append(new)
        return out or None

    @staticmethod
    def _said_for(wanted: list[Any], last: list[Any], where: Field, fits: Any) -> list[int | None]:
        return identity.pair(wanted, last, where, fits)

    @staticmethod
    def _label(entry: Any, where: Field, place: int, labels: set[str]) -> str:
        name = identity.label(entry, where, place)
        if name in labels:
            name = f"{name[:-1]}#{place}]"
        labels.add(name)
        return name

    def removed(self, where: Field | None, key: str, found: Any, said: Any, kind: Type, path: Path) -> Any:
        """Take what *said* says out of *found*; return what is left, None for nothing."""
        if nothing_said(found, where, kind):
            return None
        if where is not None and where.many and identity.keys_of(where) != identity.WHOLE:
            return self.entries_of(where, found, [], said, path)
        if where is not None and key == "metadata":
            return self.metadata(found, "", said, path, where)
        is_map = where is not None and where.value == "map" and not where.many
        if is_map and where is not None and found.__class__ is dict and kind.name != "domain/devices":
            start = len(self.changes)
            self._leaves(found, said if said.__class__ is dict else {}, where.type, path)
            if len(self.changes) > start:
                return None
        self.note(Change(path, found, None, Cause.SPEC, where, kind.name))
        if is_map and where is not None and kind.name == "domain/devices":
            self.entries[path] = (found, None, where)
        return None

    def _leaves(self, found: dict[str, Any], said: dict[str, Any], kind: Type, path: Path) -> None:
        for key, value in said.items():
            where = kind.by_key.get(key)
            if key in found and (where is None or where.where is not REFERENCE):
                if where is not None and where.value == "map" and not where.many and value and found[key]:
                    self._leaves(found[key], value, where.type, (*path, key))
                elif where is not None and where.many and identity.keys_of(where) != identity.WHOLE:
                    self.entries_of(where, found[key], [], value, (*path, key))
                else:
                    self.note(Change((*path, key), found[key], None, Cause.SPEC, where, kind.name))

    def follow(
        self,
        out: dict[str, Any],
        actual: dict[str, Any],
        wanted: dict[str, Any],
        last: dict[str, Any],
        kind: Type,
        path: Path,
        start: int,
    ) -> None:
        """Drop from *out* what was made for values that have changed since *start*."""
        depth = len(path)
        for trigger, followers in rules.FOLLOWS.get(kind.name, ()):
            # Where there was no value, nothing was made for it.
            changed = any(change.path[depth : depth + len(trigger)] == trigger for change in self.changes[start:])
            if changed:
                for key in followers:
                    if key not in out or key not in actual:
                        continue
                    where = kind.by_key[key]
                    if key not in wanted:
                        if out[key] is actual[key]:
                            del out[key]
                    elif where.value == "map" and not where.many:
                        out[key] = plain(wanted[key], where.type)
        for first, second in rules.DOUBLED.get(kind.name, ()):
            spoken = {c.path[depth] for c in self.changes[start:] if c.cause is not Cause.OUTSIDE}
            old = second in wanted and second in last and equal(wanted[second], last[second], kind, second)
            if old and first in spoken and second not in spoken:
                out.pop(second, None)


def path_text(path: Path) -> str:
    """Return *path* as people write it: ``devices.disks[vda].source.file``."""
    out = ""
    for step in path:
        out += step if step.startswith("[") else f".{step}"
    return out.removeprefix(".")


def answer(change: Change) -> tuple[str, str]:
    """Return what there is now in place of what *change* wants, in the form of ``Answers``."""
    text = json.dumps(change.old, sort_keys=True, separators=(",", ":"))
    return path_text(change.path), hashlib.sha256(text.encode()).hexdigest()[:12]


def _names(entry: Any, where: Field) -> dict[str, Any]:
    """Return the keys of *entry* that a label may need and a spec may leave out."""
    keys = identity.keys_of(where)
    return (
        {} if isinstance(keys, str) else {part[0]: entry[part[0]] for key in keys for part in key if part[0] in entry}
    )


def said_keys(value: dict[str, Any], kind: Type) -> list[str]:
    """Return the keys of *value* that XML has too."""
    return [key for key in value if key not in kind.references]


def nothing_said(value: Any, where: Field | None, kind: Type) -> bool:
    """Say whether *value*, of *where* in the type *kind*, means the same to libvirt as leaving it out."""
    if where is None or where.value == "xml":
        return not value
    if where.many:
        return not value
    if where.value == "map":
        if value.__class__ is not dict:
            return False
        inner = where.type
        if not value:
            return inner.name in rules.EMPTY
        return inner.name in rules.EMPTY and all(
            key in inner.references or nothing_said(each, inner.by_key.get(key), inner) for key, each in value.items()
        )
    return nothing(value, where, kind.name)


def plain(value: Any, kind: Type) -> Any:
    """Return *value*, of type *kind*, without what XML cannot hold: references to other objects."""
    if value.__class__ is not dict:
        return value
    out = {}
    for key, each in value.items():
        where = kind.by_key.get(key)
        if where is None:
            out[key] = each
        elif where.where is not REFERENCE:
            if where.value != "map":
                out[key] = each
            elif where.many:
                out[key] = [plain(entry, where.type) for entry in each]
            else:
                out[key] = plain(each, where.type)
    return out


def covers(wanted: Any, found: Any, where: Field | None, kind: Type, key: str) -> bool:
    """Say whether *found* says everything that *wanted* says, as values of *where*."""
    if where is not None and where.value == "map" and wanted.__class__ is dict and found.__class__ is dict:
        return covers_map(wanted, found, where.type)
    if where is None and wanted.__class__ is dict and found.__class__ is dict:
        names = kind.sequences.get(key, {})
        return wanted.keys() == found.keys() and all(
            covers(each, found[name], names.get(name), kind, name) for name, each in wanted.items()
        )
    if where is None or where.value == "xml":
        return wanted == found or (wanted.__class__ is str and found.__class__ is str and same_foreign(wanted, found))
    return same(wanted, found, where, kind.name)


def covers_map(wanted: dict[str, Any], found: dict[str, Any], kind: Type) -> bool:
    """Say whether the map *found*, of type *kind*, says everything that *wanted* says."""
    run = _Merge(repair=True, first=True)
    run.map(found, wanted, {}, kind, ())
    return not run.changes


def equal(one: Any, two: Any, kind: Type, key: str) -> bool:
    """Say whether two values of *key* in a map of type *kind*, both as somebody wrote them, mean the same."""
    return covers_map({key: one}, {key: two}, kind) and covers_map({key: two}, {key: one}, kind)


__all__ = ["ELEMENT", "EXTRA", "Cause", "Change", "Merged", "Path", "covers_map", "equal", "merge", "nothing_said"]
