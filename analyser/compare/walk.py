"""Where two documents in normal form differ, value by value; entries of lists are matched by what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from analyser.compare.normal import HIDDEN, Secret, Size

Change: TypeAlias = Literal["changed", "added", "removed", "order"]

_IDENTITIES: dict[str, tuple[str, ...]] = {
    "disks": ("target.dev",),
    "interfaces": ("mac.address",),
    "controllers": ("type", "index"),
    "filesystems": ("target.dir",),
    "channels": ("target.name",),
    "inputs": ("type", "bus"),
    "vcpupins": ("vcpu",),
    "iothreadpins": ("iothread",),
}
"""What tells the entries of a list apart, by the list's key."""

_USUAL = (("name",), ("id",), ("@name",), ("@id",), ("type",), ("model",))
"""What tells the entries of any other list apart, if all of them have it and no two share it."""

_LONGEST_SHOWN = 160
_ALIKE = 0.5


@dataclass(frozen=True)
class Difference:
    """One place in which two documents differ.

    ``path`` is the key path; an entry of a list is named by its identity where it has one. ``a`` and ``b`` are
    JSON-like values, None on the side that has none; for ``order``, how the same entries stand on each side.
    """

    path: str
    change: Change
    a: Any
    b: Any

    def __str__(self) -> str:
        if self.change == "added":
            return f"+ {self.path}: {_printed(self.b)}"
        if self.change == "removed":
            return f"- {self.path}: {_printed(self.a)}"
        if self.a == self.b == HIDDEN:
            return f"{self.path}: changed {HIDDEN}"
        name = f"{self.path} (order)" if self.change == "order" else self.path
        return f"{name}: {_printed(self.a)} -> {_printed(self.b)}"


def differences(a: Any, b: Any, path: str) -> list[Difference]:
    """Return where the normal forms *a* and *b*, both at *path*, differ; empty if they are equal."""
    found: list[Difference] = []
    work: list[tuple[str, Any, Any] | Difference] = [(path, a, b)]
    while work:
        step = work.pop()
        if isinstance(step, Difference):
            found.append(step)
            continue
        here, left, right = step
        if left == right:
            continue
        below: list[tuple[str, Any, Any] | Difference] = []
        if isinstance(left, dict) and isinstance(right, dict):
            for key in [*left, *(key for key in right if key not in left)]:
                where = f"{here}.{_name(key)}" if here else _name(key)
                if key not in right:
                    below.append(Difference(where, "removed", plain(left[key]), None))
                elif key not in left:
                    below.append(Difference(where, "added", None, plain(right[key])))
                else:
                    below.append((where, left[key], right[key]))
        elif isinstance(left, list) and isinstance(right, list):
            below = _lists(here, left, right)
        else:
            below = [Difference(here, "changed", plain(left), plain(right))]
        work.extend(reversed(below))
    return found


def _name(key: str) -> str:
    at = "@" if key.startswith("@") else ""
    return at + key[len(at) :].rpartition("}")[2]


def _lists(path: str, left: list[Any], right: list[Any]) -> list[tuple[str, Any, Any] | Difference]:
    name = path.rpartition(".")[2]
    for keys in (_IDENTITIES[name],) if name in _IDENTITIES else _USUAL:
        a, b = _by_identity(left, keys), _by_identity(right, keys)
        if a is not None and b is not None:
            return _matched(path, a, b)
    return _by_place(path, left, right)


def _by_identity(entries: list[Any], keys: tuple[str, ...]) -> dict[str, Any] | None:
    """Return *entries* by what *keys* say of them; None if one lacks that or two share it."""
    found: dict[str, Any] = {}
    for entry in entries:
        parts = []
        for key in keys:
            value = entry
            for step in key.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if not isinstance(value, str | int):
                return None
            parts.append(str(value))
        name = " ".join(parts)
        if name in found:
            return None
        found[name] = entry
    return found


def _matched(path: str, a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, Any, Any] | Difference]:
    below: list[tuple[str, Any, Any] | Difference] = []
    gone = [name for name in a if name not in b]
    new = [name for name in b if name not in a]
    renamed = len(gone) == len(new) == 1 and _alike(a[gone[0]], b[new[0]])
    for name, entry in a.items():
        where = f"{path}[{name}]"
        if name in b:
            below.append((where, entry, b[name]))
        elif renamed:
            below.append((where, entry, b[new[0]]))
        else:
            below.append(Difference(where, "removed", plain(entry), None))
    if not renamed:
        below.extend(Difference(f"{path}[{name}]", "added", None, plain(b[name])) for name in new)
    orders = [name for name in a if name in b], [name for name in b if name in a]
    if orders[0] != orders[1]:
        below.append(Difference(path, "order", *orders))
    elif renamed and list(a).index(gone[0]) != list(b).index(new[0]):
        below.append(Difference(path, "order", list(a), list(b)))
    return below


def _by_place(path: str, left: list[Any], right: list[Any]) -> list[tuple[str, Any, Any] | Difference]:
    """Match by place, after what is equal at both ends: an entry put in between does not move all that follow."""
    start = 0
    shorter = min(len(left), len(right))
    while start < shorter and left[start] == right[start]:
        start += 1
    end = 0
    while end < shorter - start and left[-1 - end] == right[-1 - end]:
        end += 1
    a, b = left[start : len(left) - end], right[start : len(right) - end]
    below: list[tuple[str, Any, Any] | Difference] = []
    for index, (x, y) in enumerate(zip(a, b, strict=False), start):
        below.append((f"{path}[{index}]", x, y))
    both = min(len(a), len(b))
    below.extend(Difference(f"{path}[{start + both + i}]", "removed", plain(x), None) for i, x in enumerate(a[both:]))
    below.extend(Difference(f"{path}[{start + both + i}]", "added", None, plain(y)) for i, y in enumerate(b[both:]))
    return below


def _alike(a: Any, b: Any) -> bool:
    """Say whether at least half of the values in *a* and *b* are the same at the same place."""
    x, y = dict(_leaves(a)), dict(_leaves(b))
    same = sum(1 for path, value in x.items() if path in y and y[path] == value)
    return same >= _ALIKE * max(len(x), len(y), 1)


def _leaves(value: Any) -> list[tuple[str, Any]]:
    found = []
    work: list[tuple[str, Any]] = [("", value)]
    while work:
        path, each = work.pop()
        if isinstance(each, dict):
            work.extend((f"{path}.{key}", inner) for key, inner in each.items())
        elif isinstance(each, list):
            work.extend((f"{path}[{index}]", inner) for index, inner in enumerate(each))
        else:
            found.append((path, each))
    return found


def plain(value: Any) -> Any:
    """Return a normal form as JSON-like values, secrets hidden and sizes as they were written."""
    if isinstance(value, dict):
        return {_name(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, Secret):
        return HIDDEN
    return value.text if isinstance(value, Size) else value


def _printed(value: Any) -> str:
    if isinstance(value, str) and value and value.isprintable() and value == value.strip():
        return value if len(value) <= _LONGEST_SHOWN else f"{value[: _LONGEST_SHOWN - 3]}..."
    text = json.dumps(value, ensure_ascii=not str(value).isprintable())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
