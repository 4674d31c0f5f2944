"""Where figures end up: a Markdown page with one section for each benchmark, and what the machine was."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

HEAD = """# Benchmarks

Measured by `make bench`, each thing against its peers in the same run. What counts are the ratios: figures move with
the machine, and with whatever else it does.
"""


def machine(*packages: str) -> str:
    """Return one line on the machine, the day, and the versions of *packages*."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*: (.*)", cpuinfo.read_text())
        model = found[1] if found else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)])
    today = dt.datetime.now(tz=dt.UTC).date()
    return f"{today}, {os.cpu_count()} cores ({model}), {memory:.0f} GiB; {versions}."


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; columns but the first are aligned right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        _row(header, widths),
        "| " + " | ".join(["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]) + " |",
    ]
    return "\n".join([*lines, *(_row(row, widths) for row in rows)])


def _row(cells: list[str], widths: list[int]) -> str:
    padded = [
        cells[0].ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)),
    ]
    return f"| {' | '.join(padded)} |"


def save(path: Path, title: str, text: str) -> None:
    """Put *text* into the page at *path* as the section *title*, in the place of what was there."""
    page = path.read_text() if path.exists() else HEAD
    section = f"## {title}\n\n{text.strip()}\n"
    old = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    page = old.sub(lambda _: section + "\n", page) if old.search(page) else f"{page.rstrip()}\n\n{section}"
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(page.rstrip() + "\n")
    partial.replace(path)
