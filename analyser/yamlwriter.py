r"""The model as YAML text, written directly: it is the hot path of ``convert`` and ``import``.

Always block style: two spaces a level, lists at their key's own indentation, no line folding, no ``---``. What the same
strings look like is remembered between calls, because an estate's documents repeat each other; the memory is bounded.

Comments stand where they stood, each line as ``#`` and its text. Two in a row are separated by an empty line. So that
a reader can tell whose a comment is, its column says so: the column of the dict's keys, or of the list's dashes; only
after a list's last item it is one column further in. A dict or list that holds nothing but comments is written as
``{}`` or ``[]`` with the comments below it, in its own column (for a whole document: above it). Characters that YAML
forbids or takes for line breaks are written in comments as ``\xNN`` or ``\uNNNN``, which is not undone by reading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from analyser.model import Comment
from analyser.yamlscalars import INT64_MAX, INT64_MIN, block_text, code_escape, scalar_text
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from analyser.model import Node

    Append = Callable[[str], None]

MAX_LEVELS = 256
"""How many dicts may nest; as deep as an XML parser lets elements nest."""

_MEMO_ENTRIES = 8192
_MEMO_LENGTH = 100
# Readers look for the ":" of a key within 1,024 characters; longer keys need the "? " form.
_SIMPLE_KEY_LENGTH = 1000

_values: dict[str, str] = {}
_integers: dict[int, str] = {}
# One dict of keys for each level, each with its line break and indentation, and one with the dash of a list item.
_KeyMemo = dict[Any, str]
_root_key: _KeyMemo = {}
_keys: list[_KeyMemo] = [{} for _ in range(MAX_LEVELS)]
_item_keys: list[_KeyMemo] = [{} for _ in range(MAX_LEVELS)]
_dashes = ["\n" + "  " * level + "-" for level in range(MAX_LEVELS)]
_key_count = 0

_NOT_IN_COMMENTS = re.compile("[^\t -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def dump(document: Node) -> str:
    """Return *document* as one YAML document that ends with a line break.

    Raises TypeError where the model is not kept (None, floats, other types), InputError where YAML cannot carry the
    value (half a surrogate pair, an integer outside int64, more than MAX_LEVELS levels).
    """
    if not document:
        return "{}\n"
    out: list[str] = []
    try:
        _mapping(document, _root_key, 0, out.append, out)
    except (IndexError, RecursionError):
        raise InputError(f"the document nests deeper than {MAX_LEVELS} levels") from None
    out.append("\n")
    return "".join(out)


def _mapping(node: dict[Any, Any], keys: _KeyMemo, level: int, append: Append, out: list[str]) -> None:
    """Write *node*: its first key from *keys*, which has the dash of a list's item, the others from the level's."""
    rest = _keys[level]
    for key, value in node.items():
        kind = value.__class__
        if kind is str:
            try:
                append(keys[key] + _values[value])
            except KeyError:
                append(_key(key, keys, level) + _text(value, level))
        elif kind is dict:
            try:
                append(keys[key])
            except KeyError:
                append(_key(key, keys, level))
            if value:
                _mapping(value, _keys[level + 1], level + 1, append, out)
            else:
                append(" {}")
        elif kind is list:
            try:
                append(keys[key])
            except KeyError:
                append(_key(key, keys, level))
            if value:
                _items(value, level, append, out)
            else:
                append(" []")
        elif kind is bool:
            try:
                append(keys[key] + (" true" if value else " false"))
            except KeyError:
                append(_key(key, keys, level) + (" true" if value else " false"))
        elif kind is int:
            try:
                append(keys[key] + _integers[value])
            except KeyError:
                append(_key(key, keys, level) + _integer(value))
        elif key.__class__ is Comment and value is None:
            only = False
            if key is next(iter(node)):
                only = all(other.__class__ is Comment for other in node)
                if keys is not rest and level:
                    append(_dashes[level - 1])
                if only and keys is not _root_key:
                    append(" {}")
            text = _comment(key, "\n" + "  " * level, out)
            append(text if out else text[1:])
            if only and keys is _root_key:
                for other in list(node)[1:]:
                    append(_comment(other, "\n", out))
                append("\n{}")
                return
        else:
            append(_key(key, keys, level) + _other(value, level))
        keys = rest


def _items(items: list[Any], level: int, append: Append, out: list[str]) -> None:
    """Write a list whose dashes stand at *level*."""
    first = _item_keys[level]
    dash = _dashes[level]
    for item in items:
        kind = item.__class__
        if kind is dict:
            if item:
                _mapping(item, first, level + 1, append, out)
            else:
                append(dash + " {}")
        elif kind is str:
            try:
                append(dash + _values[item])
            except KeyError:
                append(dash + _text(item, level))
        elif kind is Comment:
            if item is items[0] and all(other.__class__ is Comment for other in items):
                append(" []")
            # All that is left is written from here, so that the loop above need not ask what comes next.
            at = next(index for index, other in enumerate(items) if other is item)
            _comments_and_items(items[at:], level, append, out)
            return
        elif kind is list:
            append(dash)
            if item:
                _items(item, level + 1, append, out)
            else:
                append(" []")
        else:
            append(dash + _other(item, level))


def _comments_and_items(items: list[Any], level: int, append: Append, out: list[str]) -> None:
    last = max((index for index, item in enumerate(items) if item.__class__ is not Comment), default=-1)
    for index, item in enumerate(items):
        if item.__class__ is not Comment:
            _items([item], level, append, out)
        else:
            append(_comment(item, "\n" + "  " * level + (" " if index > last else ""), out))


def _comment(comment: Comment, start: str, out: list[str]) -> str:
    """Return *comment* with *start* (a line break and the indentation) before each line, apart from one above it."""
    start += "#"
    text = "".join(start + line for line in comment.text.split("\n"))
    if _NOT_IN_COMMENTS.search(text.replace("\n", "")):
        text = "\n".join(_NOT_IN_COMMENTS.sub(_visible, line) for line in text.split("\n"))
    follows_another = bool(out) and ("\n" + out[-1].lstrip("\n")).startswith(start)
    return "\n" + text if follows_another else text


def _visible(match: re.Match[str]) -> str:
    return code_escape(ord(match[0]))


def clear() -> None:
    """Forget what strings look like."""
    global _key_count  # noqa: PLW0603  # one bound for all levels together
    _values.clear()
    _integers.clear()
    for memo in (_root_key, *_keys, *_item_keys):
        memo.clear()
    _key_count = 0


def _key(key: object, keys: _KeyMemo, level: int) -> str:
    """Return *key* with its line break, indentation or dash, and colon, and remember it."""
    global _key_count  # noqa: PLW0603  # one bound for all levels together
    if not isinstance(key, str):
        raise TypeError(f"a key must be a str, not {type(key).__name__}")
    start = "" if keys is _root_key else _dashes[level - 1] + " " if keys is not _keys[level] else "\n" + "  " * level
    text = scalar_text(key)
    if len(text) > _SIMPLE_KEY_LENGTH:
        return f"{start}? {text}\n{'  ' * level}:"
    rendered = f"{start}{text}:"
    if len(key) <= _MEMO_LENGTH:
        if _key_count >= _MEMO_ENTRIES:
            for memo in (_root_key, *_keys, *_item_keys):
                memo.clear()
            _key_count = 0
        _key_count += 1
        keys[key] = rendered
    return rendered


def _text(text: str, level: int) -> str:
    """Return the string *text* as it follows a key or dash at *level*, and remember it if it is short."""
    if "\n" in text:
        block = block_text(text, "  " * (level + 1))
        if block is not None:
            return " " + block
    rendered = " " + scalar_text(text)
    if len(text) <= _MEMO_LENGTH and "\n" not in text:
        if len(_values) >= _MEMO_ENTRIES:
            _values.clear()
        _values[text] = rendered
    return rendered


def _integer(number: int) -> str:
    if not INT64_MIN <= number <= INT64_MAX:
        raise InputError(f"{number} does not fit into 64 bits")
    if len(_integers) >= _MEMO_ENTRIES:
        _integers.clear()
    rendered = _integers[number] = f" {number}"
    return rendered


def _other(value: object, level: int) -> str:
    """Return a value of a rare type: a subclass of what the model has."""
    if isinstance(value, bool):
        return " true" if value else " false"
    if isinstance(value, int):
        return _integer(int(value))
    if isinstance(value, str):
        return _text(str(value), level)
    raise TypeError(f"the model has no {type(value).__name__}")
