"""What one line of XML, printed as virsh prints it, is in YAML; remembered for each type of element that it stands in.

A line is an element without children (``<target dev='vda'/>``, ``<name>web-1</name>``), a start tag or an end tag.
Lines that differ in their values alone share a shape, which is worked out once from the tables; ``NotAccepted`` says
that a line has none. What is escaped, or not printable, is decoded and encoded by the codec itself, on its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lxml import etree

from analyser.codec.decode import decode
from analyser.codec.encode import encode
from analyser.codec.scalars import DECODERS
from analyser.fastmemory import DEEPEST, LONGEST_LINE, MOST_DIFFERENT, Memory, NotAccepted
from analyser.sizes import quantity
from analyser.xmlreader import FRAGMENTS
from analyser.yamlscalars import scalar_text
from analyser.yamlwriter import dump
from schemas.errors import InputError
from schemas.table import EXTRA, Field, Root, Type, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VALUES = 20_000  # in the memo of each kind of value
_LONGEST_VALUE = 100

EMPTY, TEXT, START = "/", "<", ">"
"""The forms of a line: ``<a/>``, ``<a>text</a>``, ``<a>``."""

_key = cache(scalar_text)  # of the tables' keys


class _Scalars(dict[str, str]):
    """The text of an attribute or leaf to what follows its key in YAML, for one kind of value; bounded."""

    def __init__(self, decoder: Mapping[str, int | bool | str] | None) -> None:
        self._decoder = decoder

    def __missing__(self, text: str) -> str:
        value = text if self._decoder is None else self._decoder[text]
        if value is text or value.__class__ is str:
            return self.keep(text, " " + scalar_text(text))
        if value.__class__ is bool:
            return self.keep(text, " true" if value else " false")
        return self.keep(text, f" {value}")

    def keep(self, text: str, shown: str) -> str:
        if len(text) <= _LONGEST_VALUE:
            if len(self) >= _VALUES:
                self.clear()
            self[text] = shown
        return shown


class _Sizes(_Scalars):
    """The same for a number and its unit joined by a line break, or for a number without a unit."""

    def __init__(self, printed: str) -> None:
        super().__init__(None)
        self._printed = printed

    def __missing__(self, text: str) -> str:
        number, given, unit = text.partition("\n")
        if given and (not unit or " " in unit or unit == f"({self._printed})"):
            raise NotAccepted
        return self.keep(text, " " + scalar_text(quantity(number, unit if given else None, self._printed)))


_scalars = {kind: _Scalars(DECODERS.get(kind)) for kind in ("string", "enum", "integer", "yesno", "onoff")}
_sizes: dict[str, _Sizes] = {}


def scalars(kind: str) -> dict[str, str]:
    """Return what stands for values in YAML in places of *kind*; of what XML must escape, nothing is asked."""
    return _scalars[kind]


def _sizes_of(field: Field) -> _Sizes:
    return _sizes.setdefault(field.unit, _Sizes(field.unit))


class Foreign:
    """Stands for the inside of an element with foreign content, up to its end tag's line *end*."""

    __slots__ = ("column", "end")

    def __init__(self, end: str) -> None:
        self.end = end
        self.column = end.index("<") + 2


class Remark:
    """Stands for a comment of several lines, whose first is *first*; its YAML begins each with *start*."""

    __slots__ = ("first", "start")

    def __init__(self, first: str, start: str) -> None:
        self.first = first
        self.start = start

    def yaml(self, rest: Iterator[str]) -> str:
        """Take the comment's other lines from *rest*, and return it in YAML."""
        lines = [self.first]
        for line in rest:
            # What looks like a child of the root element would be taken for one.
            if line.startswith("  <"):
                break
            if line.endswith("-->"):
                return _remark([*lines, line[:-3]], self.start)
            lines.append(line)
        raise NotAccepted


def _remark(lines: list[str], start: str) -> str:
    for line in lines:
        if not line.isascii() or not line.isprintable() or "--" in line or line[-1:] == "-":
            raise NotAccepted
    return "".join([f"{start}#{line}" for line in lines])


class _Shape:
    """What all lines with one name, the same attributes and one form have in common."""

    __slots__ = ("bit", "constant", "count", "groups", "header", "inner", "kept", "many", "pieces")

    def __init__(self, bit: int, header: str, *, many: bool) -> None:
        self.bit = bit
        self.header = header  # the key
        self.many = many
        self.pieces: list[tuple[str, _Scalars]] = []  # what stands in front of each value, and how to show it
        self.count = 0  # of values in the line
        self.kept = 0  # lines that are remembered
        self.constant = ""  # what stands there where there is no value
        self.groups: list[tuple[int, ...]] | None = None  # the values of each piece, where that is not simply the next
        self.inner: Context | Foreign | None = None


class Scope:
    """The contexts of documents with one offset between columns of XML and YAML, and the same declared namespaces."""

    def __init__(self, offset: int, declared: Mapping[str, str]) -> None:
        self.offset = offset
        self.declared = declared
        self._contexts: dict[tuple[str, str, int, bool], Context] = {}
        self._documents: dict[str, Context] = {}

    def document(self, root: Root) -> Context:
        """Return the context that the line of a root element stands in."""
        found = self._documents.get(root.element)
        if found is None:
            raw = {"key": root.field or "spec", "element": root.element, "type": root.type.name}
            field = Field(table(), raw, 0)
            found = self._documents[root.element] = Context(self, None, {root.element: field}, "", 0, pair=False)
        return found

    def context(self, field: Field, tag: str, depth: int) -> Context:
        """Return the context inside elements *tag* of a ``map`` field, whose children stand at *depth*."""
        kind = field.type
        key = (kind.name, tag, depth, field.pair)
        found = self._contexts.get(key)
        if found is None:
            if depth > DEEPEST:
                raise NotAccepted
            _memory.count()
            found = self._contexts[key] = Context(self, kind, kind.elements, tag, depth, pair=field.pair)
        return found

    def expanded(self, tag: str) -> str:
        """Return the name of *tag* in the tables."""
        prefix, colon, local = tag.partition(":")
        if not colon:
            return tag
        if prefix not in self.declared:
            raise NotAccepted
        return f"{{{self.declared[prefix]}}}{local}"


_memory = Memory()


def clear() -> None:
    """Forget all lines, as if nothing had been converted yet."""
    _memory.clear()
    for memo in (*_scalars.values(), *_sizes.values()):
        memo.clear()


def scope(offset: int, declarations: str, declared: Mapping[str, str]) -> Scope:
    """Return the scope for YAML columns *offset* further in than XML's, and for declared namespaces."""
    found: Scope | None = _memory.places.get((offset, declarations))
    if found is None:
        _memory.count()
        found = _memory.places[offset, declarations] = Scope(offset, declared)
    return found


class Context(dict[str, "Entry"]):
    """The lines seen inside elements of one type, name and depth."""

    def __init__(
        self, scope: Scope, kind: Type | None, children: dict[str, Field], tag: str, depth: int, *, pair: bool
    ) -> None:
        self.scope = scope
        self.pair = pair
        self._kind = kind
        self._children = children
        self.end = f"{'  ' * (depth - 1)}</{tag}>"
        self._depth = depth
        self._start = "  " * depth + "<"
        self._column = "\n" + " " * (scope.offset + 2 * depth)
        self._bits = {name: 2 << place for place, name in enumerate(children)}
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def __missing__(self, line: str) -> Entry:
        if line == self.end:
            return self._keep(line, END)
        if not line.startswith(self._start):
            raise NotAccepted
        return self._read(line)

    def _keep(self, line: str, entry: Entry) -> Entry:
        _memory.count()
        if len(line) <= LONGEST_LINE:
            self[line] = entry
        return entry

    def with_dash(self, shown: str) -> str:
        """Return *shown*, the first key of a list's item, with the item's dash in front."""
        if not shown or shown.startswith("#", len(self._column)):
            raise NotAccepted
        return f"{self._column[:-2]}- {shown[len(self._column) :]}"

    def _read(self, line: str) -> Entry:
        text = tail = ""
        marks = 1
        if line.endswith("/>"):
            form, head = EMPTY, line[:-2]
        else:
            form = START
            head, _, rest = line.partition(">")
            if rest:
                form = TEXT
                text, _, tail = rest.partition("</")
                marks = 2
        # No value holds what the codec would escape, and with that no "'" is anything but a quote.
        if "&" in line or '"' in line or line.count("<") != marks or line.count(">") != marks or not line.isprintable():
            return self._keep(line, self._by_codec(line, form))
        parts = head.split("'")
        values = parts[1::2]
        key = (form, tail, *parts[::2])
        shape = self._shapes.get(key)
        if shape is None:
            if line.startswith("!--", len(self._start)):
                return self._keep(line, self._comment(line))
            _memory.count()
            shape = self._shapes[key] = self._shape(parts[::2], form, tail)
        if form is TEXT:
            if "'" in text or not text.strip():
                return self._keep(line, self._by_codec(line, form))
            values.append(text)
        if len(values) != shape.count:  # a quote that nothing closes
            raise NotAccepted
        if shape.groups is not None:
            values = ["\n".join([values[place] for place in group]) for group in shape.groups]
        body = shape.constant
        for (before, scalars), value in zip(shape.pieces, values, strict=True):
            body += before + scalars[value]
        entry = (shape.bit, shape.header + body, body if shape.many else None, shape.inner)
        shape.kept += 1
        return self._keep(line, entry) if shape.kept <= MOST_DIFFERENT else entry

    def _comment(self, line: str) -> Entry:
        if self._kind is None or self.scope.declared:
            raise NotAccepted
        text = line[len(self._start) + 3 :]
        if not text.endswith("-->"):
            return (1, "", "\n", Remark(text, self._column))
        shown = _remark([text[:-3]], self._column)
        return (1, shown, f"\n{shown}", None)

    def _shape(self, parts: list[str], form: str, tail: str) -> _Shape:
        first = parts[0][len(self._start) :]
        tag, space, attribute = first.partition(" ")
        names = []
        if space or len(parts) > 1:
            between = [f" {attribute}", *parts[1:-1]]
            if parts[-1] or not all(part[:1] == " " and part[-1:] == "=" for part in between):
                raise NotAccepted
            names = [part[1:-1] for part in between]
            if len(set(names)) != len(names):
                raise NotAccepted
        if form is TEXT and tail != f"{tag}>":
            raise NotAccepted
        name = self.scope.expanded(tag)
        field = self._children.get(name)
        if field is None or field.sequence is not None:
            raise NotAccepted
        shape = _Shape(self._bits[name], f"{self._column}{_key(field.key)}:", many=field.many)
        shape.count = len(names) + (form is TEXT)
        if field.value == "map":
            self._map(shape, field.type, names, form)
            if form is START:
                shape.inner = self.scope.context(field, tag, self._depth + 1)
            elif field.pair:
                raise NotAccepted
        elif field.value == "size":
            self._size(shape, field, names, form)
        elif names or (form is START and field.value != "xml"):
            raise NotAccepted
        elif field.value == "xml":
            if form is TEXT or field.many:
                raise NotAccepted
            if form is START:
                shape.inner = Foreign(f"{self._start[:-1]}</{tag}>")
            else:
                shape.constant = ' ""'
        else:
            dash = f"{self._column}-" if field.many else ""
            scalars = _scalars[field.value]
            if form is TEXT:
                shape.pieces.append((dash, scalars))
            else:
                shape.constant = dash + scalars[""]
        return shape

    def _map(self, shape: _Shape, kind: Type, names: list[str], form: str) -> None:
        groups: list[tuple[int, ...]] = []
        place = 0
        while place < len(names):
            field = kind.attributes.get(names[place])
            if field is None:
                raise NotAccepted
            group: tuple[int, ...] = (place,)
            if field.value == "size":
                if names[place + 1 : place + 2] == ["unit"] and "unit" not in kind.attributes:
                    group = (place, place + 1)
                elif "unit" in names:
                    raise NotAccepted
                self._piece(shape, field.key, _sizes_of(field))
            else:
                self._piece(shape, field.key, _scalars[field.value])
            groups.append(group)
            place += len(group)
        if form is TEXT:
            if kind.text is None:
                raise NotAccepted
            self._piece(shape, kind.text.key, _scalars[kind.text.value])
            groups.append((place,))
        if len(groups) != place + (form is TEXT):
            shape.groups = groups
        if not shape.pieces and form is EMPTY:
            shape.constant = f"{self._column}- {{}}" if shape.many else " {}"

    def _piece(self, shape: _Shape, key: str, scalars: _Scalars) -> None:
        dash = shape.many and not shape.pieces
        shape.pieces.append((f"{self._column}{'- ' if dash else '  '}{_key(key)}:", scalars))

    def _size(self, shape: _Shape, field: Field, names: list[str], form: str) -> None:
        """Put the size first, which libvirt prints last, and the attributes beside it after it."""
        beside = [name for name in field.beside if name in names]
        if form is not TEXT or field.many or names not in (beside, [*beside, "unit"]):
            raise NotAccepted
        shape.pieces = [("", _sizes_of(field))]
        shape.pieces += [
            (f"{self._column}{_key(field.beside[name].key)}:", _scalars[field.beside[name].value]) for name in beside
        ]
        last = len(names)
        shape.groups = [(last, last - 1) if "unit" in names else (last,), *((place,) for place in range(len(beside)))]

    def _by_codec(self, line: str, form: str) -> Entry:
        """Let the codec read the line on its own, and hold it to printing the same line again."""
        if line.startswith("!--", len(self._start)):
            return self._comment(line)
        whole = f"{line[:-1]}/>" if form is START else line
        if self._kind is None or line[-1] != ">":
            raise NotAccepted
        try:
            element = etree.fromstring(f"<x>{whole}</x>", FRAGMENTS)
            node = decode(element, self._kind)
            same = encode(node, self._kind, "x", {}) == f"<x>\n  {whole[2 * self._depth :]}\n</x>\n"
        except (etree.XMLSyntaxError, ValueError, KeyError, InputError):
            raise NotAccepted from None
        field = self._children.get(element[0].tag) if same else None
        if field is None or field.sequence is not None or EXTRA in node:
            raise NotAccepted
        inner = None
        if form is START:
            value = node[field.key][0] if field.many else node[field.key]
            if field.value != "map" or EXTRA in value:
                raise NotAccepted
            inner = self.scope.context(field, element[0].tag, self._depth + 1)
        shown = [f"{self._column}{line}" if line else "\n" for line in dump(node)[:-1].split("\n")]
        again = "".join(shown[1:]) if field.many else None
        return (self._bits[field.xml], "".join(shown), again, inner)


# The bit of the line's key among its siblings (0: an end tag, 1: a comment), the YAML text, the text after a sibling of
# the same key (None: the key takes one value; "": a list's item whose dash is still to come), and what the lines that
# follow are in.
Entry = tuple[int, str, "str | None", "Context | Foreign | Remark | None"]
END: Entry = (0, "", None, None)
