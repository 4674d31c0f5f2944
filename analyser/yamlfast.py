"""The YAML that people and our writer write most, read a line at a time; it is the hot path of reading.

This reads a subset: block mappings and lists, one key or item a line, plain scalars, quoted ones without line breaks,
``{}``, ``[]``, literal block scalars and comments. ``OutsideSubset`` says that a text is not in it; the caller then
hands the text to a whole YAML parser. Nothing is accepted here that such a parser would read differently or refuse.

What each line means by itself is looked up (``analyser.yamllines``); the loop here puts the lines together.
"""

from __future__ import annotations

from itertools import islice
from operator import length_hint
from typing import Any

from analyser.model import Comment
from analyser.yamllines import (
    BLANK,
    BLANK_LINE,
    COMMENT,
    EMPTY,
    EMPTY_ITEM,
    ITEM_EMPTY,
    ITEM_VALUE,
    LINES,
    NESTED,
    NOT_IN_BLOCKS,
    OPEN,
    ROOT_EMPTY,
    SCALAR,
    TRAILING,
    Line,
    OutsideSubset,
)

# Stands for the level while comments wait for the next line to say whose they are; no line is at it.
_HOLDING = -5


class _Held:
    """A comment whose place is not known yet."""

    __slots__ = ("level", "lines", "target")

    def __init__(self, level: int, line: str, target: Any = None) -> None:
        self.level = level
        self.lines = [line]
        self.target = target


def read_document(lines: list[str], *, comments: bool = False, terminated: bool = True) -> tuple[dict[Any, Any], bool]:
    """Read one document's *lines*, without markers; also say whether there is one, besides comments and blank lines.

    *terminated* says whether the last line ended with a line break. Raises OutsideSubset.
    """
    tokens = list(map(LINES.__getitem__, lines))
    root: dict[Any, Any] = {}
    current: Any = root
    level = 0  # of current; -1 while the key or dash of the line before waits for what it holds; _HOLDING
    waiting: Any = None  # the key that waits, or None for an item of current
    waiting_level = 0
    stack: list[tuple[Any, int]] = []
    held: list[_Held] = []
    level_before = 0  # the level, while it is _HOLDING
    found = False
    rest = iter(tokens)
    for at, kind, key, value in rest:
        if not kind and at == level:
            if key in current:
                raise OutsideSubset
            current[key] = value
            continue
        if kind >= COMMENT:
            if kind == BLANK:
                continue
            if comments and kind in (COMMENT, TRAILING):
                if level != _HOLDING:
                    level_before = level
                    level = _HOLDING
                if kind == TRAILING:
                    held.append(_Held(at, value))
                else:
                    before = len(tokens) - length_hint(rest) - 2
                    previous = tokens[before] if before >= 0 else BLANK_LINE
                    if held and previous[1] == COMMENT and previous[0] == at:
                        held[-1].lines.append(value)
                    elif held:
                        held.append(_Held(at, value, held[0].target))
                    else:
                        held.append(_Held(at, value, _just_emptied(current, level_before, previous)))
            if kind == COMMENT:
                continue
            if kind == TRAILING:
                at, kind, key, value = key  # noqa: PLW2901  # the line without its comment
            elif kind == ROOT_EMPTY and not (root or stack or found) and _only_blank(rest):
                _place(held, 0, root, 0, stack)
                return root, True
            else:
                raise OutsideSubset
        found = True
        if held:
            level = level_before
            if level >= 0:
                current, level = _place(held, at, current, level, stack)
                held = []
        if at != level:
            if level < 0:
                if at <= waiting_level:
                    raise OutsideSubset
                opened: Any = [] if at & 1 else {}
                if waiting is None:
                    current.append(opened)
                else:
                    current[waiting] = opened
                stack.append((current, waiting_level))
                current = opened
                level = at
                if held:
                    for comment in held:
                        _put(comment, current)
                    held = []
            else:
                while level > at:
                    current, level = stack.pop()
                if at != level:
                    raise OutsideSubset
        if kind < SCALAR:
            if kind >= ITEM_VALUE:
                opened = {}
                current.append(opened)
                stack.append((current, level))
                current = opened
                level += 3
                kind -= ITEM_VALUE  # noqa: PLW2901  # from here on it is as any other key
            elif key in current:
                raise OutsideSubset
            if not kind:
                current[key] = value
            elif kind == OPEN:
                waiting = key
                waiting_level = level
                level = -1
            elif kind == EMPTY:
                current[key] = value()
            else:
                current[key] = _block(lines, rest, level >> 1, value, terminated)
        elif kind == SCALAR:
            current.append(value)
        elif kind == NESTED:
            waiting = None
            waiting_level = level
            level = -1
        elif kind == EMPTY_ITEM:
            current.append(value())
        else:
            current.append(_block(lines, rest, level >> 1, value, terminated))
    if held:
        level = level_before
        if level >= 0:
            _place(held, 0, current, level, stack)
    if level < 0:
        raise OutsideSubset
    return root, found or any(key.__class__ is not Comment for key in root)


def _just_emptied(current: Any, level: int, previous: Line) -> tuple[Any, int] | None:
    """Return the empty dict or list that the line before ended with, and the level of what would stand in it."""
    kind = previous[1]
    if kind in (EMPTY, ITEM_EMPTY):
        inner = next(reversed(current.values()))
        deeper = {list: 1, dict: 4}
    elif kind == EMPTY_ITEM:
        inner = current[-1]
        deeper = {list: 4, dict: 3}
    else:
        return None
    # Where it is a string, the line before was not what it looks like: it was a block scalar's.
    by = deeper.get(inner.__class__)
    return None if by is None else (inner, level + by)


def _place(held: list[_Held], floor: int, current: Any, level: int, stack: list[tuple[Any, int]]) -> tuple[Any, int]:
    """Put each comment into the deepest open dict or list that its column reaches, none less deep than *floor*.

    Returns what is open afterwards, and its level.
    """
    for comment in held:
        target = comment.target
        if target is not None and comment.level >= target[1]:
            _put(comment, target[0])
            continue
        wanted = max(comment.level, floor)
        while level > wanted:
            current, level = stack.pop()
        _put(comment, current)
    return current, level


def _put(comment: _Held, container: Any) -> None:
    if container.__class__ is list:
        container.append(Comment("\n".join(comment.lines)))
    else:
        container[Comment("\n".join(comment.lines))] = None


def _only_blank(rest: Any) -> bool:
    return all(kind in (COMMENT, BLANK) for _, kind, _, _ in rest)


def _block(lines: list[str], rest: Any, parent: int, header: tuple[int, str], terminated: bool) -> str:
    """Return the literal block scalar whose first line is the next one of *rest*, and move *rest* behind it.

    *parent* is the column of what holds it. *header* is the indentation indicator (or 0) and the chomping one.
    """
    start = len(lines) - length_hint(rest)
    digit, chomp = header
    end = start
    count = len(lines)
    while end < count and not lines[end]:
        end += 1
    if end == count:
        raise OutsideSubset
    indent = parent + digit if digit else len(lines[end]) - len(lines[end].lstrip(" "))
    if indent <= parent:
        raise OutsideSubset
    prefix = " " * indent
    body: list[str] = []
    at = start
    while at < count:
        line = lines[at]
        if line.startswith(prefix) and len(line) > indent:
            text = line[indent:]
            if text.isspace() or (text[0] == "\t" and not digit and not any(body)):
                raise OutsideSubset  # whether these blanks are text or indentation is for the parser to say
            body.append(text)
        elif not line:
            body.append("")
        elif line.isspace():
            raise OutsideSubset
        else:
            break
        at += 1
    if at == count and not terminated:
        raise OutsideSubset
    next(islice(rest, at - start, at - start), None)
    trailing = 0
    while body and not body[-1]:
        body.pop()
        trailing += 1
    if not body:
        raise OutsideSubset
    text = "\n".join(body)
    unbroken = "".join(body)
    if not unbroken.isprintable() and NOT_IN_BLOCKS.search(unbroken):
        raise OutsideSubset
    if chomp == "-":
        return text
    return text + "\n" * (1 + trailing) if chomp == "+" else text + "\n"
