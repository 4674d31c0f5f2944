"""Two files compared: differences to standard output, the exit code as diff's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from analyser import compare, files
from executor.cli import messages
from schemas.errors import KubevmmError

SAME, DIFFERENT, TROUBLE = 0, 1, 2


def compare_files(a: str, b: str, *, as_json: bool, as_xml: bool, ignore_runtime: bool) -> int:
    """Compare the documents in the files *a* and *b*; return 0 if they are the same, 1 if not, 2 if that fails."""
    if a == b == "-":
        messages.error("both are standard input", hint="name a file for one of them")
        return TROUBLE
    if as_json and as_xml:
        messages.error("-o json and --xml exclude each other")
        return TROUBLE
    try:
        pairs = compare.pairs(_load(a, ignore_runtime), _load(b, ignore_runtime))
        found = [(pair, _differences(pair)) for pair in pairs]
    except KubevmmError as error:
        messages.failure(error)
        return TROUBLE
    if as_json:
        _print_json(found)
    else:
        for pair, differences in found:
            title = f"{pair.title}: " if len(found) > 1 else ""
            lines = _script(pair) if as_xml and differences else None
            for line in map(str, differences) if lines is None else lines:
                _print(line, title)
    sys.stdout.flush()
    return DIFFERENT if any(differences for _, differences in found) else SAME


def _load(name: str, ignore_runtime: bool) -> list[compare.Document]:
    if name != "-" and Path(name).is_dir():
        raise KubevmmError(f"{name}: is a folder", hint="compare takes two files")
    source = next(files.sources([name]))
    return compare.load(files.read(source), file=str(source), ignore_runtime=ignore_runtime)


def _differences(pair: compare.Pair) -> list[compare.Difference]:
    if pair.a is None:
        return [compare.Difference(pair.title, "added", None, "the whole document")]
    if pair.b is None:
        return [compare.Difference(pair.title, "removed", "the whole document", None)]
    return compare.compare(pair)


def _script(pair: compare.Pair) -> list[str] | None:
    from analyser.compare.script import edit_script

    if pair.a is None or pair.b is None:
        return None
    lines = edit_script(pair.a.element, pair.b.element, pair.a.root.type)
    if lines is None:
        messages.note(f"{pair.title}: too large for xmldiff; key paths instead")
    return lines or None


def _print(line: str, title: str) -> None:
    sign = line[:2]
    colour = {"+ ": "green", "- ": "red"}.get(sign)
    text = title + line if colour is None else line if line.startswith(f"{sign}{title}") else f"{sign}{title}{line[2:]}"
    text = messages.one_line(text)
    sys.stdout.write((messages.paint(text, colour, sys.stdout) if colour else text) + "\n")


def _print_json(found: list[tuple[compare.Pair, list[compare.Difference]]]) -> None:
    out: list[dict[str, Any]] = [
        {
            "document": pair.title,
            "path": "" if None in (pair.a, pair.b) else each.path,
            "change": each.change,
            "a": each.a,
            "b": each.b,
        }
        for pair, differences in found
        for each in differences
    ]
    sys.stdout.write(json.dumps(out, indent=1) + "\n")
