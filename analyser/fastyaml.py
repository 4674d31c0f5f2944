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
    root = _roots().get((line, next(rest, "")))
    if root is None or next(rest, "") != "metadata:":
        raise NotAccepted
    named, annotations = _metadata(rest)
    if root.field:
        _find(rest, root.field)
    element = _element(root)
    out = [f"<{root.element}"]
    seen = _lines(element, rest, out)
    if root.field and named and not seen & element.bits.get("name", -1):
        # The document would get the object's name.
        raise NotAccepted
    out.append("\n")
    text = "".join(out)
    used = {field.xml[1:].partition("}")[0] for field in _foreign_names(root) if seen & element.bits[field.key]}
    if used:
        text = _declared(text, used)
    return Written(documents.comment_xml("\n".join(comment)) + text if comment else text, annotations)


def _lines(element: Element, rest: Iterator[str], out: list[str]) -> int:
    """Add the XML of *element*, whose keys are the lines of *rest*, to *out*; return the bits of its keys."""
    append = out.append
    stack: list[tuple[Lines, int]] = []
    place: Lines = element.phases[HEAD]
    seen = 0
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
    while stack:
        if not seen:
            raise NotAccepted
        append(place.close)
        place, seen = stack.pop()
    if not seen:
        raise NotAccepted
    append(place.close)
    return seen


@cache
def _roots() -> dict[tuple[str, str], Root]:
    """Return the kinds of document by their first two lines."""
    return {
        (f"apiVersion: {documents.GROUP if root.field else documents.LIBVIRT}", f"kind: {root.kind}"): root
        for root in table().roots.values()
    }


def _element(root: Root) -> Element:
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
