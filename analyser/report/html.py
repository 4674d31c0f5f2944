"""report.html: one file, nothing fetched, no scripts; everything that an XML said is escaped."""

from __future__ import annotations

from html import escape
from itertools import islice
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from analyser.importer.findings import CODES
from analyser.importer.resolve import shared
from analyser.report import entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from analyser.importer.spool import Spool
    from analyser.report.report import Report

_TEMPLATE = Path(__file__).parent / "template.html"
_ROWS = 500
_DETAILS = 40
_NAMES = 20


Entries = list[dict[str, Any]]


def page(report: Report, listed: Entries, others: Entries, spool: Spool) -> Iterator[str]:
    """Yield the page's text: *report*'s counts, the guests *listed* that need a person, and *others* that do not."""
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    yield template.substitute(
        guests=_number(report.guests),
        failed=_number(report.failed),
        failed_class="bad" if report.failed else "good",
        attention=_number(report.attention),
        attention_class="warn" if report.attention else "good",
        nodes=_number(len(report.nodes)),
        namespaces=_number(len(report.namespaces)),
        secrets=_number(report.secrets),
        infrastructure=_number(report.networks + report.pools),
        sections="".join(_sections(report, listed, others, spool)),
    )


def _sections(report: Report, listed: Entries, others: Entries, spool: Spool) -> Iterator[str]:
    yield from _failures(report)
    if report.person:
        yield '<section id="reasons"><h2>What needs a person</h2>'
        yield from _table(
            ("Guests", "What", ""),
            (
                (_cell(n, "n"), _cell(f"A guest {CODES[code]}"), _cell(code, "m"))
                for code, n in sorted(report.person.items(), key=lambda item: (-item[1], item[0]))
            ),
        )
        yield "</section>"
    yield from _places(report)
    yield from _guests("guests", "Guests that need a person", listed, report.attention)
    yield from _guests("ready", "Guests that need nobody", others, report.guests - report.attention)
    yield from _carried(report)
    yield from _infrastructure(report, spool)
    yield from _rest(report, spool)


def _failures(report: Report) -> Iterator[str]:
    if not report.failed:
        return
    yield f'<section id="failures"><h2>Failed ({_number(report.failed)})</h2>'
    rows = (
        (
            _cell(_where(entry), "m"),
            f"<td>{escape(str(entry['message']))}"
            + (f"<br><span class=hint>{escape(str(entry['hint']))}</span>" if entry.get("hint") else "")
            + "</td>",
        )
        for entry in report.failures
    )
    yield from _table(("File and line", "What is wrong"), rows)
    yield _more(report.failed, len(report.failures))
    yield "</section>"


def _where(entry: dict[str, Any]) -> str:
    place = [str(entry["source"]), *(str(entry[key]) for key in ("line", "column") if entry.get(key) is not None)]
    return ":".join(place) + (f" {entry['path']}" if entry.get("path") else "")


def _places(report: Report) -> Iterator[str]:
    names = sorted({*report.nodes, *report.failed_nodes})
    yield '<section id="places"><div class=two><div><h2>By node</h2>'
    yield from _table(
        ("Node", "Imported", "Need a person", "Failed"),
        (
            (
                _cell(name or "unknown"),
                *(_cell(n[name], "n") for n in (report.nodes, report.attention_nodes, report.failed_nodes)),
            )
            for name in names[:_ROWS]
        ),
    )  # fmt: skip
    yield _more(len(names), min(len(names), _ROWS))
    yield "</div><div><h2>By namespace</h2>"
    spaces = sorted(report.namespaces.items())
    yield from _table(("Namespace", "Guests"), ((_cell(name), _cell(n, "n")) for name, n in spaces[:_ROWS]))
    yield _more(len(spaces), min(len(spaces), _ROWS))
    yield "</div></div></section>"


def _guests(identity: str, head: str, listed: Entries, total: int) -> Iterator[str]:
    if not listed:
        return
    yield f'<section id="{identity}"><h2>{head}</h2>'
    for entry in listed:
        yield _guest(entry)
    yield _more(total, len(listed))
    yield "</section>"


def _guest(entry: dict[str, Any]) -> str:
    found = entry["needsAPerson"]
    summary = ", ".join(dict.fromkeys(each["code"] for each in found))
    devices = ", ".join(f"{n} {name}" for name, n in sorted(entry["carried"]["devices"].items()))
    left = ", ".join(_leftovers(entry["leftOut"])) or "nothing"
    reasons = "".join(
        f"<li>It {escape(each['what'])}: <b>{escape(each['detail'])}</b></li>" for each in found[:_DETAILS]
    )
    if len(found) > _DETAILS:
        reasons += f"<li>and {len(found) - _DETAILS} more</li>"
    return (
        f"<details><summary><b>{escape(entry['namespace'])}/{escape(entry['name'])}</b>"
        f" <span class=hint>{escape(entry['node'] or 'unknown node')}</span>"
        f" <span class=codes>{escape(summary)}</span></summary>"
        f"<ul>{reasons}</ul><dl><dt>Domain</dt><dd>{escape(entry['domain'])} {escape(entry['uuid'] or '')}</dd>"
        f"<dt>From</dt><dd class=m>{escape(entry['source'])}</dd><dt>To</dt><dd class=m>{escape(entry['file'])}</dd>"
        f"<dt>Carried</dt><dd>{entry['carried']['elements']} elements: {escape(devices)}</dd>"
        f"<dt>Left out</dt><dd>{escape(left)}</dd></dl></details>\n"
    )


def _leftovers(left_out: list[dict[str, Any]]) -> list[str]:
    counts: dict[str, int] = {}
    for each in left_out:
        counts[each["what"]] = counts.get(each["what"], 0) + 1
    return [f"{what} ({n})" if n > 1 else what for what, n in counts.items()]


def _carried(report: Report) -> Iterator[str]:
    yield '<section id="carried"><div class=two><div><h2>Carried</h2>'
    yield f"<p>{_number(report.elements)} XML elements, each proven by converting it back.</p>"
    yield from _table(("Device", "Number"), ((_cell(k), _cell(n, "n")) for k, n in report.devices.most_common(_ROWS)))
    yield "</div><div><h2>Left out as runtime state</h2>"
    if report.left_out:
        yield from _table(("What", "Number"), ((_cell(k), _cell(n, "n")) for k, n in report.left_out.most_common()))
    else:
        yield "<p>Nothing: no definition had any.</p>"
    yield "</div></div></section>"


def _infrastructure(report: Report, spool: Spool) -> Iterator[str]:
    if not report.networks + report.pools:
        return
    yield '<section id="infrastructure"><h2>Networks and pools</h2>'
    rows = (
        (
            _cell(each.kind), _cell(each.name), _cell(_some(each.nodes)),
            _cell("; ".join(note for note, true in (
                ("UUID and MAC address differ from node to node and are left out", each.differing),
                ("there is another of this name that is not equal", each.apart),
            ) if true)),
        )
        for each in islice(shared(spool), _ROWS)
    )  # fmt: skip
    yield from _table(("Kind", "Name", "Nodes", "Note"), rows)
    yield _more(report.networks + report.pools, min(report.networks + report.pools, _ROWS))
    yield "</section>"


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMES else f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"


def _rest(report: Report, spool: Spool) -> Iterator[str]:
    if report.others:
        yield '<section id="others"><h2>Kept to be read, not applied</h2>'
        rows = (
            (_cell(e["kind"]), _cell(e["name"]), _cell(e["node"] or ""), _cell(e["file"], "m"))
            for e in entries.others(spool)
        )
        yield from _table(("Kind", "Name", "Node", "File"), islice(rows, _ROWS))
        yield _more(report.others, min(report.others, _ROWS))
        yield "</section>"
    if report.passed_over:
        yield '<section id="passed"><h2>Passed over</h2>'
        found = (
            (_cell(e["source"], "m"), _cell(e["why"]), _cell(e.get("instead", ""), "m"))
            for e in entries.passed_over(spool)
        )
        yield from _table(("File", "Why", "Instead"), islice(found, _ROWS))
        yield _more(report.passed_over, min(report.passed_over, _ROWS))
        yield "</section>"
    if report.stale:
        yield '<section id="stale"><h2>Files of an earlier import, no longer in the source</h2><ul>'
        yield "".join(f"<li class=m>{escape(path)}</li>" for path in report.stale)
        yield "</ul></section>"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "<table><thead><tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr></thead><tbody>\n"
    for row in rows:
        yield "<tr>" + "".join(row) + "</tr>\n"
    yield "</tbody></table>"


def _cell(value: object, kind: str = "") -> str:
    text = _number(value) if isinstance(value, int) else escape(str(value))
    return f"<td class={kind}>{text}</td>" if kind else f"<td>{text}</td>"


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def _more(total: int, shown: int) -> str:
    return "" if total <= shown else f"<p class=hint>{_number(total - shown)} more are in report.json.</p>"
