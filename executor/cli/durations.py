"""Times on the command line as kubectl writes them: ``90s``, ``1m30s``, ``2h``; a bare number is in seconds."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

import typer

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")


def seconds(text: str | float) -> float:
    """Return a duration in seconds. Raises a usage error."""
    if isinstance(text, float):
        return text
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not text or _PART.sub("", text):
        raise typer.BadParameter(f"{text!r} is no duration, such as 90s, 2m or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


Timeout: TypeAlias = Annotated[
    float,
    typer.Option("--timeout", parser=seconds, metavar="TIME", help="How long to wait at most, such as 90s or 2m."),
]
Wait: TypeAlias = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")]
