"""Lists that are mostly alike, as text: ``3,5-7`` or ``3:x,5-7:y``, and white space as letters and counts."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?(?::([^:]+))?")
_SPACES = re.compile(r"([nst])(\d{1,4})")
_LETTERS = {"\n": "n", " ": "s", "\t": "t"}
_CHARACTERS = {letter: character for character, letter in _LETTERS.items()}


def to_text(values: Iterable[str | None], plain: str) -> str:
    """Return where *values* are not "", as ordinals; the value *plain* is not named, None goes with its neighbours."""
    runs: list[tuple[int, int, str]] = []
    first = last = 0
    current = ""
    for ordinal, value in enumerate(values, 1):
        if value is None:
            continue
        if value != current:
            if current:
                runs.append((first, last, current))
            first, current = ordinal, value
        last = ordinal
    if current:
        runs.append((first, last, current))
    return ",".join(
        f"{first}{f'-{last}' if last > first else ''}{'' if value == plain else f':{value}'}"
        for first, last, value in runs
    )


def from_text(text: str, count: int, plain: str) -> dict[int, str]:
    """Return zero-based places with their values; nothing at all where *text* does not fit a list of *count*."""
    found: dict[int, str] = {}
    before = 0
    for part in text.split(",") if text else ():
        match = _PART.fullmatch(part)
        if match is None:
            return {}
        first = int(match[1])
        last = int(match[2] or first)
        # Ordinals that only rise keep the work linear, whatever was written.
        if not before < first <= last <= count:
            return {}
        before = last
        for ordinal in range(first, last + 1):
            found[ordinal - 1] = match[3] or plain
    return found


def spaces_to_text(space: str) -> str | None:
    """Return white space as ``n1s4`` (newlines, spaces, tabs), none as ``0``; None for any other character."""
    if not space:
        return "0"
    if space.strip("\n \t"):
        return None
    return "".join(f"{_LETTERS[character]}{len(list(run))}" for character, run in groupby(space))


def spaces_from_text(text: str) -> str | None:
    """Return the white space that *text* stands for; None if it is no such text."""
    if text == "0":
        return ""
    if not re.fullmatch(r"(?:[nst]\d{1,4}){1,20}", text):
        return None
    return "".join(_CHARACTERS[letter] * int(number) for letter, number in _SPACES.findall(text))
