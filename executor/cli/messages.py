"""What virtctl says to a person: on standard error, one line each, coloured only on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.errors import KubevmmError
from typing import TextIO

_COLOURS = {"red": "\x1b[31m", "green": "\x1b[32m", "yellow": "\x1b[33m", "bold": "\x1b[1m"}


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Return *text* in *colour* (red, green, yellow, bold) where *stream* is a terminal that is to be coloured."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"{_COLOURS[colour]}{text}\x1b[0m"


def error(message: str, *, hint: str | None = None) -> None:
    """Say what went wrong, and what to do about it."""
    text = f"{paint('error:', 'red', sys.stderr)} {one_line(message)}\n"
    if hint:
        text += f"hint: {one_line(hint)}\n"
    sys.stderr.write(text)
    sys.stderr.flush()


def failure(problem: KubevmmError) -> None:
    """Say what *problem* is."""
    error(str(problem), hint=problem.hint)


def note(message: str) -> None:
    """Say something that is not an error."""
    sys.stderr.write(one_line(message) + "\n")


def one_line(text: str) -> str:
    """Return *text* on one line, with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in text)
