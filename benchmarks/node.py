"""How fast virtctl's engine is on a node, beside plain libvirt in the same run.

    python -m benchmarks.node [--guests N] [--rounds N] [--starts N] [--output FILE]

A pass over guests that are as they should be, against reading each one's XML; ``virtctl get vm`` and ``virtctl apply``
of such guests against a Python program that only opens the connection and reads each one's XML, whole processes; a
guest from apply to running, against the calls that ``virsh define`` and ``virsh start`` make of the same XML, through
one connection.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyser import yamlwriter
from benchmarks import report
from benchmarks.guests import ROOT, guests
from executor.engine import apply as engine
from executor.engine import ownership, remembered, source, state
from executor.engine.objects import Ref
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.hypervisor import Hypervisor
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_OWN = re.compile(
    r"(?P<head><source [^>]*\b(?:file|name|dev|volume)=')(?P<value>[^']*)'|(?P<nvram><nvram[^>]*>)([^<]+)<"
)
READS = "import sys, libvirt\nfor domain in libvirt.open(sys.argv[1]).listAllDomains():\n    domain.XMLDesc(0)\n"
SMALL = """<domain type='qemu'><name>%s</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><serial type='pty'/></devices></domain>"""


def _documents(count: int, kind: str) -> Iterator[str]:
    """Yield different guests of *kind* with disks of their own, more than *count*: a driver may refuse some."""

    def own(match: re.Match[str], number: int) -> str:
        return f"{match[0][:-1]}-{number}{match[0][-1]}"

    for number, text in enumerate(guests(2 * count)):
        made = _OWN.sub(lambda match, number=number: own(match, number), text)  # type: ignore[misc]
        made = re.sub(r"<domain type=(['\"])\w+\1", f"<domain type='{kind}'", made, count=1)
        if kind == "qemu":
            made = re.sub(r"<cpu .*?</cpu>|<cpu [^>]*/>", "", made, flags=re.DOTALL)
            made = re.sub(r"machine='[^']*'", "machine='q35'", made)
        yield made[made.index("<domain") :]


def _define(hypervisor: Hypervisor, count: int, kind: str) -> source.Declarations:
    """Define *count* guests and return them as objects, each of which says all of its guest."""
    out = source.Declarations()
    for text in _documents(count, kind):
        try:
            domain = hypervisor.domains.define(text)
        except LibvirtError:
            continue
        ref = Ref("VirtualMachine", "default", domain.name)
        out.objects.append(source.Declared(ref, ownership.object_of(domain, ref), "benchmark"))
        if len(out.objects) == count:
            break
    return out


def _managed(hypervisor: Hypervisor, count: int, kind: str) -> source.Declarations:
    declared = _define(hypervisor, count, kind)
    for done in engine.apply(hypervisor, declared):
        if done.error is not None:
            raise SystemExit(str(done.error))
    return declared


def _best(acts: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the best time of each, in seconds. By turns: what else the machine does is then everybody's alike."""
    found: dict[str, float] = {}
    for _ in range(rounds):
        for name, act in acts.items():
            start = time.perf_counter()
            act()
            found[name] = min(time.perf_counter() - start, found.get(name, math.inf))
    return found


def _pass(hypervisor: Hypervisor, declared: source.Declarations) -> None:
    for done in engine.apply(hypervisor, declared):
        if done.result is None or str(done.result.outcome) != "unchanged":
            raise SystemExit(f"{done.declared.ref}: {done.error or done.result}")


def _anew(hypervisor: Hypervisor, declared: source.Declarations) -> None:
    remembered.forget(hypervisor)
    _pass(hypervisor, declared)


def _reading(hypervisor: Hypervisor, *, both: bool) -> None:
    for raw in hypervisor.connection.raw.listAllDomains():
        raw.XMLDesc(0)
        if both:
            raw.XMLDesc(2)


def passes(count: int, rounds: int) -> list[list[str]]:
    """Measure passes over *count* unchanged guests."""
    return [*_passes(count, rounds, running=False), *_passes(count, rounds, running=True)]


def _passes(count: int, rounds: int, *, running: bool) -> list[list[str]]:
    with Hypervisor("test:///default") as hypervisor:
        declared = _define(hypervisor, count, "test")
        for domain in hypervisor.domains.all():
            if running and not domain.active:
                domain.start()
        for done in engine.apply(hypervisor, declared):
            if done.error is not None:
                raise SystemExit(str(done.error))
        return _timed(hypervisor, declared, rounds, "running" if running else "shut off", both=running)


def _timed(
    hypervisor: Hypervisor, declared: source.Declarations, rounds: int, what: str, *, both: bool
) -> list[list[str]]:
    planned = _best({"a pass that plans for all": lambda: _pass(hypervisor, declared)}, 1)
    found = _best(
        {
            "each one's XML read": lambda: _reading(hypervisor, both=False),
            "all documents read": lambda: _reading(hypervisor, both=both),
            "a pass": lambda: _pass(hypervisor, declared),
            "a new process's first pass": lambda: _anew(hypervisor, declared),
        },
        rounds,
    )
    xml, documents = found["each one's XML read"], found["all documents read"]
    if not both:
        del found["all documents read"]
    return [
        [f"{what}: {name}", f"{seconds * 1e3:.0f}", f"{seconds / xml:.2f}", f"{seconds / documents:.2f}"]
        for name, seconds in (found | planned).items()
    ]


def _lists(uri: str, rounds: int, folder: str = "") -> dict[str, float]:
    """Return the seconds of a program that reads, and of virtctl, compiled, as installing leaves them.

    *folder* has the manifests of all guests, which ``virtctl apply`` takes.
    """
    with tempfile.TemporaryDirectory() as compiled:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = compiled

        def process(*arguments: str) -> None:
            command, quiet = [sys.executable, *arguments, uri], subprocess.DEVNULL
            subprocess.run(command, check=True, cwd=ROOT, env=env, stdout=quiet, stderr=quiet, timeout=300)

        acts = {
            "a program that reads each one's XML": lambda: process("-c", READS),
            "`virtctl get vm`": lambda: process("-m", "executor.cli", "get", "vm", "-c"),
        }
        if folder:
            acts["`virtctl apply`, all unchanged"] = lambda: process("-m", "executor.cli", "apply", "-f", folder, "-c")
        _best(acts, 1)
        return _best(acts, rounds)


def lists(count: int, rounds: int, daemon: str) -> tuple[list[list[str]], list[list[str]]]:
    """Measure ``virtctl get vm`` of *count* guests, of the driver inside of the process and of a *daemon*'s.

    Also, as `passes` does, passes over the daemon's, which come first.
    """
    with tempfile.TemporaryDirectory() as folder, Hypervisor("test:///default") as hypervisor:
        declared = _managed(hypervisor, count, "test")
        texts = [hypervisor.domains.by_name(each.ref.name).xml(secure=True, inactive=True) for each in declared.objects]
        path = Path(folder) / "node.xml"
        path.write_text(f"<node>{''.join(texts)}</node>", encoding="utf-8")
        inside = _lists(f"test://{path}", rounds)
    with Hypervisor(daemon) as hypervisor, tempfile.TemporaryDirectory() as folder:
        declared = _managed(hypervisor, count, "qemu")
        for each in declared.objects:
            Path(folder, f"{each.ref.name}.yaml").write_text(yamlwriter.dump(each.object), encoding="utf-8")
        passed = _timed(hypervisor, declared, rounds, "libvirtd, shut off", both=False)
        behind = _lists(daemon, rounds, folder)
        for domain in hypervisor.domains.all():
            domain.undefine()
    return passed, [
        [f"{where}: {what}", f"{seconds * 1e3:.0f}", f"{seconds / next(iter(found.values())):.2f}"]
        for where, found in (("test driver", inside), ("libvirtd", behind))
        for what, seconds in found.items()
    ]


def starts(count: int, daemon: str) -> list[list[str]]:
    """Measure *count* guests from nothing to running, by turns with the calls that virsh makes and with the engine."""
    found: dict[str, list[float]] = {"plain": [], "ours": []}
    with Hypervisor(daemon) as hypervisor:
        for number in range(count + 1):
            name = f"start-{number}"
            domain = hypervisor.domains.define(SMALL % name)
            obj: dict[str, Any] = ownership.object_of(domain, Ref("VirtualMachine", "default", name))
            text = domain.xml(inactive=True)
            domain.undefine()
            obj["spec"] |= {"runStrategy": "Always"}
            declared = source.Declarations([source.Declared(Ref("VirtualMachine", "default", name), obj, "benchmark")])
            acts = {
                "plain": lambda text=text: hypervisor.connection.raw.defineXML(text).create(),
                "ours": lambda declared=declared: list(engine.apply(hypervisor, declared)),
            }
            # What libvirtd still does for the one before would slow down always the same.
            for who in acts if number % 2 else reversed(acts):
                began = time.perf_counter()
                acts[who]()
                found[who].append(time.perf_counter() - began)
                _remove(hypervisor, name)
    # The first of each warms up.
    one, two = (min(found[who][1:]) for who in ("plain", "ours"))
    return [
        ["the calls of `virsh define` and `virsh start`", f"{one * 1e3:.0f}", "1.00"],
        ["`apply` to running", f"{two * 1e3:.0f}", f"{two / one:.2f}"],
    ]


def _remove(hypervisor: Hypervisor, name: str) -> None:
    domain = hypervisor.domains.by_name(name)
    if not domain.active:
        raise SystemExit(f"{name} does not run")
    domain.destroy()
    domain.undefine()


def main() -> int:
    """Measure, print, and keep the tables if a file is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.node", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--guests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--output", type=Path, help="a Markdown file to keep the tables in")
    options = parser.parse_args()
    text = (
        f"{options.guests:,} guests of some 7 kB of XML each, every one managed; the best of {options.rounds}. A pass "
        "is `apply` of objects that are read already; of a guest that runs it reads two documents, its definition and "
        "what runs, by several threads. A new process knows what those before it found.\n\n"
    )
    with tempfile.TemporaryDirectory() as kept, Libvirtd() as daemon:
        os.environ[state.VARIABLE] = kept
        rows = passes(options.guests, options.rounds)
        passed, listed = lists(options.guests, options.rounds, daemon.uri)
        heads = ["a pass over unchanged guests", "ms", "x one XML each", "x what is read"]
        text += report.table(heads, [*rows, *passed]) + "\n\n"
        text += "Whole processes, start to end.\n\n" + report.table(["a list", "ms", "x"], listed) + "\n\n"
        started = starts(options.starts, daemon.uri)
    text += (
        f"A guest of 16 MiB under QEMU in software; the best of {options.starts}, by turns.\n\n"
        + report.table(["from nothing to running", "ms", "x"], started)
        + "\n\n"
        + report.machine("lxml", "libvirt-python")
        + "\n"
    )
    sys.stdout.write(text)
    if options.output is not None:
        report.save(options.output, "On a node", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
