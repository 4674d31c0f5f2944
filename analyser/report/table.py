"""The table at the end of an import, for a terminal."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyser.importer.findings import CODES

if TYPE_CHECKING:
    from analyser.report.report import Report

_NODES = 30


def show(report: Report, file: IO[str]) -> None:
    """Print *report*'s counts to *file*: by node, and what needs a person."""
    console = Console(file=file, highlight=False, width=None if file.isatty() else 120)
    by_node = Table(box=box.SIMPLE, show_footer=True, pad_edge=False)
    by_node.add_column("NODE", footer="total")
    for head, total in (("IMPORTED", report.guests), ("NEED A PERSON", report.attention), ("FAILED", report.failed)):
        by_node.add_column(head, justify="right", footer=str(total))
    names = sorted({*report.nodes, *report.failed_nodes})
    for name in names[:_NODES]:
        by_node.add_row(
            Text(name or "unknown"),
            str(report.nodes[name]),
            str(report.attention_nodes[name]),
            str(report.failed_nodes[name]),
        )
    if len(names) > _NODES:
        by_node.add_row(f"({len(names) - _NODES} more)", "", "", "")
    console.print(by_node)
    if report.person:
        reasons = Table(box=box.SIMPLE, pad_edge=False)
        reasons.add_column("GUESTS", justify="right")
        reasons.add_column("NEED A PERSON, FOR A GUEST")
        for code, count in report.person.most_common():
            reasons.add_row(str(count), CODES[code])
        console.print(reasons)
    console.print(
        f"{report.networks} networks, {report.pools} pools, {len(report.namespaces)} namespaces,"
        f" {report.secrets} guests with a Secret, {report.others} other documents kept to be read"
    )
