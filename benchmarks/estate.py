"""How fast a whole estate is imported, and in how much memory.

    python -m benchmarks.estate generate FOLDER [--guests N] [--nodes K]
    python -m benchmarks.estate measure [--guests N ...] [--jobs J] [--folder FOLDER] [--output FILE]

``generate`` lays out an estate as libvirt leaves it on each node's disk. ``measure`` does so in a temporary folder for
each number of guests, imports it with `virtctl import`, and sets the rate beside the codec's: that of `virtctl convert`
on the same files, and that of the codec alone, in memory, with no file read or written.

The folder is in memory unless another one is named. What a disk's file system takes to create a file is no business of
an import and differs by a factor of ten from run to run: ext4 takes ten times as long while it steps over the inodes of
files that were deleted within the last minutes, such as those of the run before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from analyser.convert import convert
from benchmarks import report
from benchmarks.guests import OPENSTACK, guests

TITLE = "Import"
IN_MEMORY = Path("/dev/shm")  # noqa: S108  (temporary folders are made in it)
OF_TODAY = [OPENSTACK / "compute-1", OPENSTACK / "compute-2"]
SHARED = ("networks", "storage", "secrets", "nwfilter")
SAMPLE = 10_000
"""How many of the guests the codec's own rate is measured on."""


class Taken(NamedTuple):
    """What an import took: seconds by the clock, seconds of all processors, and bytes at its peak."""

    clock: float
    processor: float
    memory: int


def generate(folder: Path, count: int, nodes: int) -> None:
    """Lay out *count* different guests on *nodes* nodes below *folder*."""
    for number in range(nodes):
        libvirt = folder / f"node-{number + 1:04}" / "etc" / "libvirt"
        source = OF_TODAY[number % len(OF_TODAY)] / "etc" / "libvirt"
        for path in sorted(path for path in source.rglob("*.xml") if set(path.parts).intersection(SHARED)):
            target = libvirt / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        (libvirt / "qemu").mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(guests(count, *OF_TODAY), 1):
        libvirt = folder / f"node-{number % nodes + 1:04}" / "etc" / "libvirt"
        (libvirt / "qemu" / f"instance-{number:08x}.xml").write_text(text)


def imported(source: Path, output: Path, jobs: int) -> Taken:
    """Import the estate in *source* and return what that took; raises CalledProcessError if it failed."""
    return taken("import", str(source), "-o", str(output), "--jobs", str(jobs))


def converted(source: Path, output: Path, jobs: int) -> Taken:
    """Convert the files in *source* to YAML and return what that took."""
    return taken("convert", str(source), "-o", f"{output}/", "--jobs", str(jobs))


def taken(*arguments: str) -> Taken:
    """Run virtctl with *arguments* and return what that took; raises CalledProcessError if it failed."""
    command = [sys.executable, "-m", "executor.cli", *arguments]
    before = os.times()
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.1)
    clock = time.monotonic() - start
    errors = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(clock, processor, peak)


def _memory(root: int) -> int:
    """Return the memory of a process and all below it, what they share counted once, in bytes."""
    total = 0
    waiting = [root]
    while waiting:
        process = waiting.pop()
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            waiting += [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
        except (OSError, ValueError):  # it has ended meanwhile
            continue
        total += sum(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def codec_rate(count: int) -> tuple[float, float]:
    """Return how many of *count* guests the codec does a second: to YAML, and there and back."""
    sample = [text.encode() for text in guests(min(count, SAMPLE), *OF_TODAY)]
    start = time.process_time()
    written = [convert(data, file="").text.encode() for data in sample]
    there = time.process_time()
    for data in written:
        convert(data, file="")
    back = time.process_time()
    return len(sample) / (there - start), len(sample) / (back - start)


def measure(counts: list[int], jobs: int, place: Path) -> str:
    """Return a report on importing estates of each of *counts* guests, which are laid out in the folder *place*."""
    rows = []
    jobs = jobs or os.cpu_count() or 1
    for count in counts:
        # In a process of its own, as the import is: what an earlier one has met would make it faster.
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            to_yaml, both_ways = process.submit(codec_rate, count).result()
        with tempfile.TemporaryDirectory(prefix="kubevmm-estate-", dir=place) as folder:
            generate(Path(folder) / "nodes", count, max(2, count // 500))
            done = imported(Path(folder) / "nodes", Path(folder) / "out", jobs)
            peer = converted(Path(folder) / "nodes", Path(folder) / "converted", jobs)
            size = sum(path.stat().st_size for path in Path(folder, "nodes").rglob("*.xml"))
        rate = count / done.processor
        rows.append(
            [
                f"{count:,}",
                f"{size / count:,.0f}",
                f"{done.clock:.1f}",
                f"{count / done.clock:,.0f}",
                f"{rate:,.0f}",
                f"{peer.processor / done.processor:.2f}",
                f"{rate / both_ways:.2f}",
                f"{rate / to_yaml:.2f}",
                f"{done.memory / 2**20:,.0f}",
            ]
        )
    header = [
        "guests",
        "bytes each",
        "seconds",
        "guests/s",
        "guests/s a core",
        "x `convert`",
        "x codec there and back",
        "x codec to YAML",
        "peak MiB",
    ]
    return (
        f"`virtctl import` of estates as libvirt leaves them on disk, every guest different, with {jobs} processes"
        f"{', in a file system in memory' if place == IN_MEMORY else ''}. "
        "The rate for one core is by processor time. Its peer is `virtctl convert` of the same files to YAML, which "
        "reads and writes as many; an import also converts each guest back, to prove it, names it, and reports on it. "
        "The two columns behind that compare with the codec alone, in memory, which neither reads nor writes a file."
        "\n\n" + report.table(header, rows) + "\n\n" + report.machine("lxml") + "\n"
    )


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estate", description=__doc__.split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    lay_out = commands.add_parser("generate", help="lay out an estate in a folder")
    lay_out.add_argument("folder", type=Path)
    lay_out.add_argument("--guests", type=int, default=1000)
    lay_out.add_argument("--nodes", type=int, default=10)
    take = commands.add_parser("measure", help="import estates, and print what it took")
    take.add_argument("--guests", type=int, nargs="+", default=[1000, 10_000])
    take.add_argument("--jobs", type=int, default=0, help="processes to use (default: one for each core)")
    take.add_argument("--folder", type=Path, default=IN_MEMORY, help="where to lay them out (default: %(default)s)")
    take.add_argument("--output", type=Path, help="a Markdown file to keep the table in")
    options = parser.parse_args()
    if options.command == "generate":
        generate(options.folder, options.guests, options.nodes)
        return 0
    text = measure(options.guests, options.jobs, options.folder)
    sys.stdout.write(text)
    if options.output:
        report.save(options.output, TITLE, text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
