"""XML as virsh prints it to YAML text, element by element: ``fastxml`` for an estate, whose guests share whole devices.

A document is cut where its root's children begin and, in one of these, where the children of that begin: text alone
says where that is, for no other line stands in those columns. What ``fastxml`` makes of an element is remembered by the
element's text, together with a note on it that the caller makes, and elements that repeat cost one look-up. Notes are
made for many documents at once: a processor is quicker while it does the same again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from analyser import fastxml, foreignlines
from analyser.fastmemory import LARGEST, NotAccepted, Recent
from analyser.fastxmllines import Context, Foreign, Remark
from analyser.fastxmlshapes import Shapes

if TYPE_CHECKING:
    from analyser.fastxmllines import Entry, Scope

Note: TypeAlias = Callable[[str], Any]
Canonical: TypeAlias = Callable[[str, int], bool]

# The bit of the element's key among its siblings, the YAML text, the text after a sibling of the same key (None: the
# key takes one value), the end tag that must follow (None: the piece has it all), how many elements it is, and a place
# for the note.
_Entry = tuple[int, str, "str | None", "str | None", int, list[Any]]


class Pieces(Recent[_Entry]):
    """What elements in one place are in YAML, by their text without the first line's indentation and ``<``.

    None has a comment. Those that have an end tag stand here without it.
    """

    def __init__(
        self, context: Context, scope: Scope, depth: int, due: list[tuple[str, list[Any]]], canonical: Canonical
    ) -> None:
        super().__init__()
        self.context = context
        self._scope = scope
        self._start = f"{'  ' * depth}<"
        self._due = due  # elements whose notes are still to be made, and where these go
        self._shapes = Shapes(self._by_lines)
        self._canonical = canonical
        self._foreign: set[str] = set()  # the first lines of elements with foreign content

    def read(self, key: str) -> _Entry:
        """Return what the element *key* is; raises NotAccepted."""
        note: list[Any] = []
        foreign = key[: key.find("\n")] in self._foreign
        shown, (bit, start, end, elements) = self._by_lines(key) if foreign else self._shapes.convert(key)
        self._due.append((key, note))
        return (bit, shown, None if start is None else shown[start:], end, elements, note)

    def _by_lines(self, key: str) -> tuple[str, tuple[int, int | None, str | None, int]]:
        """Return the YAML of the element *key*, and the rest of its entry.

        That is the bit of its key, where the text begins after a sibling of the same key, the end tag, how many
        elements it is.
        """
        line, more, rest = key.partition("\n")
        entry = self.context[self._start + line]
        bit, shown, again, inner = entry
        start = None if again is None else len(shown) - len(again)
        if bit <= 1 or (inner is None and more) or "<!--" in key:
            raise NotAccepted
        if inner is None:
            return shown, (bit, start, None, 1)
        if isinstance(inner, Remark):
            raise NotAccepted
        elements = 1 + key.count("<") - key.count("</")
        if isinstance(inner, Foreign) and more:
            self._foreign.add(line)
            if "\n" in rest and not self._scope.declared and self._canonical(rest, inner.column):
                foreignlines.remember(rest, inner.column, canonical=True)
                shown += fastxml.as_block(rest, self._scope)
                return shown, (bit, start, inner.end[len(self._start) :], elements)
        lines = rest.split("\n") if more else []
        lines.append(inner.end)
        out: list[str] = []
        fastxml.write(entry, iter(lines), out, self._scope)
        return "".join(out), (bit, start, inner.end[len(self._start) :], elements)

    def convert(self, texts: list[str], seen: int, out: list[str], notes: list[list[Any]]) -> tuple[int, int]:
        """Add the YAML of the elements *texts* to *out*, and the notes on them to *notes*.

        *seen* are the bits of the keys before them; returned is what it is behind them, and how many elements they are.
        """
        last = elements = 0
        end: str | None = None
        for text in texts:
            if end is not None:
                if text != end:
                    raise NotAccepted
                end = None
                continue
            bit, shown, again, end, count, note = self[text]
            elements += count
            if bit & seen:
                if bit != last or again is None:
                    raise NotAccepted
                out.append(again)
            else:
                seen |= bit
                last = bit
                out.append(shown)
            notes.append(note)
        if end is not None:
            raise NotAccepted
        return seen, elements

    def edited(
        self, texts: list[str], out: list[str], depth: int, edits: dict[tuple[int, str], list[str]]
    ) -> tuple[list[str], list[str]]:
        """Return the elements *texts* and their YAML *out* with what *edits* have in the places of some."""
        left: list[str] = []
        done: list[str] = []
        shown = iter(out)
        passed = False
        for text in texts:
            if text[:1] == "/":
                left += [] if passed else [text]
                continue
            before = next(shown)
            found = edits.get((depth, text))
            passed = found is not None
            if found is None:
                left.append(text)
                done.append(before)
                continue
            _, first, again, end, _, _ = self[found[0]]
            if found[1:] != ([] if end is None else [end]):
                raise NotAccepted
            left += found
            done.append(again if again is not None and before.lstrip("\n ").startswith("-") else first)
        return left, done

    def enter(self, line: str, seen: int, out: list[str]) -> int:
        """Add the YAML of the start tag *line* to *out*, where none of its name is among the keys *seen* before it."""
        bit, shown, _, _ = self.context[line]
        if bit & seen:
            raise NotAccepted
        out.append(shown)
        return seen | bit


class Cut(NamedTuple):
    """A document's text in pieces: its first line, and the elements before, inside and after the divided element.

    Elements stand there without the first line's indentation and ``<``; end tags in their column are pieces too.
    """

    line: str
    before: list[str]
    inside: list[str]
    after: list[str]


class Pieced(NamedTuple):
    """A document's YAML in pieces: up to the key of the divided element, that element's children, what follows them.

    The first of ``top`` has the key that the document stands under, and its attributes. ``notes`` have the caller's
    notes on the root's children, each in a list of its own, and ``inner`` those on the divided element's children.
    ``elements`` counts all of the document's.
    """

    top: list[str]
    inside: list[str]
    tail: list[str]
    notes: list[list[Any]]
    inner: list[list[Any]]
    elements: int


class Divided:
    """Documents of one kind, cut at the children of their root, and at those of its child *tag*.

    *outer* and *inner* make the notes on these and those, when ``note`` is called. *canonical* knows the foreign
    content that most of the documents have: whether it is printed as libxml2 prints it, from a column on.
    """

    def __init__(self, root: str, tag: str, outer: Note, inner: Note, canonical: Canonical) -> None:
        self._start = f"<{root} "
        self._end = f"\n</{root}>"
        self._line = f"  <{tag}>"
        self._first = f"\n{self._line}\n    <"
        self._last = f"\n  </{tag}>"
        self._canonical = canonical
        self._due: list[tuple[Note, list[tuple[str, list[Any]]]]] = [(outer, []), (inner, [])]
        self._places: dict[str, tuple[Scope, Pieces, Pieces]] = {}

    def cut(self, text: str) -> Cut:
        """Cut *text*, which begins with the root element and has nothing behind it.

        Raises NotAccepted where it is not printed as virsh prints, or has no such child.
        """
        start = text.find(self._first)
        end = text.find(self._last, start)
        behind = end + len(self._last)
        last = len(text) - len(self._end)
        well = 0 < start < end and behind <= last and text.startswith(self._start) and text.endswith(self._end)
        if not well or len(text) > LARGEST:
            raise NotAccepted
        line, *before = text[:start].split("\n  <")
        nothing, *after = text[behind:last].split("\n  <")
        if nothing:
            raise NotAccepted
        return Cut(line, before, text[start + len(self._first) : end].split("\n    <"), after)

    def text(self, cut: Cut) -> str:
        """Return the document that was cut."""
        above, behind = "\n  <".join([cut.line, *cut.before]), "\n  <".join(["", *cut.after])
        inside = "\n    <".join(cut.inside)
        return f"{above}{self._first}{inside}{self._last}{behind}{self._end}"

    def convert(self, cut: Cut) -> Pieced:
        """Return the YAML of a document; raises NotAccepted as ``cut`` does."""
        root, start, declarations = fastxml.head_of(cut.line)
        scope = fastxml.scope_of(root, declarations)
        first = scope.document(root)[start]
        outer, inner = self._of(scope, declarations, first)
        found = Pieced([first[1]], [], [], [], [], 0)
        seen, before = outer.convert(cut.before, 0, found.top, found.notes)
        seen = outer.enter(self._line, seen, found.top)
        _, inside = inner.convert(cut.inside, 0, found.inside, found.inner)
        _, after = outer.convert(cut.after, seen, found.tail, found.notes)
        if declarations:
            fastxml.check_declarations(self.text(cut), declarations)
        return found._replace(elements=before + inside + after + 2)

    def edited(self, cut: Cut, pieces: Pieced, edits: dict[tuple[int, str], list[str]]) -> tuple[Cut, Pieced]:
        """Return a document that was converted with other elements in the places of some, which stay what they are.

        *edits* are the pieces of these, by 1 for the root's children and 2 for the divided element's, and their texts.
        """
        root, start, declarations = fastxml.head_of(cut.line)
        scope = fastxml.scope_of(root, declarations)
        first = scope.document(root)[start]
        outer, inner = self._of(scope, declarations, first)
        before, top = outer.edited(cut.before, pieces.top[1:-1], 1, edits)
        inside, devices = inner.edited(cut.inside, pieces.inside, 2, edits)
        after, tail = outer.edited(cut.after, pieces.tail, 1, edits)
        left = Cut(cut.line, before, inside, after)
        return left, pieces._replace(top=[first[1], *top, pieces.top[-1]], inside=devices, tail=tail)

    def note(self) -> None:
        """Make the notes on all elements that were converted since it was called last."""
        for make, due in self._due:
            for key, note in due:
                note.append(make(key))
            due.clear()

    def _of(self, scope: Scope, declarations: str, first: Entry) -> tuple[Pieces, Pieces]:
        """Return what is remembered of documents whose root's line is *first*: of its children, and of theirs."""
        known = self._places.get(declarations)
        # Where all lines were forgotten, elements are too.
        if known is None or known[0] is not scope:
            context = first[3]
            divided = context[self._line][3] if isinstance(context, Context) else None
            if not isinstance(context, Context) or not isinstance(divided, Context):
                raise NotAccepted
            outer = Pieces(context, scope, 1, self._due[0][1], self._canonical)
            inner = Pieces(divided, scope, 2, self._due[1][1], self._canonical)
            known = self._places[declarations] = scope, outer, inner
        return known[1], known[2]
