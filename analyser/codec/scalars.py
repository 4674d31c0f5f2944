"""Scalar values: what an attribute or a leaf's text is in YAML, and what it is in XML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTEGER = re.compile(r"-?[1-9][0-9]{0,18}|0")
_MOST = 1 << 63
_CACHED = 50_000


class Integers(dict[str, "int | str"]):
    """Text to int where ``str(int(text)) == text`` and int64 holds it, else the text itself; remembers what it saw."""

    def __missing__(self, text: str) -> int | str:
        value: int | str = text
        if _INTEGER.fullmatch(text) and -_MOST <= int(text) < _MOST:
            value = int(text)
        if len(self) < _CACHED and len(text) < 20:  # noqa: PLR2004  (the digits of an int64)
            self[text] = value
        return value


class Booleans(dict[str, "bool | str"]):
    """``yes`` and ``no`` (or ``on`` and ``off``) to bool; any other text stays text."""

    def __missing__(self, text: str) -> str:
        return text


DECODERS: dict[str, Mapping[str, int | bool | str] | None] = {
    "integer": Integers(),
    "yesno": Booleans(yes=True, no=False),
    "onoff": Booleans(on=True, off=False),
}
"""By a field's ``value``: XML text to YAML scalar; what is missing here stays text."""

BOOLEANS = {"yesno": ("no", "yes"), "onoff": ("off", "on")}
"""By a field's ``value``: what False and True are in XML."""
