"""All of YAML, on top of PyYAML's parser: for what the fast reader leaves alone, and for positions.

The model is built from the parser's events with a stack of our own, so that no nesting overflows Python's, and scalars
mean what ``analyser.yamlscalars`` says. Anchors, aliases and merge keys work; an alias is a copy, and how much a
document may grow by them is bounded. Comments are lost here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from analyser.yamlerrors import in_plain_words, refuse_controls
from analyser.yamlscalars import resolve_plain
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analyser.model import Node

MAX_DEPTH = 512
"""How many mappings and lists may nest: what the writer can write (a mapping and a list for each XML element)."""

MAX_ALIAS_NODES = 1_000_000
MAX_ALIAS_CHARACTERS = 10 * 2**20

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """Where a key and its value stand, from 1. A list's item is its own key."""

    key_line: int
    key_column: int
    line: int
    column: int


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = {f"{_TAG}int": int, f"{_TAG}bool": bool, f"{_TAG}null": type(None)}
_MERGE = object()


class _Frame:
    """A mapping or list whose end has not come yet."""

    __slots__ = ("anchor", "container", "key", "key_mark", "merged", "path", "seen")

    def __init__(self, container: Any, anchor: str | None, path: Path) -> None:
        self.container = container
        self.anchor = anchor
        self.path = path
        self.key: Any = None
        self.key_mark: Any = None
        self.seen: dict[str, int] = {}
        self.merged: list[tuple[Any, Any]] = []


def parse(
    text: str, *, file: str | None = None, first_line: int = 1, with_marks: bool = False
) -> Iterator[tuple[Node, dict[Path, Mark]]]:
    """Yield each document of *text* that is not empty, with the marks of its nodes if they are wanted.

    *first_line* is the number of *text*'s first line in *file*. Raises InputError.
    """
    refuse_controls(text, file, first_line)
    loader = _Loader(text)
    try:
        builder = _Builder(file, first_line, with_marks)
        while loader.check_event():
            event = loader.get_event()
            builder.feed(event)
            if event.__class__ is yaml.DocumentEndEvent:
                if builder.finished is not None:
                    yield builder.finished
                builder = _Builder(file, first_line, with_marks)
    except yaml.MarkedYAMLError as error:
        raise in_plain_words(error, text, file, first_line) from None
    except yaml.YAMLError as error:
        raise InputError(" ".join(str(error).split()), file=file) from None
    finally:
        loader.dispose()


class _Builder:
    """Makes one document out of events."""

    def __init__(self, file: str | None, first_line: int, with_marks: bool) -> None:
        self.finished: tuple[Node, dict[Path, Mark]] | None = None
        self._file = file
        self._first_line = first_line
        self._marks: dict[Path, Mark] | None = {} if with_marks else None
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Any] = {}
        self._nodes = 0
        self._characters = 0

    def feed(self, event: yaml.Event) -> None:
        kind = event.__class__
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event, kind is yaml.MappingStartEvent)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._alias(event)

    def _error(self, message: str, event: Any, hint: str | None = None) -> InputError:
        mark = event.start_mark
        return InputError(
            message, file=self._file, line=mark.line + self._first_line, column=mark.column + 1, hint=hint
        )

    def _expects_key(self) -> bool:
        if not self._stack:
            return False
        frame = self._stack[-1]
        return frame.container.__class__ is dict and frame.key is None

    def _scalar(self, event: Any) -> None:
        value = self._value(event)
        if not self._expects_key():
            if event.anchor:
                self._anchors[event.anchor] = value
            self._put(value, event)
        elif value is not None or event.value:
            plain = event.implicit[0]
            if event.anchor:
                self._anchors[event.anchor] = event.value
            self._key(_MERGE if plain and event.value == "<<" else event.value, event)
        else:
            raise self._error("a key is missing before this colon", event)

    def _value(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            plain = event.implicit[0] and tag is None
            return resolve_plain(event.value) if plain else event.value
        if tag in (f"{_TAG}str", f"{_TAG}float"):
            return event.value
        wanted = _SCALAR_TAGS.get(tag)
        if wanted is None:
            raise self._unknown_tag(event)
        value = resolve_plain(event.value)
        if type(value) is not wanted:
            raise self._error(f"{event.value!r} is no {tag.removeprefix(_TAG)}", event)
        return value

    def _unknown_tag(self, event: Any) -> InputError:
        return self._error(f"the tag {event.tag.replace(_TAG, '!!')!r} is not known", event, "leave the tag out")

    def _key(self, key: Any, event: Any) -> None:
        frame = self._stack[-1]
        if key is not _MERGE:
            first = frame.seen.get(key)
            if first is not None:
                raise self._error(f"the key {key!r} is there twice (first on line {first})", event)
            frame.seen[key] = event.start_mark.line + self._first_line
        frame.key = key
        frame.key_mark = event.start_mark

    def _open(self, event: Any, is_mapping: bool) -> None:
        if self._expects_key():
            raise self._error("a key must be a single value, not a mapping or a list", event)
        if event.tag not in (None, "!", f"{_TAG}map" if is_mapping else f"{_TAG}seq"):
            raise self._unknown_tag(event)
        if not self._stack and not is_mapping:
            raise self._error("a document must be a mapping, not a list", event)
        if len(self._stack) >= MAX_DEPTH:
            raise self._error(f"the document nests deeper than {MAX_DEPTH} levels", event)
        container: Any = {} if is_mapping else []
        path: Path = ()
        if self._stack:
            path = self._put(container, event)
        if event.anchor:
            self._anchors[event.anchor] = self  # known, but not complete: nothing may refer to it yet
        self._stack.append(_Frame(container, event.anchor, path))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.merged:
            sources: list[Any] = []
            for value, at in frame.merged:
                several = value if isinstance(value, list) else [value]
                if not all(isinstance(each, dict) for each in several):
                    raise self._error("a merge key (<<) takes mappings alone", at)
                sources.extend(several)
            own = dict(frame.container)
            frame.container.clear()
            for source in reversed(sources):
                frame.container.update(source)
            frame.container.update(own)
        if frame.anchor:
            self._anchors[frame.anchor] = frame.container
        if not self._stack:
            self.finished = (frame.container, self._marks or {})

    def _alias(self, event: Any) -> None:
        try:
            value = self._anchors[event.anchor]
        except KeyError:
            raise self._error(f"there is no anchor {event.anchor!r} before this alias", event) from None
        if value is self:
            raise self._error(f"the anchor {event.anchor!r} contains itself", event)
        if not self._expects_key():
            self._put(self._copy(value, event), event)
        elif isinstance(value, str):
            self._key(value, event)
        else:
            raise self._error("a key must be a string", event)

    def _copy(self, value: Any, event: Any) -> Any:
        """Return a copy of *value*, counted against the bound on what aliases may add."""
        holder: list[Any] = []
        work: list[tuple[Any, Any, Any, int]] = [(value, holder, None, len(self._stack))]
        while work:
            node, target, key, depth = work.pop()
            self._nodes += 1
            if node.__class__ is str:
                self._characters += len(node)
            if self._nodes > MAX_ALIAS_NODES or self._characters > MAX_ALIAS_CHARACTERS:
                raise self._error("the document grows too large by its aliases", event)
            copy = node
            if isinstance(node, dict | list):
                if depth >= MAX_DEPTH:
                    raise self._error(f"the document nests deeper than {MAX_DEPTH} levels by its aliases", event)
                # Keys and items are put in place first, so that their order does not depend on the order of work.
                copy = dict.fromkeys(node) if isinstance(node, dict) else [None] * len(node)
                entries = node.items() if isinstance(node, dict) else enumerate(node)
                work.extend((child, copy, name, depth + 1) for name, child in entries)
            if target is holder:
                holder.append(copy)
            else:
                target[key] = copy
        return holder[0]

    def _put(self, value: Any, event: Any) -> Path:
        """Put *value* where it belongs and return its path (empty unless marks are wanted)."""
        if not self._stack:
            if value is not None:
                raise self._error("a document must be a mapping, not a single value", event)
            return ()
        frame = self._stack[-1]
        container = frame.container
        name: Any
        if container.__class__ is list:
            if value is None:
                raise self._error("a list's item is empty", event)
            name = len(container)
            container.append(value)
            key_mark = event.start_mark
        else:
            name = frame.key
            key_mark = frame.key_mark
            frame.key = None
            if name is _MERGE:
                frame.merged.append((value, event))
                return frame.path
            if value is not None:
                container[name] = value
        if self._marks is None:
            return ()
        path = (*frame.path, name)
        if value is not None:
            mark = event.start_mark
            first = self._first_line
            self._marks[path] = Mark(key_mark.line + first, key_mark.column + 1, mark.line + first, mark.column + 1)
        return path
