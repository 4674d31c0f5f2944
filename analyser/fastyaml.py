"""YAML as our writer prints it to XML text, line by line and without a tree: the fast path in front of the codec.

What a line is in XML, in a map of a known type, is remembered (``analyser.fastyamllines``). The codec stays the one
truth: a document is accepted only where each line has one meaning for it, every key is known, attributes come before
children, and nothing is there twice, so that the codec would print the same bytes. Anything else is not accepted; what
is wrong with it is for others to say.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from analyser import documents
from analyser.fastmemory import LARGEST, Memory, NotAccepted
from analyser.fastyamllines import HEAD, UP, Beside, Element, Lines, Remark
from analyser.yamllines import LINES, OPEN, VALUE
from analyser.yamlscalars import RESOLVED
from schemas.table import Field, Root, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_memory = Memory()

_COMMON_NAME = re.compile(r"[a-z][a-z0-9-]*")

_NAMES = ("name", "generateName", "namespace")
_MAPS = ("labels", "annotations")


class Written(NamedTuple):
    """A document as virsh would print it, and the annotations of its object."""

    xml: str
    annotations: dict[str, str]


def clear() -> None:
    """Forget all lines, as if nothing had been converted yet."""
    _memory.clear()
    LINES.clear()


def to_xml(data: bytes) -> Written | None:
    """Return the XML of the one object in *data*, YAML in UTF-8; None where it is not as our writer prints."""
    if len(data) > LARGEST:
        return None
    try:
        return _to_xml(data.decode().removesuffix("\n").split("\n"))
    except (NotAccepted, UnicodeDecodeError):
        return None


def _to_xml(lines: list[str]) -> Written:
    rest = iter(lines)
    line = next(rest)
    comment: list[str] = []
    while line.startswith("#"):
        if not (line.isascii() and line.isprintable()):
            raise NotAccepted
        comment.append(line[1:])
        line = next(rest, "")
    root, named, annotations = head_of(line, rest)
    element = element_of(root)
    out = [f"<{root.element}"]
    stack: list[tuple[Lines, int]] = []
    place, seen = walk(element.phases[HEAD], 0, stack, rest, out)
    while stack:
        place, seen = leave(place, seen, stack, out)
    if not seen:
        raise NotAccepted
    out.append(place.close)
    text = complete(root, element, seen, out, named=named)
    return Written(documents.comment_xml("\n".join(comment)) + text if comment else text, annotations)


def head_of(line: str, rest: Iterator[str]) -> tuple[Root, bool, dict[str, str]]:
    """Read *line* and *rest* up to the document itself.

    Return its kind, whether the object has a name, and its annotations.
    """
    root = _roots().get((line, next(rest, "")))
    if root is None or next(rest, "") != "metadata:":
        raise NotAccepted
    named, annotations = _metadata(rest)
    if root.field:
        _find(rest, root.field)
    return root, named, annotations


def complete(root: Root, element: Element, seen: int, out: list[str], *, named: bool) -> str:
    """Return the whole document that *out* makes, whose root *element* has the keys *seen*."""
    if root.field and named and not seen & element.bits.get("name", -1):
        # The document would get the object's name.
        raise NotAccepted
    out.append("\n")
    text = "".join(out)
    used = {field.xml[1:].partition("}")[0] for field in _foreign_names(root) if seen & element.bits[field.key]}
    return _declared(text, used) if used else text


def walk(
    place: Lines, seen: int, stack: list[tuple[Lines, int]], rest: Iterator[str], out: list[str]
) -> tuple[Lines, int]:
    """Add the XML of the lines of *rest*, the first of which stands in *place*, to *out*.

    *seen* are the bits of the keys that the place has already, and *stack* the places round it with theirs. Returned is
    where the last line stands, and the bits of the keys there; what is open then is on the stack.
    """
    append = out.append
    for line in rest:
        while True:
            entry = place[line]
            while entry is UP:
                # Nothing after a key is null, not a map.
                if not seen or not stack:
                    raise NotAccepted
                append(place.close)
                place, seen = stack.pop()
                entry = place[line]
            bit, text, phase, inner, more = entry
            if bit & seen and not place.repeats:
                raise NotAccepted
            seen |= bit
            append(text)
            if phase is not None:
                place = phase
            if inner is None:
                break
            if isinstance(inner, Lines):
                stack.append((place, seen))
                place = inner
                seen = 0
                if more is None:
                    break
                line = more  # noqa: PLW2901  (the rest of a list's item is a line of its own)
            elif isinstance(inner, Beside):
                if len(out) < 2:  # noqa: PLR2004  (the size, and what was added for this line)
                    raise NotAccepted
                out[-2:] = [inner.put(out[-2])]
                break
            else:
                several = []
                ended = True
                for line in rest:  # noqa: PLW2901  (the other lines, and the one behind them)
                    if not line.startswith(inner.prefix):
                        ended = False
                        break
                    several.append(line)
                append(inner.xml(several))
                if ended:
                    break
                if not line and isinstance(inner, Remark):
                    # An empty line keeps two comments apart.
                    line = next(rest, "")  # noqa: PLW2901
                    if not line.startswith(inner.prefix):
                        raise NotAccepted
    return place, seen


def leave(place: Lines, seen: int, stack: list[tuple[Lines, int]], out: list[str]) -> tuple[Lines, int]:
    """Close *place*, which has the keys *seen*; return the one round it, and its."""
    if not seen:
        raise NotAccepted
    out.append(place.close)
    return stack.pop()


@cache
def _roots() -> dict[tuple[str, str], Root]:
    """Return the kinds of document by their first two lines."""
    return {
        (f"apiVersion: {documents.GROUP if root.field else documents.LIBVIRT}", f"kind: {root.kind}"): root
        for root in table().roots.values()
    }


def element_of(root: Root) -> Element:
    """Return the root element of documents of kind *root*."""
    key = (root.element, root.type.name)
    found: Element | None = _memory.places.get(key)
    if found is None:
        offset = 2 if root.field else 0
        found = _memory.places[key] = Element(_memory, root.type, root.element, 0, offset, pair=False, uri="")
    return found


def _metadata(rest: Iterator[str]) -> tuple[bool, dict[str, str]]:
    """Read up to ``spec:``; say whether the object has a name, and return its annotations."""
    found: dict[str, dict[str, str]] = {"": {}}
    inner = ""
    for line in rest:
        if line == "spec:":
            if not all(found.values()):
                raise NotAccepted
            return "name" in found[""], found.get("annotations", {})
        if line.startswith("  name: ") and _COMMON_NAME.fullmatch(line, 8) and line[8:] not in RESOLVED:
            level, kind, key, value = 4, VALUE, "name", line[8:]
        else:
            level, kind, key, value = LINES[line]
        if level == 4 and kind == OPEN and key in _MAPS and key not in found:  # noqa: PLR2004  (twice the column)
            inner = key
            found[inner] = {}
            continue
        if level == 4:  # noqa: PLR2004
            inner = ""
            if key not in _NAMES:
                raise NotAccepted
        elif level != 8 or not inner:  # noqa: PLR2004
            raise NotAccepted
        if kind != VALUE or key in found[inner] or value.__class__ is not str:
            raise NotAccepted
        found[inner][key] = value
    raise NotAccepted


def _find(rest: Iterator[str], field: str) -> None:
    """Read what stands in ``spec`` before the document itself."""
    keys = set()
    for line in rest:
        if line == f"  {field}:":
            return
        level, kind, key, _ = LINES[line]
        if level != 4 or kind != VALUE or key in keys or key == field:  # noqa: PLR2004  (twice the column)
            raise NotAccepted
        keys.add(key)
    raise NotAccepted


@cache
def _foreign_names(root: Root) -> list[Field]:
    return [field for field in root.type.fields if field.xml[:1] == "{"]


def _declared(text: str, used: set[str]) -> str:
    """Return *text* with the namespace that is *used* declared on the root element."""
    if len(used) > 1:
        raise NotAccepted
    uri = used.pop()
    end = text.index(">")
    end -= text[end - 1] == "/"
    return f"{text[:end]} xmlns:{table().namespaces[uri]}='{uri}'{text[end:]}"
