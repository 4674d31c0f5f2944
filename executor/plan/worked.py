"""What libvirt works out of a guest's definition when it starts it: the CPU's features, sockets, firmware's files.

``virsh dumpxml`` of a running guest shows it, and so does a spec that was made from that. Such a spec asks for nothing
that the definition does not bring about by itself: the definition stays as it is, and the mark notes what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from executor.plan import rules
from executor.plan.merge import Change, answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from executor.plan.merge import Answers, Path


def within(path: Path, prefix: Path) -> bool:
    """Say whether *path* is *prefix*, in which ``*`` is any step, or lies below it."""
    return len(path) >= len(prefix) and all(two in {"*", one} for one, two in zip(path, prefix, strict=False))


def touched(path: Path, changed: set[Path]) -> bool:
    """Say whether *path*, or what it is part of or holds, is among *changed*."""
    return path in changed or any(each[: len(path)] == path or path[: len(each)] == each for each in changed)


def may_keep(path: Path, last: dict[str, Any] | None) -> bool:
    """Say whether libvirt may have worked out what is at *path*, of which nothing was ever applied: *last* has none."""
    return _prefix(path, last or {}) is not None


def _prefix(path: Path, said: dict[str, Any]) -> Path | None:
    for pattern in rules.WORKED_OUT:
        if within(path, pattern) and (path[0] not in said if len(pattern) == 1 else not said):
            return path[: len(pattern)]
    return None


def kept(config: Iterable[Change], running: Iterable[Change], last: dict[str, Any] | None) -> frozenset[Path]:
    """Return the paths that stay as they are in the definition, since what runs is as the spec says there.

    *config* is how the definition differs from the spec and *running* how the guest does, *last* what was applied last:
    what was applied once is no longer what libvirt worked out.
    """
    differs = {change.path for change in running}
    prefixes = {_prefix(change.path, last or {}) for change in config} - {None}
    return frozenset(prefix for prefix in prefixes if prefix is not None and not touched(prefix, differs))


def agrees(change: Change, differs: set[Path]) -> bool:
    """Say whether the running guest is what *change* makes of the definition; *differs* is where it is not."""
    return not touched(change.path, differs) and not any(within(change.path, each) for each in rules.CHOSEN)


def answers(node: dict[str, Any], changes: Iterable[Change], keep: frozenset[Path], known: Answers) -> Answers:
    """Return what is to be noted of the definition *node*, in which *changes* would be needed to be as the spec says.

    What is kept whole is noted whole: once the spec says otherwise of a part of it, all of it is asked for.
    """
    out: set[tuple[str, str]] = set()
    for change in changes:
        top = change.path[:1]
        whole = answer(Change(top, node.get(top[0]), None, change.cause))
        out.add(whole if top in keep or (top in WHOLE and whole in known) else answer(change))
    return frozenset(out)


def only(changes: Iterable[Change], keep: frozenset[Path]) -> list[Change]:
    """Return those *changes* that are to what is kept."""
    return [change for change in changes if any(within(change.path, prefix) for prefix in keep)]


WHOLE = frozenset(pattern for pattern in rules.WORKED_OUT if len(pattern) == 1)
"""What is noted as one value."""
