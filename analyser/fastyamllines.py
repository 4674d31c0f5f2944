"""What one line of YAML, as our writer prints it, is in XML; remembered for each type of map that it stands in.

A map is open in one of three phases: attributes may come (its start tag is not closed yet), children may come, or
nothing more (its text was there). Keys whose value is plain are worked out once from the tables; every other line is
read by ``analyser.yamllines`` and written by the codec itself, on its own. ``NotAccepted`` says that it cannot be.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from analyser.codec.encode import encode, escape, scalar
from analyser.codec.scalars import BOOLEANS
from analyser.fastmemory import DEEPEST, LONGEST_LINE, MOST_DIFFERENT, NotAccepted
from analyser.foreignlines import is_canonical
from analyser.sizes import parse
from analyser.yamllines import BLOCK, EMPTY, LINES, OPEN, SCALAR, VALUE
from analyser.yamlscalars import RESOLVED
from schemas.errors import InputError
from schemas.table import ATTRIBUTE, ELEMENT, TEXT, Field, Type, table

if TYPE_CHECKING:
    from analyser.fastmemory import Memory

_LEAVES = frozenset({"string", "enum", "integer", "yesno", "onoff"})
_SIMPLE = _LEAVES | {"size"}
WORDS = {value: {"false": words[False], "true": words[True]} for value, words in BOOLEANS.items()}

# Scalars that stand for themselves in XML, whatever YAML takes them for; without those in RESOLVED.
_PLAIN = re.compile(r"-?[A-Za-z0-9_/][\w./,;=+^@%|()*~-]*(?: [\w./,;=+^@%|()*~-]+)*", re.ASCII)
_QUOTED = re.compile(r'"([^"\\&<>\']+)"')


def plain(value: str) -> str | None:
    """Return what the scalar *value* is in XML where it stands for itself; None where that takes the codec."""
    if _PLAIN.fullmatch(value) and value not in RESOLVED:
        return value
    quoted = _QUOTED.fullmatch(value)
    return quoted[1] if quoted is not None and value.isprintable() else None


HEAD, BODY, DONE = range(3)
"""The phases of a map: its attributes may follow, its children may follow, nothing may follow."""


class Block:
    """Stands for the lines of a block scalar with foreign content, all of which begin with *prefix*."""

    __slots__ = ("_column", "element", "key", "prefix", "start")

    def __init__(self, element: Element, key: str, start: str) -> None:
        self.element = element
        self.key = key
        self.start = start
        self._column = element.column + 2
        self.prefix = " " * self._column

    def xml(self, lines: list[str]) -> str:
        """Return the element with the content *lines*."""
        element = self.element
        tag = element.kind.by_key[self.key].xml
        if not lines:
            raise NotAccepted
        # As they stand in XML: an import has met them there.
        outer = "\n".join([line[element.offset :] for line in lines])
        if is_canonical(outer, self._column - element.offset):
            return f"{self.start}{element.inside}<{tag}>\n{outer}{element.inside}</{tag}>"
        value = "\n".join([line[self._column :] for line in lines])
        if element.depth or value[:1] == " " or not all(map(str.isprintable, lines)):
            raise NotAccepted
        return self.start + element.child(self.key, value)


class Beside:
    """Stands for an attribute of a size element, which was written by the line before."""

    __slots__ = ("attribute", "tag")

    def __init__(self, tag: str, attribute: str) -> None:
        self.tag = f"<{tag}"
        self.attribute = attribute

    def put(self, written: str) -> str:
        """Return what was *written* last, the size element, with the attribute."""
        place = written.find(self.tag) + len(self.tag)
        if place < len(self.tag) or not written.startswith((">", " unit='"), place):
            raise NotAccepted
        return written[:place] + self.attribute + written[place:]


class Remark:
    """Stands for a comment among the keys of a map, whose lines begin with *prefix*; *start* stands before its XML."""

    __slots__ = ("first", "prefix", "start")

    def __init__(self, first: str, prefix: str, start: str) -> None:
        self.first = first
        self.prefix = prefix
        self.start = start

    def xml(self, lines: list[str]) -> str:
        """Return the comment with its further *lines*."""
        lines = [self.first, *lines]
        for line in lines:
            if not line.isascii() or not line.isprintable() or "--" in line or line[-1:] == "-":
                raise NotAccepted
        return f"{self.start}<!--{chr(10).join([line[len(self.prefix) :] for line in lines])}-->"


class Lines(dict[str, "Entry"]):
    """The lines seen in one place of *element*, with what is written where the place is left.

    A list *repeats* its one key; it is a place of the element that it stands in.
    """

    __slots__ = ("close", "element", "pieces", "repeats")

    def __init__(self, element: Element, close: str, *, repeats: bool) -> None:
        self.element = element
        self.close = close
        self.repeats = repeats
        self.pieces: Any = None  # what several lines are that begin here: ``analyser.fastyamlpieces``

    def __missing__(self, line: str) -> Entry:
        """Return what *line* is; UP where it stands further out."""
        raise NotImplementedError

    def keep(self, line: str, entry: Entry) -> Entry:
        """Remember what *line* is, and return it."""
        self.element.memory.count()
        if len(line) <= LONGEST_LINE:
            self[line] = entry
        return entry


# The bit of the line's key (0: a comment, or the place is left), the XML text, the place that replaces this one, the
# place that is entered, and what else the line says, as a line of that place.
Entry = tuple[int, str, "Lines | None", "Lines | Block | Remark | Beside | None", "str | None"]
UP: Entry = (0, "", None, None, None)


class _Slot:
    """A key with a plain value: its bit, what stands before and after the value in XML, and the phase after it.

    *special* is what words stand for, or for a size the unit that libvirt prints.
    """

    __slots__ = ("after", "before", "bit", "kept", "phase", "special")

    def __init__(
        self, bit: int, before: str, after: str, phase: Lines | None, special: dict[str, str] | str | None
    ) -> None:
        self.bit = bit
        self.before = before
        self.after = after
        self.phase = phase
        self.special = special
        self.kept = 0


class Element:
    """A map: an element of one type, name and depth."""

    def __init__(self, memory: Memory, kind: Type, tag: str, depth: int, offset: int, *, pair: bool, uri: str) -> None:
        if depth > DEEPEST:
            raise NotAccepted
        self.memory = memory
        self.kind = kind
        self.tag = tag
        self.depth = depth
        self.offset = offset
        self.column = offset + 2 * depth + 2
        self.pair = pair
        self.uri = uri
        self.inside = "\n" + "  " * (depth + 1)
        self.bits = _bits(kind)
        end = f"\n{'  ' * depth}</{tag}>"
        self.phases = [_Keys(self, HEAD, f">{end}" if pair else "/>"), _Keys(self, BODY, end), _Keys(self, DONE, "")]

    def name(self, field: Field) -> str:
        """Return the name of a child in XML, where its namespace is known to be declared."""
        name: str = field.xml
        if name[0] != "{":
            return name
        uri, _, local = name[1:].partition("}")
        # Only what the root element itself holds is looked through for namespaces to declare.
        if self.depth and uri != self.uri:
            raise NotAccepted
        return f"{table().namespaces[uri]}:{local}"

    def inner(self, field: Field) -> Element:
        """Return the element that a ``map`` field holds."""
        kind, tag = field.type, self.name(field)
        key = (kind.name, tag, self.depth + 1, self.offset, field.pair)
        found: Element | None = self.memory.places.get(key)
        if found is None:
            self.memory.count()
            uri = field.xml[1:].partition("}")[0] if field.xml[0] == "{" else ""
            found = Element(self.memory, kind, tag, self.depth + 1, self.offset, pair=field.pair, uri=uri)
            self.memory.places[key] = found
        return found

    def child(self, key: str, value: Any) -> str:
        """Return the child *key*, in XML with its line break, as the codec writes it."""
        text = self._encoded(key, value)
        if not (text.startswith("<x>\n  ") and text.endswith("\n</x>\n")):
            raise NotAccepted
        return self.inside + text[len("<x>\n  ") : -len("\n</x>\n")]

    def empty(self, field: Field, tag: str) -> str:
        """Return the child of a ``map`` field with nothing in it, in XML with its line break."""
        return f"{self.inside}<{tag}>{self.inside}</{tag}>" if field.pair else f"{self.inside}<{tag}/>"

    def attribute(self, key: str, value: Any) -> str:
        """Return the attribute *key*, with a space in front."""
        return self._encoded(key, value)[len("<x") : -len("/>\n")]

    def text(self, key: str, value: Any) -> str:
        """Return the element's own text; NotAccepted where there is none."""
        text = self._encoded(key, value)
        if text == "<x/>\n":
            raise NotAccepted
        return text[len("<x>") : -len("</x>\n")]

    def _encoded(self, key: str, value: Any) -> str:
        try:
            return encode({key: value}, self.kind, "x", {})
        except (InputError, KeyError):
            raise NotAccepted from None


@cache
def _bits(kind: Type) -> dict[str, int]:
    return {key: 1 << place for place, key in enumerate(kind.by_key)}


class _Keys(Lines):
    """The keys of a map in one phase."""

    __slots__ = ("_phase", "_prefix", "_slots")

    def __init__(self, element: Element, phase: int, close: str) -> None:
        super().__init__(element, close, repeats=False)
        self._phase = phase
        self._prefix = " " * element.column
        # What stands round a plain value, and the phase after it; None where the codec writes the line.
        self._slots: dict[str, _Slot | None] = {}

    def __missing__(self, line: str) -> Entry:
        if not line.startswith(self._prefix):
            return self.keep(line, UP)
        key, colon, value = line[len(self._prefix) :].partition(": ")
        if not colon:
            return self.keep(line, self._open(line, key[:-1]) if key.endswith(":") else self._by_codec(line))
        slot = self._slots[key] if key in self._slots else self._slot(key)
        if slot is None:
            return self.keep(line, self._by_codec(line))
        before, special = slot.before, slot.special
        if not _PLAIN.fullmatch(value) or value in RESOLVED:
            quoted = _QUOTED.fullmatch(value)
            if special.__class__ is dict and value in special:
                value = special[value]
            elif quoted is not None and value.isprintable():
                value = quoted[1]
            else:
                return self.keep(line, self._by_codec(line))
        if special.__class__ is str:
            before, value = self._size(before, value, slot.after, special)
        entry = (slot.bit, f"{before}{value}{slot.after}", slot.phase, None, None)
        slot.kept += 1
        return self.keep(line, entry) if slot.kept <= MOST_DIFFERENT else entry

    def _slot(self, key: str) -> _Slot | None:
        element = self.element
        field = element.kind.by_key.get(key)
        slot: _Slot | None = None
        if field is not None and field.owner is None and not field.many and field.value in _SIMPLE:
            bit = element.bits[key]
            special = field.unit if field.value == "size" else WORDS.get(field.value)
            if field.where is ATTRIBUTE and self._phase == HEAD:
                slot = _Slot(bit, f" {field.xml}='", "'", None, special)
            elif field.where is TEXT and self._phase == HEAD and not element.pair:
                slot = _Slot(bit, ">", f"</{element.tag}>", element.phases[DONE], special)
            elif field.where is ELEMENT and self._phase != DONE:
                tag = element.name(field)
                start, phase = self._start()
                slot = _Slot(bit, f"{start}{element.inside}<{tag}>", f"</{tag}>", phase, special)
        self.element.memory.count()
        self._slots[key] = slot
        return slot

    def _size(self, before: str, value: str, after: str, printed: str) -> tuple[str, str]:
        """Return what stands before a size's number, with its unit where that is an element's, and the rest."""
        try:
            number, unit = parse(value, printed)
        except ValueError:
            raise NotAccepted from None
        if not number or unit == "":
            raise NotAccepted
        if unit is None:
            return before, number
        if after == "'":
            return before, f"{number}' unit='{unit}"
        return f"{before[:-1]} unit='{unit}'>", number

    def _open(self, line: str, key: str) -> Entry:
        """Return the line of a key whose value stands on the lines behind it."""
        field = self.element.kind.by_key.get(key)
        if field is None or field.where is not ELEMENT or ":" in key:
            return self._by_codec(line)
        start, phase = self._start()
        text, inner = self._child(field, OPEN, None, start)
        return (self.element.bits[key], text, phase, inner, None)

    def _start(self) -> tuple[str, Lines | None]:
        """Return what stands in front of a child, and the phase after it."""
        if self._phase == DONE:
            raise NotAccepted
        return (">", self.element.phases[BODY]) if self._phase == HEAD else ("", None)

    def _by_codec(self, line: str) -> Entry:
        element = self.element
        if line.startswith("#", element.column):
            start, phase = self._start()
            return (0, "", phase, Remark(line, f"{self._prefix}#", start + element.inside), None)
        level, kind, key, value = LINES[line]
        field = element.kind.by_key.get(key) if level == 2 * element.column and kind <= BLOCK else None
        if field is None:
            raise NotAccepted
        bit = element.bits[key]
        if field.where is ELEMENT:
            start, phase = self._start()
            text, inner = self._child(field, kind, value, start)
            return (bit, text, phase, inner, None)
        if kind != VALUE:
            raise NotAccepted
        if field.owner is not None and self._phase == BODY:
            try:
                attribute = f" {field.xml}='{escape(scalar(value, field, ()), (), attribute=True)}'"
            except InputError:
                raise NotAccepted from None
            return (bit, "", None, Beside(field.owner.xml, attribute), None)
        if field.owner is None and self._phase == HEAD:
            if field.where is ATTRIBUTE:
                return (bit, element.attribute(key, value), None, None, None)
            if field.where is TEXT and not element.pair:
                return (bit, f">{element.text(key, value)}</{element.tag}>", element.phases[DONE], None, None)
        raise NotAccepted

    def _child(self, field: Field, kind: int, value: Any, start: str) -> tuple[str, Lines | Block | None]:
        """Return the text of a child's first line, and where its other lines stand."""
        element = self.element
        tag = element.name(field)
        if field.many:
            if kind == OPEN:
                return start, Items(element, field).first
        elif kind == EMPTY and value is dict and field.value == "map":
            return start + element.empty(field, tag), None
        elif kind == VALUE:
            if field.value == "xml" and value and is_canonical(f"{self._prefix}{value}", element.column):
                return f"{start}{element.inside}<{tag}>{element.inside}  {value}{element.inside}</{tag}>", None
            if field.value != "xml" or not value:
                return start + element.child(field.key, value), None
        elif kind == OPEN and field.value == "map":
            return f"{start}{element.inside}<{tag}", element.inner(field).phases[HEAD]
        elif kind == BLOCK and field.value == "xml" and value == (0, "-"):
            return "", Block(element, field.key, start)
        raise NotAccepted


class Items:
    """A list: elements of one name."""

    def __init__(self, element: Element, field: Field) -> None:
        self.element = element
        self.field = field
        rest = _Items(self, None)
        self.first = _Items(self, rest)


class _Items(Lines):
    """The items of a list: the first one, after which *rest* replaces this place, or the others (*rest* is None)."""

    __slots__ = ("_items", "_kept", "_prefix", "_rest")

    def __init__(self, items: Items, rest: _Items | None) -> None:
        super().__init__(items.element, "", repeats=True)
        self._items = items
        self._rest = rest
        self._kept = 0
        self._prefix = " " * items.element.column

    def __missing__(self, line: str) -> Entry:
        self._kept += 1
        return self.keep(line, self._read(line)) if self._kept <= MOST_DIFFERENT else self._read(line)

    def _read(self, line: str) -> Entry:
        if not line.startswith(f"{self._prefix}- "):
            if self._rest is not None or line.startswith((f"{self._prefix} ", f"{self._prefix}-")):
                raise NotAccepted
            return UP
        element, field = self.element, self._items.field
        tag = element.name(field)
        value = line[len(self._prefix) + 2 :]
        if value.startswith("#"):
            raise NotAccepted
        if field.value == "map":
            if value == "{}":
                return (1, element.empty(field, tag), self._rest, None, None)
            inner = element.inner(field).phases[HEAD]
            return (1, f"{element.inside}<{tag}", self._rest, inner, f"{self._prefix}  {value}")
        level, kind, _, value = LINES[line]
        if level != 2 * element.column + 1 or kind != SCALAR or field.value not in _LEAVES:
            raise NotAccepted
        return (1, element.child(field.key, [value]), self._rest, None, None)
