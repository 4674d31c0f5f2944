"""What virtctl says to a person: on standard error, one line each, coloured only on a terminal."""

from __future__ import annotations

import os
import sys

from schemas.errors import KubevmmError


def _coloured() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def error(message: str, *, hint: str | None = None) -> None:
    """Say what went wrong, and what to do about it."""
    red, end = ("\x1b[31m", "\x1b[0m") if _coloured() else ("", "")
    text = f"{red}error:{end} {_one_line(message)}\n"
    if hint:
        text += f"hint: {_one_line(hint)}\n"
    sys.stderr.write(text)
    sys.stderr.flush()


def failure(problem: KubevmmError) -> None:
    """Say what *problem* is."""
    error(str(problem), hint=problem.hint)


def note(message: str) -> None:
    """Say something that is not an error."""
    sys.stderr.write(_one_line(message) + "\n")


def _one_line(text: str) -> str:
    """Return *text* on one line, with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in text)
