"""Writes an import's report, one guest at a time, and counts while doing so."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analyser.importer.findings import CODES
from analyser.importer.resolve import shared
from analyser.importer.row import NEXT
from analyser.report import entries
from analyser.report.html import page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from analyser.importer.spool import Spool

_ALIKE = 5000

LISTED = 1000
"""Guests, failures and other things that the page lists of each sort; report.json has them all."""


@dataclass
class Report:
    """What came of an import: counts, and the files of the report.

    ``nodes`` and ``namespaces`` count guests; ``person`` those that each code of ``findings.CODES`` was found for.
    """

    guests: int = 0
    failed: int = 0
    attention: int = 0
    running: int = 0
    secrets: int = 0
    networks: int = 0
    pools: int = 0
    others: int = 0
    passed_over: int = 0
    nodes: Counter[str] = field(default_factory=Counter)
    failed_nodes: Counter[str] = field(default_factory=Counter)
    attention_nodes: Counter[str] = field(default_factory=Counter)
    namespaces: Counter[str] = field(default_factory=Counter)
    person: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    devices: Counter[str] = field(default_factory=Counter)
    elements: int = 0
    stale: list[str] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Return the counts as plain JSON."""
        return {
            "guests": self.guests, "failed": self.failed, "needAPerson": self.attention, "running": self.running,
            "secrets": self.secrets, "networks": self.networks, "pools": self.pools, "otherDocuments": self.others,
            "passedOver": self.passed_over,
            "byNode": _sorted(self.nodes), "byNamespace": _sorted(self.namespaces),
            "failedByNode": _sorted(self.failed_nodes),
            "needAPersonByReason": {c: {"what": CODES[c], "guests": n} for c, n in _sorted(self.person).items()},
            "leftOutAsRuntimeState": _sorted(self.left_out),
            "carried": {"elements": self.elements, "devices": _sorted(self.devices)},
            "staleFiles": self.stale,
        }  # fmt: skip


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))


def write(spool: Spool, stale: list[str]) -> Report:
    """Write report.json and report.html to the spool and return what is in them; *stale* are files without a use."""
    report = Report(stale=stale)
    listed: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    parts: dict[str, Path] = {}
    sections: dict[str, Iterable[dict[str, Any] | str]] = {
        "failures": _failures(spool, report),
        "guests": _guests(spool, report, listed, others),
        "networksAndPools": _shared(spool, report),
        "otherDocuments": _counted(entries.others(spool), report, "others"),
        "passedOver": _counted(entries.passed_over(spool), report, "passed_over"),
    }
    for name, section in sections.items():
        parts[name] = spool.work / f"report.{name}"
        with parts[name].open("w", encoding="utf-8") as file:
            for index, entry in enumerate(section):
                text = entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)
                file.write(f",\n  {text}" if index else f"\n  {text}")
    path = spool.work / "report.json"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"summary": ' + json.dumps(report.summary(), indent=2, ensure_ascii=False))
        for name, part in parts.items():
            file.write(f',\n"{name}": [')
            with part.open(encoding="utf-8") as rows:
                while block := rows.read(1 << 16):
                    file.write(block)
            file.write("\n]")
        file.write("}\n")
    html = spool.work / "report.html"
    with html.open("w", encoding="utf-8") as file:
        file.writelines(page(report, listed, others, spool))
    report.files = {"report.json": path, "report.html": html}
    return report


def _failures(spool: Spool, report: Report) -> Iterator[dict[str, Any]]:
    for entry in entries.failures(spool):
        report.failed += 1
        report.failed_nodes[entry["node"] or ""] += 1
        if len(report.failures) < LISTED:
            report.failures.append(entry)
        yield entry


def _guests(spool: Spool, report: Report, listed: list[dict[str, Any]], others: list[dict[str, Any]]) -> Iterator[str]:
    tally = Tally(report)
    for guest in entries.guests(spool):
        tally.add(guest)
        chosen = listed if guest.codes else others
        if len(chosen) < LISTED:
            chosen.append(json.loads(guest.text))
        yield guest.text
    tally.finish()


class Tally:
    """Counts guests into *report*; what many of them share is counted as one thing until the end."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._alike: Counter[tuple[str, str, str, str]] = Counter()

    def add(self, guest: entries.Guest) -> None:
        """Count *guest*."""
        report = self._report
        report.guests += 1
        report.running += guest.running
        report.secrets += guest.secret
        report.elements += guest.elements
        report.namespaces[guest.namespace] += 1
        self._alike[guest.node or "", guest.devices, guest.codes, guest.left_out] += 1
        if len(self._alike) >= _ALIKE:
            self.finish()

    def finish(self) -> None:
        """Count what was put off."""
        report = self._report
        for (node, devices, codes, left_out), count in self._alike.items():
            report.nodes[node] += count
            report.devices.update({kind: number * count for kind, number in json.loads(devices).items()})
            report.left_out.update({what: n * count for what, n in Counter(_several(left_out)).items()})
            report.person.update(dict.fromkeys(_several(codes), count))
            if codes:
                report.attention += count
                report.attention_nodes[node] += count
        self._alike.clear()


def _several(text: str) -> list[str]:
    return text.split(NEXT) if text else []


def _shared(spool: Spool, report: Report) -> Iterator[dict[str, Any]]:
    for each in shared(spool):
        if each.kind == "network":
            report.networks += 1
        else:
            report.pools += 1
        yield {
            "kind": each.kind, "name": each.name, "domainName": each.info["name"], "nodes": each.nodes,
            "leftOut": each.info["leftOut"],
            "needsAPerson": [{"code": code, "detail": detail} for code, detail in each.info["findings"]],
            **({"note": "each node has its own UUID or MAC address; they are left out"} if each.differing else {}),
            **({"differs": "another node has one of this name that is not equal"} if each.apart else {}),
        }  # fmt: skip


def _counted(found: Iterator[dict[str, Any]], report: Report, name: str) -> Iterator[dict[str, Any]]:
    for entry in found:
        setattr(report, name, getattr(report, name) + 1)
        yield entry
