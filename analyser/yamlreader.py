"""YAML and JSON text as the model, with one clear error for what cannot be read.

A stream's documents are separated at their ``---`` lines and read one by one, each in the fastest way that can: JSON by
the standard library, the common block style by ``analyser.yamlfast``, everything else by a whole YAML parser in
``analyser.yamlfallback``. All ways give the same result; ``analyser.yamlscalars`` says how scalars are taken. Besides:

- a key whose value is null is left out, as an API server does; an empty item of a list is an error;
- a floating-point number is kept as its source text, as is an integer outside int64;
- empty documents are skipped, and a document must be a mapping;
- duplicate keys, unknown tags, control characters, aliases that grow without bound and nesting deeper than MAX_DEPTH
  are refused.

Comments are kept on request, and then only in documents that the fast reader knows (it knows what our writer writes).
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

from analyser.yamlfallback import MAX_DEPTH, Mark, Path, parse
from analyser.yamlfast import read_document
from analyser.yamllines import OutsideSubset
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analyser.model import Node

__all__ = ["MAX_DEPTH", "Mark", "Path", "decode", "iter_documents", "load_all", "load_with_marks", "nearest_mark"]

MAX_ENTRIES = 6_000_000
"""The most lines, and the most values between commas, of one file: each takes far more memory than its bytes."""

_SEPARATOR = "\n---\n"
_LONG_DIGITS = re.compile(r"[0-9]{19}")
_MINUS_ZERO = re.compile(r"-0(?![.0-9])")
_HALF_ESCAPES = re.compile(r"\\u[dD][89a-fA-F]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes, file: str | None = None) -> str:
    """Return *data* as text: UTF-8, or UTF-16 or UTF-32 where a byte order mark says so.

    Raises InputError with the line of the first byte that is wrong, and for more lines or values than MAX_ENTRIES.
    """
    if len(data) > MAX_ENTRIES and max(data.count(b"\n"), data.count(b",")) > MAX_ENTRIES:
        raise InputError(
            f"holds more than {MAX_ENTRIES:,} lines or values", file=file, hint="split it, some documents a file"
        )
    encoding = "utf-8"
    for bom, name in _BOMS:
        if data.startswith(bom):
            data = data[len(bom) :]
            encoding = name
            break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        raise InputError(
            f"the bytes here are not {encoding.upper()}",
            file=file,
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
            hint="save the file as UTF-8",
        ) from None


def load_all(text: str, *, file: str | None = None, comments: bool = False) -> list[Node]:
    """Return the documents of *text*, YAML or JSON, that are not empty; with their comments if these are wanted.

    Raises InputError with *file*, line and column.
    """
    return list(iter_documents(text, file=file, comments=comments))


def iter_documents(text: str, *, file: str | None = None, comments: bool = False) -> Iterator[Node]:
    """Yield what ``load_all`` returns, one document at a time, each as soon as it is read."""
    first_line = 1
    if text.startswith("---\n"):
        text = text[4:]
        first_line = 2
    if text.startswith("%") or "\n%" in text:  # directives, which stand before a separator
        yield from (document for document, _ in parse(text, file=file, first_line=first_line))
        return
    chunks = text.split(_SEPARATOR) if _SEPARATOR in text else [text]
    last = len(chunks) - 1
    header: list[Any] = []  # comments above the first document
    for index, chunk in enumerate(chunks):
        terminated = index < last
        if not terminated and chunk.endswith("\n"):
            chunk = chunk[:-1]  # noqa: PLW2901  # as the others are, whose last line break is in the separator
            terminated = True
        try:
            document, found = _read(chunk, comments=comments, terminated=terminated)
        except OutsideSubset:
            documents = None
        else:
            documents = [document] if found else []
            if not found:
                header.extend(document)
        if documents is None:
            # With the marker above it, which some texts need ("..." alone, for one).
            above = "---\n" if index or first_line > 1 else ""
            whole = above + chunk + ("\n" if terminated else "")
            documents = [each for each, _ in parse(whole, file=file, first_line=first_line - bool(above))]
        for document in documents:
            if header:
                yield {**dict.fromkeys(header), **document}
                header.clear()
            else:
                yield document
        if terminated:
            first_line += chunk.count("\n") + 2


def _read(chunk: str, *, comments: bool, terminated: bool) -> tuple[Node, bool]:
    """Read what stands between two separators; also say whether it is a document, besides comments."""
    if chunk.startswith(("{", " ", "\n")) and chunk.lstrip(" \n").startswith("{"):
        return _json(chunk), True
    return read_document(chunk.split("\n"), comments=comments, terminated=terminated)


def _json(text: str) -> Node:
    """Return *text* as one JSON object; raises OutsideSubset where the YAML parser should decide or find the place."""
    options: dict[str, Any] = {"parse_float": str, "parse_constant": _refuse, "object_pairs_hook": _distinct}
    if "null" in text:
        options["object_pairs_hook"] = _distinct_without_nulls
    if _LONG_DIGITS.search(text) or _MINUS_ZERO.search(text):
        options["parse_int"] = _integer
    try:
        document: Node = json.loads(text, **options)
    except (ValueError, RecursionError):
        raise OutsideSubset from None
    odd = "null" in text or _HALF_ESCAPES.search(text) is not None or not text.isascii()
    if odd or text.count("{") + text.count("[") > MAX_DEPTH:
        _check(document)
    return document


def _refuse(_: str) -> Any:
    raise OutsideSubset


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise OutsideSubset
    return result


def _distinct_without_nulls(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in _distinct(pairs).items() if value is not None}


def _integer(digits: str) -> int | str:
    number = int(digits) if len(digits) <= 20 else 2**64  # noqa: PLR2004  # no int64 has more, and int() has a limit
    return number if -(2**63) <= number < 2**63 and str(number) == digits else digits


def _check(document: Node) -> None:
    """Raise OutsideSubset for nulls in lists, halves of surrogate pairs and too deep nesting."""
    work: list[tuple[Any, int]] = [(document, 1)]
    while work:
        node, depth = work.pop()
        if isinstance(node, dict | list):
            if depth > MAX_DEPTH:
                raise OutsideSubset
            work.extend((child, depth + 1) for child in (node.values() if isinstance(node, dict) else node))
            if isinstance(node, dict):
                work.extend((key, 0) for key in node)
        elif node is None:
            raise OutsideSubset
        elif isinstance(node, str) and not node.isascii():
            try:
                node.encode()
            except UnicodeEncodeError:
                raise OutsideSubset from None


def load_with_marks(text: str, *, file: str | None = None) -> list[tuple[Node, dict[Path, Mark]]]:
    """Return the documents of *text*, each with where its keys and values stand.

    The marks' keys are paths such as ``("spec", "domain", "devices", "disks", 0, "target")``. What came in by an alias
    has a mark only at the alias. Raises InputError as ``load_all`` does; much slower.
    """
    return list(parse(text, file=file, with_marks=True))


def nearest_mark(marks: Mapping[Path, Mark], path: Path) -> Mark | None:
    """Return the mark of *path*, or of the closest thing around it that has one; None above all of them."""
    while path:
        mark = marks.get(path)
        if mark is not None:
            return mark
        path = path[:-1]
    return None
