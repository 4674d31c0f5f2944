"""kubectl's JSONPath templates: text, ``{expressions}``, ``{range .items[*]}`` ... ``{end}``.

What stands in braces is kubectl's dialect; it is put into the words of RFC 9535, and a library evaluates it. See
https://kubernetes.io/docs/reference/kubectl/jsonpath/.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import jsonpath as library

_PIECE: Final = re.compile(r"""\{((?:[^{}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\}|([^{]+)""")
_STEP: Final = re.compile(
    r"""(?P<deep>\.\.)?\.?(?:
        (?P<bracket>\[(?:[^\[\]"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\[\]]*\])*\])
        |(?P<star>\*)
        |(?P<name>(?:\\.|[^.\[\]\\\s*])+)
    )""",
    re.VERBOSE,
)


class JsonPathError(KubevmmError):
    """A template or path that cannot be read."""


@dataclass(frozen=True)
class Path:
    """One path, such as ``.status.conditions[?(@.type=="Ready")].status``."""

    text: str
    compiled: library.JSONPath | library.CompoundJSONPath

    def values(self, data: Any) -> list[Any]:
        """Return what it finds in *data*, in document order; nothing where a step is missing."""
        return list(self.compiled.findall(data))


@dataclass(frozen=True)
class _Range:
    path: Path
    inside: list[str | Path | _Range] = field(default_factory=list)


@dataclass(frozen=True)
class Template:
    """A whole template."""

    pieces: tuple[str | Path | _Range, ...]

    def render(self, data: Any) -> str:
        """Return the template filled in from *data*."""
        return "".join(_rendered(self.pieces, data))


def path(text: str) -> Path:
    """Return the path that *text* is, with its braces or without. Raises JsonPathError."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    return _path(inner, text)


def template(text: str) -> Template:
    """Return the template that *text* is. Raises JsonPathError."""
    pieces: list[str | Path | _Range] = []
    stack = [pieces]
    place = 0
    while place < len(text):
        found = _PIECE.match(text, place)
        if found is None:
            raise JsonPathError(f"jsonpath {text!r}: the brace at character {place + 1} is not closed")
        place = found.end()
        inner, literal = found.groups()
        if literal is not None:
            stack[-1].append(literal)
            continue
        inner = inner.strip()
        word, _, rest = inner.partition(" ")
        if inner[:1] in {'"', "'"}:
            stack[-1].append(_string(inner, text))
        elif word == "range":
            made = _Range(_path(rest.strip(), text))
            stack[-1].append(made)
            stack.append(made.inside)
        elif inner == "end":
            if len(stack) == 1:
                raise JsonPathError(f"jsonpath {text!r}: {{end}} without {{range}}")
            stack.pop()
        else:
            stack[-1].append(_path(inner, text))
    if len(stack) > 1:
        raise JsonPathError(f"jsonpath {text!r}: {{range}} without {{end}}")
    return Template(tuple(pieces))


def shown(value: Any) -> str:
    """Return one value as kubectl prints it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _rendered(pieces: Iterable[str | Path | _Range], data: Any) -> Iterable[str]:
    for piece in pieces:
        if isinstance(piece, str):
            yield piece
        elif isinstance(piece, Path):
            yield " ".join(map(shown, piece.values(data)))
        else:
            for each in piece.path.values(data):
                yield from _rendered(piece.inside, each)


_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


def _string(quoted: str, whole: str) -> str:
    if len(quoted) < 2 or quoted[-1] != quoted[0]:  # noqa: PLR2004  (two quotes)
        raise JsonPathError(f"jsonpath {whole!r}: {quoted} is not closed")
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted[1:-1])


def _path(inner: str, whole: str) -> Path:
    import jsonpath as library

    translated, place = "$", 1 if inner[:1] in {"$", "@"} else 0
    while place < len(inner) and inner[place:] != ".":
        found = _STEP.match(inner, place)
        if found is None:
            raise JsonPathError(
                f"jsonpath {whole!r}: cannot read {inner[place:]!r}",
                hint="""a path is such as {.status.conditions[?(@.type=="Ready")].status}""",
            )
        place = found.end()
        step = found["bracket"] or ("[*]" if found["star"] else f"[{json.dumps(_unescaped(found['name']))}]")
        translated += (found["deep"] or "") + step
    try:
        return Path(inner, library.compile(translated))
    except library.JSONPathError as error:
        raise JsonPathError(f"jsonpath {whole!r}: {str(error).partition(chr(10))[0]}") from None


def _unescaped(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)
