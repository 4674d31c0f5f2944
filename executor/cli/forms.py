"""How objects are shown: the words of ``-o``, as kubectl's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from executor.cli.jsonpath import Path, Template

WORDS: Final = ("table", "wide", "json", "yaml", "name")
SHOWN: Final = "|".join((*WORDS, "jsonpath=TEMPLATE", "custom-columns=HEAD:PATH[,HEAD:PATH]"))


@dataclass(frozen=True)
class Form:
    """One of WORDS, ``jsonpath`` with its template, or ``custom-columns`` with a head and a path for each."""

    word: str
    template: Template | None = None
    columns: tuple[tuple[str, Path], ...] = ()

    def __str__(self) -> str:
        return self.word

    @property
    def detail(self) -> bool:
        """Whether it shows what costs further calls."""
        return self.word not in {"table", "name"}

    @property
    def whole(self) -> bool:
        """Whether objects are shown as they are, or by paths in them, rather than as a table of ours."""
        return self.word in {"json", "yaml", "jsonpath"}


def form(text: str | Form) -> Form:
    """Return what *text*, the value of ``-o``, asks for. Raises a usage error, JsonPathError for a wrong path."""
    if isinstance(text, Form):
        return text
    word, equals, rest = text.partition("=")
    if word in WORDS and not equals:
        return Form(word)
    if word == "jsonpath" and rest:
        from executor.cli import jsonpath

        return Form(word, template=jsonpath.template(rest))
    if word == "custom-columns" and rest:
        return Form(word, columns=_columns(rest))
    raise typer.BadParameter(f"{text!r}: expected {SHOWN.replace('|', ', ')}")


def _columns(text: str) -> tuple[tuple[str, Path], ...]:
    from executor.cli import jsonpath

    out = []
    for each in text.split(","):
        head, colon, path = each.partition(":")
        if not head or not colon or not path:
            raise typer.BadParameter(f"custom-columns: {each!r} is not HEAD:PATH, such as NAME:.metadata.name")
        out.append((head, jsonpath.path(path)))
    return tuple(out)


def completed(incomplete: str) -> list[str]:
    """Return the words that begin so, for a shell."""
    return [word for word in (*WORDS, "jsonpath=", "custom-columns=") if word.startswith(incomplete)]


Output: TypeAlias = Annotated[
    Form,
    typer.Option(
        "-o", "--output", parser=form, metavar="FORM", show_default=False, autocompletion=completed,
        help=f"How to show them: {SHOWN.replace('|', ', ')}; a table by default.",
    ),
]  # fmt: skip


def text_of(objects: list[dict[str, Any]], wanted: Form, *, single: bool) -> str:
    """Return *objects* in a form that is ``whole``: as a List, or the one itself where a *single* one was asked for."""
    whole = objects[0] if single else {"apiVersion": "v1", "kind": "List", "items": objects}
    if wanted.template is not None:
        return wanted.template.render(whole)
    if wanted.word == "json":
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    from analyser.yamlwriter import dump

    return dump(whole)


def cells(obj: dict[str, Any], columns: Iterable[tuple[str, Path]]) -> list[str]:
    """Return a row of custom columns; what is not there shows as ``<none>``."""
    from executor.cli.jsonpath import shown

    return [",".join(map(shown, path.values(obj))) or "<none>" for _, path in columns]
