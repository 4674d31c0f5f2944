"""How fast documents are converted, on one core, beside lxml alone and beside generic XML-to-YAML tools.

    python -m benchmarks.codec [FOLDER] [--source WHAT] [--count N] [--rounds N] [--output FILE]

FOLDER holds libvirt's domain files; without one, N different guests are made from the examples. *Cold* is one pass over
all files with nothing remembered; *warm* is the pass after it, as in an estate whose files share most of their lines.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import xmltodict
import yaml
from lxml import etree
from ruamel.yaml import YAML

from analyser import convert as converting
from analyser import fastxml, fastxmllines, fastyaml, yamlwriter
from analyser.convert import convert
from analyser.layout import lines, tree
from benchmarks import report
from benchmarks.guests import OPENSTACK, ROOT, guests

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "The codec"
FIXTURES = ROOT / "tests" / "fixtures" / "documents"


class Contestant(NamedTuple):
    """Something that converts documents: *run* does one pass, *prepare* comes before it and does not count."""

    name: str
    run: Callable[[], None]
    files: int
    prepare: Callable[[], object] = gc.collect


def main() -> int:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codec", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", nargs="?", type=Path, help="domain files, in place of guests made from the examples")
    parser.add_argument("--source", default="given", help="what the files in FOLDER are, for the page")
    parser.add_argument("--count", type=int, default=1500, help="how many guests to make (default: 1500)")
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is measured (default: 7)")
    parser.add_argument("--output", type=Path, help="a Markdown file to keep the table in")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    documents = _documents(options.folder, options.count)
    source = "made from the examples" if options.folder is None else options.source
    text = _report(documents, _measured(_contestants(documents), options.rounds), source)
    sys.stdout.write(text)
    if options.output:
        report.save(options.output, f"{TITLE}, on files {source}", text)
    return 0


def _documents(folder: Path | None, count: int) -> list[bytes]:
    if folder is None:
        return [text.encode() for text in guests(count, OPENSTACK, FIXTURES)]
    found = [path.read_bytes() for path in sorted(folder.rglob("*.xml"))]
    return [data for data in found if etree.fromstring(data).tag == "domain"]


def forget() -> None:
    """Make everything as cold as in a new process, but for the tables."""
    for memo in (fastxmllines, fastyaml, lines, tree, yamlwriter):
        memo.clear()
    gc.collect()


def _contestants(documents: list[bytes]) -> list[Contestant]:
    written = [convert(data, file="").text.encode() for data in documents]
    # Slow ones do every twentieth document: their figure does not depend on how many there are.
    sample = documents[::20]
    count = len(documents)

    def through(inputs: list[bytes]) -> Callable[[], None]:
        def run() -> None:
            for data in inputs:
                convert(data, file="")

        return run

    def codec_alone() -> None:
        with mock.patch.object(converting, "_fast", return_value=None):
            for data in sample:
                convert(convert(data, file="").text.encode(), file="")

    def lxml() -> None:
        for data in documents:
            etree.tostring(etree.fromstring(data))

    def pyyaml() -> None:
        for data in sample:
            text = yaml.dump(xmltodict.parse(data), Dumper=yaml.CDumper)
            xmltodict.unparse(yaml.load(text, yaml.CLoader))  # noqa: S506  (the quickest of its loaders)

    def ruamel() -> None:
        safe = YAML(typ="safe")
        for data in sample[::4]:
            out = io.StringIO()
            safe.dump(xmltodict.parse(data), out)
            xmltodict.unparse(safe.load(out.getvalue()))

    to_yaml, to_xml = through(documents), through(written)
    return [
        Contestant("lxml, parse and serialise", lxml, count),
        Contestant("XML to YAML, cold", to_yaml, count, forget),
        Contestant("XML to YAML, warm", to_yaml, count),
        Contestant("YAML to XML, cold", to_xml, count, forget),
        Contestant("YAML to XML, warm", to_xml, count),
        Contestant("both ways, without the fast paths", codec_alone, len(sample)),
        Contestant("both ways, xmltodict and PyYAML's C loader and dumper", pyyaml, len(sample)),
        Contestant("both ways, xmltodict and ruamel.yaml's safe loader and dumper", ruamel, len(sample[::4])),
    ]


def _measured(contestants: list[Contestant], rounds: int) -> dict[str, float]:
    """Return the seconds that each takes for one file: the median of all rounds, in which they take turns."""
    taken: dict[str, list[float]] = {each.name: [] for each in contestants}
    for _ in range(rounds):
        for each in contestants:
            each.prepare()
            start = time.process_time()
            each.run()
            taken[each.name].append((time.process_time() - start) / each.files)
    return {name: statistics.median(times) for name, times in taken.items()}


def _report(documents: list[bytes], seconds: dict[str, float], source: str) -> str:
    for heat in ("cold", "warm"):
        seconds[f"both ways, {heat}"] = seconds[f"XML to YAML, {heat}"] + seconds[f"YAML to XML, {heat}"]
    lxml = seconds["lxml, parse and serialise"]
    peer = seconds["both ways, xmltodict and PyYAML's C loader and dumper"]
    rows = [
        [name, f"{1 / taken:,.0f}", f"{lxml / taken:.2f}", f"{peer / taken:.1f}"]
        for name, taken in sorted(seconds.items(), key=lambda item: item[1])
    ]
    accepted = sum(fastxml.to_yaml(data) is not None for data in documents)
    size = sum(map(len, documents)) / len(documents)
    return (
        f"{len(documents):,} domain files {source}, {size:,.0f} bytes each on average; "
        f"{100 * accepted / len(documents):.0f} % are printed as virsh prints. One pinned core, processor time, "
        "medians. Cold: one pass with nothing remembered.\n\n"
        + report.table(["", "files/s", "x lxml", "x xmltodict and PyYAML"], rows)
        + "\n\n"
        + report.machine("lxml", "PyYAML", "ruamel.yaml", "xmltodict")
        + "\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
