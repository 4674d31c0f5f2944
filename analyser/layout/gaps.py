"""The white space in front of a line: a change of indentation, empty lines, or anything else."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from analyser.layout.ordinals import spaces_from_text, spaces_to_text

UNITS = re.compile(r"tab|\d{1,2}")
"""What one level of indentation may be: a tab, or a number of spaces."""

_GAP = re.compile(r"\n(\n*)(\t*)( *)")
_INDENTATION = re.compile(r"(?:t(\d{1,4}))?(?:s(\d{1,4}))?")
_BLANK = re.compile(r"\d{1,3}")
_COMMON = 100  # characters; what is longer is not remembered


class Change(NamedTuple):
    """How a gap differs from the expected one: values of ``indent``, ``blank`` and ``space``, "" where it does not."""

    indent: str = ""
    blank: str = ""
    space: str = ""


_NONE = Change()


def regular(unit: str, level: int) -> str:
    """Return the gap of a line at *level* where a level is *unit*."""
    return "\n" + ("\t" if unit == "tab" else " " * int(unit)) * level


def unit_of(gap: str, level: int) -> str | None:
    """Return the unit that makes *gap* the regular one at *level*, if there is one."""
    return _common_unit(gap, level) if len(gap) <= _COMMON else _unit_of(gap, level)


def _unit_of(gap: str, level: int) -> str | None:
    match = _GAP.fullmatch(gap)
    if match is None or level < 1:
        return None
    tabs, spaces = len(match[2]), len(match[3])
    if tabs:
        return "tab" if tabs == level and not spaces else None
    return str(spaces // level) if spaces % level == 0 and spaces // level <= 16 else None  # noqa: PLR2004  (as wide as people indent)


_common_unit = lru_cache(4096)(_unit_of)


def change(expected: str, wanted: str) -> Change:
    """Return how *wanted* differs from *expected*."""
    if wanted == expected:
        return _NONE
    have, want = _GAP.fullmatch(expected), _GAP.fullmatch(wanted)
    if have is None or want is None or have[1]:
        return Change(space=spaces_to_text(wanted) or "")
    blank = str(len(want[1])) if want[1] else ""
    if have[2] == want[2] and have[3] == want[3]:
        return Change(blank=blank)
    if have[2] or want[2]:
        return Change(indent=(f"t{len(want[2])}" if want[2] else "") + f"s{len(want[3])}", blank=blank)
    return Change(indent=f"{len(want[3]) - len(have[3]):+d}", blank=blank)


def changed(expected: str, how: Change) -> str:
    """Return *expected* with a change; what does not fit is left out."""
    if how.space:
        wanted = spaces_from_text(how.space)
        return expected if wanted is None else wanted
    have = _GAP.fullmatch(expected)
    if have is None:
        return expected
    tabs, spaces = len(have[2]), len(have[3])
    if how.indent[:1] in ("+", "-"):
        if re.fullmatch(r"\d{1,4}", how.indent[1:]):
            spaces = max(spaces + int(how.indent), 0)
    elif how.indent and (match := _INDENTATION.fullmatch(how.indent)):
        tabs, spaces = int(match[1] or 0), int(match[2] or 0)
    blank = int(how.blank) if _BLANK.fullmatch(how.blank) else 0
    return "\n" * (1 + blank + len(have[1])) + "\t" * tabs + " " * spaces
