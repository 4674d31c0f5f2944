"""Scalars as YAML text: which strings may stand plain, how the others are quoted, what a plain scalar means.

Writing is as careful as the least careful reader: a string is plain only where YAML 1.1 readers (PyYAML), 1.2 readers
(ruamel.yaml) and the Go ones behind kubectl (go-yaml v2 and v3) all take it for that very string.

Reading follows kubectl (``sigs.k8s.io/yaml``, which resolves as go-yaml v2 does) where it matters and never changes a
value silently:

- ``y n yes no on off true false`` in lower, upper and title case are booleans, as kubectl has them;
- ``~``, ``null``, ``Null``, ``NULL`` and nothing at all are null;
- a decimal integer within int64, spelt as Python would print it, is an integer;
- everything else is a string. That includes what kubectl calls a number but libvirt reads by its spelling: ``0744``
  (a file mode), ``0x1f`` (a PCI slot), ``1.10`` (a version), ``1e3``, ``1_000``, ``+1``, dates and ``1:20``. They keep
  their source text, so that what a person wrote is what libvirt gets; the schema says where a number was wanted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from schemas.errors import InputError

if TYPE_CHECKING:
    from analyser.model import Scalar

_LATIN = 0xFF
_BASIC_PLANE = 0xFFFF
_SURROGATES = (0xD800, 0xDFFF)

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

_TRUE = ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE")
_FALSE = ("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE")
_NULL = ("", "~", "null", "Null", "NULL")
RESOLVED: dict[str, bool | None] = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_NULL),
}

# Compared in lower case: any reader's idea of case is then covered. The last three are what Go's ParseFloat accepts.
_WORDS = frozenset({*(word.lower() for word in RESOLVED), "nan", "inf", "infinity"})
_CANONICAL_INT = re.compile(r"0|-?[1-9][0-9]{0,18}")

# What a plain scalar may begin with, besides digits. "<" is for XML text, "-" for command-line options.
_PLAIN_START = re.compile(r"[^\W\d]|/|<(?!<)|--?[A-Za-z]")
# Most of what is plain, told apart from the rest in one step: names and paths.
_COMMON = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+=,%-]*+")
# Anything made only of these after a digit could be a number or a date to somebody.
_NUMBER_LIKE = re.compile(r"[0-9][0-9A-Fa-fxXoOpP_.,+\-]*")
# These are made of the same characters, and no reader takes them for numbers.
_SAFE_DIGITS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{1,9}(?:\.[0-9]{1,9}){2,}")

_TO_ESCAPE = re.compile(r"[^ !#-\[\]-~]")
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def is_plain(text: str) -> bool:
    """Say whether every reader takes *text*, unquoted on one line in a block, for that same string."""
    if _COMMON.fullmatch(text):
        return text.lower() not in _WORDS
    if not text or not text.isprintable() or text[-1] == " " or text.lower() in _WORDS:
        return False
    first = text[0]
    if first in "0123456789":
        if _NUMBER_LIKE.fullmatch(text) and not _SAFE_DIGITS.fullmatch(text):
            return False
    elif not _PLAIN_START.match(text) or (first == "-" and text.lstrip("-").lower() in _WORDS):
        return False
    if ":" in text and (first != "<" or ": " in text or text[-1] == ":"):
        return False
    return " #" not in text


def quoted(text: str) -> str:
    """Return *text* between double quotes, with escapes for all that is not printable.

    Raises InputError on a lone surrogate, which no YAML can carry.
    """
    return f'"{_TO_ESCAPE.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    short = _ESCAPES.get(char)
    if short is not None:
        return short
    if char.isprintable():
        return char
    code = ord(char)
    if is_half(code):
        raise InputError(f"the text holds half a character (U+{code:04X}), which YAML cannot carry")
    return code_escape(code)


def code_escape(code: int) -> str:
    """Return the escape sequence of the character number *code*, in the shortest form."""
    if code <= _LATIN:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _BASIC_PLANE else f"\\U{code:08x}"


def is_half(code: int) -> bool:
    """Say whether *code* is one half of a surrogate pair, which is no character."""
    return _SURROGATES[0] <= code <= _SURROGATES[1]


def scalar_text(text: str) -> str:
    """Return *text* as one line of YAML: plain where that is safe, else quoted."""
    return text if is_plain(text) else quoted(text)


def block_text(text: str, indent: str) -> str | None:
    """Return *text*, which has several lines, as a literal block scalar, or None where that would not do.

    The result begins with the header (``|``, ``|-``, ``|+``, with ``2`` where readers could not tell the indentation)
    and does not end with the last line break. *indent* is two columns deeper than the parent.
    """
    bare = text.strip("\n")
    if not bare or not text.replace("\n", "").replace("\t", "").isprintable():
        return None
    # Editors strip blanks at a line's end, and readers disagree about lines of blanks alone.
    if text[-1] in " \t" or " \n" in text or "\t\n" in text:
        return None
    header = "|2" if text[0] in " \t\n" else "|"
    if text[-1] != "\n":
        header += "-"
        body = text
    else:
        if text[-2] == "\n":
            header += "+"
        body = text[:-1]
    lines = [f"{indent}{line}" if line else "" for line in body.split("\n")]
    return "\n".join([header, *lines])


def resolve_plain(text: str) -> Scalar | None:
    """Return what the plain scalar *text* means: a bool, an int, None for null, else the text itself."""
    if text in RESOLVED:
        return RESOLVED[text]
    if _CANONICAL_INT.fullmatch(text):
        number = int(text)
        if INT64_MIN <= number <= INT64_MAX:
            return number
    return text
