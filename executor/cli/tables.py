"""Tables as kubectl prints them, and JSON for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from executor.cli import messages
from executor.cli.options import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Output: TypeAlias = Annotated[Report, typer.Option("-o", "--output", help="text for people, json for programs.")]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return *rows* under *headings* in columns; what is empty or None shows as ``-``."""
    cells = [list(headings)]
    cells += [["-" if cell in {None, ""} else messages.one_line(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join(
        "   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def as_json(value: Any) -> str:
    """Return *value* as JSON for people, too."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def size(count: float | None) -> str:
    """Return bytes as a short quantity, such as ``1.5Gi``; rounded, for people alone."""
    if count is None:
        return ""
    for unit in ("", "Ki", "Mi", "Gi", "Ti", "Pi"):
        if abs(count) < 1024 or unit == "Pi":  # noqa: PLR2004  (a binary unit)
            return f"{count:.1f}".removesuffix(".0") + unit
        count /= 1024
    return ""
