"""What one line of YAML means by itself, in the subset that the fast reader knows; remembered between calls.

Each line is a tuple ``(level, kind, key, value)``. The level is twice the column for a key, one more for a dash: a list
may stand at its key's own column and still be deeper than it, and what comes next closes all that is deeper.
"""

from __future__ import annotations

import re
import sys
from typing import Any, TypeAlias

from analyser.yamlscalars import RESOLVED, is_half, is_plain, resolve_plain


class OutsideSubset(Exception):  # noqa: N818  # a signal between two modules, never an error that anyone sees
    """The text needs a whole YAML parser."""


_MEMO_ENTRIES = 8192
_MEMO_LENGTH = 120
# Readers look for a key's colon within 1,024 characters. An escape sequence has at most ten.
_SAFE_LINE = 1000
_SAFE_KEY = 100
# A text with deeper columns is left to the parser that counts levels.
_MAX_COLUMN = 400

# What a line is. The order matters: the loop tells keys from dashes by it.
VALUE, OPEN, EMPTY, BLOCK = range(4)  # "key: value", "key:", "key: {}", "key: |"
ITEM_VALUE, ITEM_OPEN, ITEM_EMPTY, ITEM_BLOCK = range(4, 8)  # the same after a dash
SCALAR, NESTED, EMPTY_ITEM, BLOCK_ITEM = range(8, 12)  # "- value", "-", "- {}", "- |"
COMMENT, BLANK, TRAILING, ROOT_EMPTY, OTHER = range(12, 17)

Line: TypeAlias = tuple[int, int, Any, Any]  # level, kind, key, value

_LINE = re.compile(
    r"( *)(?:(-)(?: (?! )|$))?"  # indentation and dash
    r"(?:(?:([\w/.][\w./-]*+)|(\"(?:[^\"\\]++|\\.)*+\")):(?: +|$))?"  # a key, plain or quoted
    r"(.*)"
)
# What most lines are, told apart from the rest in one step: a key and a word, or a key alone.
_COMMON = re.compile(r"( *)(- )?([A-Za-z][A-Za-z0-9./-]*+):(?: ([A-Za-z/][A-Za-z0-9_./@+=,%-]*+))?")
# After "-" only what cannot be another indicator.
_PLAIN_START = re.compile(r"[\w/.+<($~^;\\=]|-[\w/.+-]")
_DOUBLE = re.compile(r'"((?:[^"\\]++|\\.)*+)"')
_SINGLE = re.compile(r"'((?:[^']++|'')*+)'")
_ESCAPE = re.compile(r"\\(?:([nrt\"\\/])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}
_HEADER = re.compile(r"\|([1-9]?)([+-]?)")
# What YAML allows inside a block scalar, less what some version of it takes for a line break.
NOT_IN_BLOCKS = re.compile("[^\t -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_OTHER_LINE: Line = (-2, OTHER, None, None)
BLANK_LINE: Line = (-2, BLANK, None, None)


class Lines(dict[str, Line]):
    """What each line means; bounded in entries and in their length."""

    def __missing__(self, line: str) -> Line:
        try:
            result = _parse_line(line)
        except OutsideSubset:
            result = _OTHER_LINE
        if len(line) <= _MEMO_LENGTH:
            if len(self) >= _MEMO_ENTRIES:
                self.clear()
            self[line] = result
        return result


LINES = Lines()


def _parse_line(line: str) -> Line:
    match = _COMMON.fullmatch(line)
    if match is not None:
        indent, dash, key, word = match.groups()
        level = 2 * len(indent) + 1 if dash else 2 * len(indent)
        base = ITEM_VALUE if dash else VALUE
        if level <= 2 * _MAX_COLUMN and len(line) <= _SAFE_LINE:
            if word is None:
                return (level, base + 1, key, None)
            meaning = RESOLVED.get(word, word)
            if meaning is not None:
                return (level, base, key, meaning)
    if not line.strip(" "):
        return BLANK_LINE
    match = _LINE.fullmatch(line)
    if match is None:
        raise OutsideSubset
    indent, dash, plain_key, quoted_key, rest = match.groups()
    level = 2 * len(indent)
    if rest[:1] == "#" and not dash and plain_key is None and quoted_key is None:
        if NOT_IN_BLOCKS.search(line):
            raise OutsideSubset
        return (level, COMMENT, None, rest[1:])
    rest = rest.rstrip(" ")
    if not line.isprintable() or len(indent) > _MAX_COLUMN:
        raise OutsideSubset
    if dash:
        level += 1
    if plain_key is not None:
        key = plain_key
        base = ITEM_VALUE if dash else VALUE
    elif quoted_key is not None:
        key = _double(quoted_key)
        base = ITEM_VALUE if dash else VALUE
    elif (found := _unusual_key(rest)) is not None:
        key = found
        rest = rest[len(key) + 1 :].lstrip(" ")
        base = ITEM_VALUE if dash else VALUE
    elif dash:
        key = None
        base = SCALAR
    elif rest == "{}":
        return (level, ROOT_EMPTY, None, None)
    else:
        raise OutsideSubset
    if len(line) > _SAFE_LINE and key is not None and len(key) > _SAFE_KEY:
        raise OutsideSubset
    if not rest:
        return (level, base + 1, key, None)
    first = rest[0]
    trailing = None
    if first == "#":
        return (level, TRAILING, (level, base + 1, key, None), rest[1:])
    value: Any
    if first == '"':
        value, trailing = _with_trailing(_DOUBLE, rest)
        value = _double(f'"{value}"')
    elif first == "'":
        value, trailing = _with_trailing(_SINGLE, rest)
        value = value.replace("''", "'")
    elif rest == "{}":
        return (level, base + 2, key, dict)
    elif rest == "[]":
        return (level, base + 2, key, list)
    elif first == "|":
        header = _HEADER.fullmatch(rest)
        if header is None:
            raise OutsideSubset
        return (level, base + 3, key, (int(header[1] or 0), header[2]))
    else:
        if not _PLAIN_START.match(rest):
            raise OutsideSubset
        if " #" in rest:
            rest, _, trailing = rest.partition(" #")
            rest = rest.rstrip(" ")
        if ": " in rest or rest[-1] in ": ":
            raise OutsideSubset
        value = resolve_plain(rest)
        if value is None:
            raise OutsideSubset  # what becomes of a null is decided in one place
    result = (level, base, key, value)
    return result if trailing is None else (level, TRAILING, result, trailing)


def _unusual_key(rest: str) -> str | None:
    """Return the plain key that *rest* begins with, if it is one that the writer leaves plain."""
    if rest[:1] in "\"'|":
        return None
    key, colon, _ = rest.partition(": ")
    if not colon:
        if rest[-1:] != ":":
            return None
        key = rest[:-1]
    return key if is_plain(key) else None


def _with_trailing(pattern: re.Pattern[str], rest: str) -> tuple[str, str | None]:
    """Return what stands between the quotes and the comment after them, if there is one."""
    match = pattern.match(rest)
    if match is None:
        raise OutsideSubset
    after = rest[match.end() :]
    if not after:
        return match[1], None
    bare = after.lstrip(" ")
    if bare[:1] != "#" or bare == after:
        raise OutsideSubset
    return match[1], bare[1:]


def _double(quoted: str) -> str:
    text = quoted[1:-1]
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    short = match[1]
    if short:
        return _ESCAPED[short]
    if match[5]:
        raise OutsideSubset
    code = int(match[2] or match[3] or match[4], 16)
    if code > sys.maxunicode or is_half(code):
        raise OutsideSubset
    return chr(code)
