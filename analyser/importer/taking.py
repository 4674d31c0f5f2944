"""Runtime state and secrets of one element, taken out of its text: by the rules, in a tree of this element alone.

Most guests have none, and those that run have much of it in a few devices, which they share. What is left is printed by
the codec, held to the tree, and put in the element's place, so that the rest of the guest goes the quick way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from analyser import runtime, xmlreader
from analyser.codec.decode import decode
from analyser.codec.encode import encode
from analyser.importer import secrets
from analyser.importer.proof import compare
from schemas.errors import InputError
from schemas.table import table

if TYPE_CHECKING:
    from analyser.importer.secrets import Secrets
    from analyser.runtime import Taken

PASSWORD = "devices/graphics/@passwd"  # noqa: S105  (a path)
"""The one secret that is taken out here; others are rare."""

_DEVICES = 2
_DOMAIN = "<domain type='kvm'>"


class Edit(NamedTuple):
    """An element's text as ``fastxmlpieces`` cuts it, and what was taken out of it.

    Paths are as if no other element of its name stood beside it. A mark stands for the ``secret``.
    """

    pieces: list[str]
    taken: list[Taken]
    secret: str | None


def take(xml: str, depth: int, line: str) -> Edit | None:
    """Take out of *xml*, a child of the domain (*depth* 1) or a device (2), what does not belong into its object.

    *line* is the domain's first line. None where only the whole domain's tree will do. An Edit without ``taken`` and
    ``secret`` says that there was nothing.
    """
    whole = f"{line}<devices>{xml}</devices></domain>" if depth == _DEVICES else f"{line}{xml}</domain>"
    try:
        (root,) = xmlreader.parse(whole.encode())
        lower = whole.lower().replace("'", '"').encode()
        taken = [each for each in runtime.strip(root, lower) if each.path != "@id"]
        found = secrets.take(root, lower)
        if not taken and not found.values:
            return Edit([], [], None)
        if found.values and not _is_password(found):
            return None
        around = root[0] if depth == _DEVICES else root
        if len(around) != 1:
            return None
        kind = table().roots["domain"].type
        if depth == _DEVICES:
            kind = kind.by_key["devices"].type
        printed = encode(decode(around, kind), kind, str(around.tag), {})
        lines = printed.split("\n")[1:-2]
        (again,) = xmlreader.parse((f"{_DOMAIN}{printed}</domain>" if depth == _DEVICES else printed).encode())
        compare(around, again[0] if depth == _DEVICES else again, file="")
        # Nothing more is to be taken out of what is left.
        if runtime.strip(again) or secrets.take(again).values:
            return None
    except InputError:
        return None
    except ValueError:  # several documents, or none
        return None
    if not all(each.lstrip(" ").startswith("<") for each in lines):
        return None
    start = "  " * depth
    text = "\n".join([f"{start[2:]}{each}" for each in lines])
    return Edit(text.removeprefix(f"{start}<").split(f"\n{start}<"), taken, next(iter(found.values.values()), None))


def _is_password(found: Secrets) -> bool:
    graphics = table().roots["domain"].type.by_key["devices"].type.by_key["graphics"].type
    known = f"passwd{secrets.REFERENCE}" in graphics.by_key | graphics.references
    return known and list(found.places.values()) == [PASSWORD]


_MARKED = re.compile(r'\n( +)passwd: "\\ue000kubevmm-secret-0\\ue001"')
_MARKED_XML = re.compile(" passwd='\ue000kubevmm-secret-0\ue001'")


def without_marks(text: str) -> str:
    """Return the XML *text* without the marks of passwords."""
    return _MARKED_XML.sub("", text) if "\ue000" in text else text


def referring(pieces: list[str], secret: str, keys: list[str]) -> list[str] | None:
    """Return YAML *pieces* with a reference to each of *keys* in *secret* in the place of the marks, in their order.

    None where there are not as many marks, each on a line of its own.
    """
    if sum(len(_MARKED.findall(piece)) for piece in pieces) != len(keys):
        return None
    rest = iter(keys)

    def reference(match: re.Match[str]) -> str:
        start = match[1]
        return f"\n{start}passwd{secrets.REFERENCE}:\n{start}  name: {secret}\n{start}  key: {next(rest)}"

    done = [_MARKED.sub(reference, piece) for piece in pieces]
    return None if any("ue000kubevmm" in piece for piece in done) else done
