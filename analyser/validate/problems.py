"""What is wrong with a document, and where: the vocabulary that all checks share."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from analyser.codec.encode import path_text

if TYPE_CHECKING:
    from collections.abc import Iterable

Path: TypeAlias = tuple[str | int, ...]
Severity: TypeAlias = Literal["error", "warning"]

_LONGEST_SHOWN = 60
_LONGEST_GUESSED = 40
_GUESSES = 500
"""How often nearest names are looked for in a document: one with more wrong keys is something else altogether."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in ``file`` at ``line`` and ``column`` (from 1).

    ``path`` is the key path inside the document as people write it, empty for the document as a whole. A ``warning``
    does not make the document invalid.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        message = self.message if self.severity == "error" else f"{self.severity}: {self.message}"
        text = ": ".join(part for part in (f"{self.file}:{self.line}:{self.column}", self.path, message) if part)
        return printable(f"{text} ({self.hint})" if self.hint else text)


@dataclass(frozen=True)
class Finding:
    """A problem whose place in the text is not known yet.

    ``path`` leads to what is wrong; ``place`` to what stands for it in the text if that is something else (the parent
    of what is missing, an element that is not known). ``at_value``: the value is wrong, not the key.
    """

    path: Path
    message: str
    hint: str | None = None
    severity: Severity = "error"
    place: Path | None = None
    at_value: bool = False

    def problem(self, file: str, line: int, column: int) -> Problem:
        """Return the finding with its place."""
        return Problem(file, line, column, printable(path_text(self.path)), self.message, self.hint, self.severity)


@dataclass
class Findings:
    """What the checks of one document add to."""

    xml: bool
    """Whether the document was read from XML, and its writer knows elements and attributes rather than keys."""
    found: list[Finding] = field(default_factory=list)
    _guesses: int = 0

    def add(
        self,
        path: Path,
        message: str,
        hint: str | None = None,
        *,
        severity: Severity = "error",
        place: Path | None = None,
        at_value: bool = False,
    ) -> None:
        """Add a finding (see ``Finding``)."""
        self.found.append(Finding(path, message, hint, severity, place, at_value))

    def nearest(self, name: str, known: Iterable[str], form: str = "{}") -> str | None:
        """Return the hint that names what *name* was perhaps meant to be, written as *form* says."""
        if len(name) > _LONGEST_GUESSED or self._guesses >= _GUESSES:
            return None
        self._guesses += 1
        names = list(known)
        lower = {each.lower(): each for each in names}
        same = lower.get(name.lower().replace("_", "").replace("-", ""))
        near = [same] if same else difflib.get_close_matches(name, names, n=1)
        return f"did you mean {form.format(near[0])}?" if near else None


def shown(value: Any) -> str:
    """Return *value* as it is named in a message: in a reader's words, on one line, not too long."""
    if value is True or value is False:
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int):
        return f"the number {value}"
    if isinstance(value, str):
        short = value if len(value) <= _LONGEST_SHOWN else f"{value[: _LONGEST_SHOWN - 3]}..."
        return repr(short) if short else "empty text"
    return kind_of(value)


def kind_of(value: Any) -> str:
    """Return what *value* is, without its content."""
    names = {dict: "a map", list: "a list", str: "text", int: "a number", bool: "a boolean", type(None): "nothing"}
    return names.get(value.__class__) or str(value.__class__.__name__)


def printable(text: str) -> str:
    """Return *text* on one line, with nothing in it that a terminal would obey."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
