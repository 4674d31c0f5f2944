"""What is wrong with a YAML text, said to the person who wrote it: the place, the reason, the remedy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from analyser.yamlscalars import is_half
from schemas.errors import InputError

if TYPE_CHECKING:
    import yaml

_FORBIDDEN = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def refuse_controls(text: str, file: str | None, first_line: int) -> None:
    """Raise InputError at the first character that no YAML may hold. *text* begins at *first_line* of *file*."""
    bad = _FORBIDDEN.search(text)
    if bad is None:
        return
    before = text[: bad.start()]
    code = ord(bad[0])
    what = "half a character" if is_half(code) else "a control character"
    raise InputError(
        f"{what} (U+{code:04X}) is not allowed in YAML",
        file=file,
        line=first_line + before.count("\n"),
        column=bad.start() - before.rfind("\n"),
    )


# What the parser says, what that means to the person who wrote the text, and what to do.
_WORDS = {
    "mapping values are not allowed in this context": (
        "a second colon, or a line that is indented too far",
        "put a value that holds ': ' between quotes",
    ),
    "could not find expected ':'": ("a key without a colon after it, or a line that is indented too little", None),
    "did not find expected key": (
        "no key where one should be: check the indentation of this line and the one above",
        None,
    ),
    "did not find expected '-' indicator": ("no '- ' where a list goes on: check the indentation", None),
    "found unexpected end of stream": ("a quote that is never closed begins here", None),
    "found unexpected document indicator": ("a quote that is never closed begins here", None),
    "did not find expected ',' or ']'": ("a '[' that is never closed begins here, or a comma is missing in it", None),
    "did not find expected ',' or '}'": ("a '{' that is never closed begins here, or a comma is missing in it", None),
}


def in_plain_words(error: yaml.MarkedYAMLError, text: str, file: str | None, first_line: int) -> InputError:
    """Return the parser's *error* about *text*, which begins at *first_line* of *file*, as one for the person."""
    problem = error.problem or "this is not YAML"
    message, hint = _WORDS.get(problem, (problem, None))
    mark = error.problem_mark or error.context_mark
    if "begins here" in message and error.context_mark is not None:
        mark = error.context_mark
    if mark is not None and problem == "found character that cannot start any token":
        char = text[mark.index : mark.index + 1]
        message = f"a value cannot begin with {char!r}"
        hint = "put it between quotes"
        if char == "\t":
            message, hint = "a tab where YAML takes spaces alone", "indent with spaces"
    return InputError(
        " ".join(message.split()),
        file=file,
        line=None if mark is None else mark.line + first_line,
        column=None if mark is None else mark.column + 1,
        hint=hint,
    )
