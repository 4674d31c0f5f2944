"""Blows at chosen calls, again and again: ``python -m tests.agent.campaign --runs 300 --seed 1``.

Each run changes what is wanted, lets the agent or `virtctl apply` bring it about, and ends that process, or libvirtd,
as by kill -9 before or after one of its calls that change something. Then libvirt itself is asked: guests that nobody
touched run on in the same process, a domain of somebody else's is as it was, and the next pass brings about exactly
what is wanted, each guest once, and then has nothing left to do. Real guests under QEMU; a seed always gives the same
runs.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from executor.agent import manifests
from executor.agent.agent import Agent
from executor.agent.folder import FolderSource
from executor.agent.metrics import Metrics
from executor.engine import apply as engine
from executor.engine import source, state, store
from executor.engine.objects import Ref
from executor.hypervisor.calls import Recorder, hooked
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.hypervisor import Hypervisor
from tests.agent.running import Process, Told, eventually, qemus
from tests.cli.command import environment
from tests.harness.libvirtd import Libvirtd
from tests.hypervisor.guests import real

if TYPE_CHECKING:
    from collections.abc import Callable

GUESTS = 4
"""How many guests there are at most; each is a QEMU of its own."""

CALLS = 7
"""No plan here takes more calls than this: what is struck later is not struck at all."""

FOREIGN = "somebody-elses"


@dataclass(frozen=True)
class Wanted:
    """One guest as its manifest says."""

    title: str = "first"
    disk: bool = False
    memory: int = 48
    vcpus: int = 1

    def text(self, name: str, disk: Path) -> str:
        """Return the manifest."""
        disks = (
            f"\n      disks:\n      - {{type: file, device: disk, driver: {{name: qemu, type: raw}},"
            f" source: {{file: {disk}}}, target: {{dev: sdb, bus: scsi}}}}"
            if self.disk
            else ""
        )
        return f"""\
apiVersion: kubevmm.io/v1alpha1
kind: VirtualMachine
metadata: {{name: {name}}}
spec:
  runStrategy: Always
  terminationGracePeriodSeconds: 0
  domain:
    type: qemu
    title: {self.title}
    memory: {self.memory}Mi
    vcpu: {{value: {self.vcpus}}}
    os: {{type: {{value: hvm, arch: x86_64, machine: q35}}}}
    devices:
      controllers:
      - {{type: scsi, index: 0, model: virtio-scsi}}{disks}
"""


@dataclass
class Tally:
    """What was done."""

    struck: Counter[str] = field(default_factory=Counter)
    """Runs by who was struck; ``nobody`` where the call did not come."""
    restarted: int = 0
    """Guests that had to be restarted, since QEMU had what libvirt knew nothing of."""


class Campaign:
    """A libvirtd that comes back, a folder of manifests, and what is wanted."""

    def __init__(self, libvirtd: Libvirtd, scratch: Path, seed: int) -> None:
        self.libvirtd = libvirtd
        self.scratch = scratch
        self.folder = scratch / "manifests"
        self.folder.mkdir()
        self.chance = random.Random(seed)  # noqa: S311  (the same runs again are what it is for)
        self.wanted: dict[str, Wanted] = {}
        self.tally = Tally()
        # Passes in this process and those that are struck share what they remember.
        os.environ["KUBEVMM_STATE"] = str(scratch / "state")
        manifests.QUIET, manifests.GONE = 0.0, 0.1
        document = re.sub(r"\s*<graphics .*?/>", "", real(FOREIGN))
        with Hypervisor(libvirtd.uri) as hypervisor:
            foreign = hypervisor.domains.define(document)
            foreign.start()
            self.foreign = foreign.xml(), foreign.xml(inactive=True)

    def run(self) -> None:
        """Do one run. Raises AssertionError where something does not hold."""
        before = self.processes()
        touched, words = self._change()
        actor = self.chance.choice(("agent", "apply")) if words != "remove" else "agent"
        victim = self.chance.choice(("self", "self", "libvirtd"))
        # Most plans are short.
        when, number = self.chance.choice(("before", "after")), 1 + int(self.chance.random() ** 2 * CALLS)
        blow = f"{words} by {actor}, {victim} {when} {number}"
        struck = self._strike(actor, victim, when, number)
        self.tally.struck[f"{victim} of {actor}" if struck else "nobody"] += 1
        self._still(before, touched, f"right after: {blow}")
        self._converge(blow)
        self._still(before, touched, f"after the next pass: {blow}")
        if self._restart_those_that_wait():
            self._converge(blow)
        self._check(blow)

    def processes(self) -> dict[str, int]:
        """Return the process ids of all guests of this libvirtd, by domain, as the kernel has them."""
        return qemus(self.libvirtd)

    def _change(self) -> tuple[set[str], str]:
        """Change what is wanted; return the domains that may end or begin for it, and what it was, in a word."""
        names = sorted(self.wanted)
        ways: list[Callable[[], tuple[set[str], str]]] = []
        if len(names) < GUESTS:
            ways += [self._create] * 3
        if names:
            ways += [self._title, self._disk, self._memory, self._destroy, self._all_at_once]
        if len(names) > 1:
            ways.append(self._remove)
        return self.chance.choice(ways)()

    def _create(self) -> tuple[set[str], str]:
        name = next(f"web-{n}" for n in range(GUESTS) if f"web-{n}" not in self.wanted)
        self._want(name, Wanted(disk=self.chance.random() < 0.5))
        return {f"default_{name}"}, "create"

    def _title(self) -> tuple[set[str], str]:
        name = self._any()
        self._want(name, replace(self.wanted[name], title=f"title-{self.chance.randint(0, 999)}"))
        return set(), "title"

    def _disk(self) -> tuple[set[str], str]:
        name = self._any()
        self._want(name, replace(self.wanted[name], disk=not self.wanted[name].disk))
        return set(), "disk"

    def _memory(self) -> tuple[set[str], str]:
        name = self._any()
        self._want(name, replace(self.wanted[name], memory=self.chance.choice((48, 56, 64))))
        return set(), "memory"

    def _all_at_once(self) -> tuple[set[str], str]:
        for name in sorted(self.wanted):
            old = self.wanted[name]
            self._want(name, replace(old, title=f"all-{self.chance.randint(0, 999)}", disk=not old.disk))
        return set(), "everything"

    def _destroy(self) -> tuple[set[str], str]:
        name = f"default_{self._any()}"
        with Hypervisor(self.libvirtd.uri) as hypervisor:
            hypervisor.domains.by_name(name).destroy()
        return {name}, "destroyed by somebody"

    def _remove(self) -> tuple[set[str], str]:
        name = self._any()
        del self.wanted[name]
        (self.folder / f"{name}.yaml").unlink()
        return {f"default_{name}"}, "remove"

    def _any(self) -> str:
        return self.chance.choice(sorted(self.wanted))

    def _want(self, name: str, wanted: Wanted) -> None:
        self.wanted[name] = wanted
        disk = self.libvirtd.folder / f"{name}.raw"
        if not disk.exists():
            disk.write_bytes(bytes(1 << 20))
            disk.chmod(0o666)
        (self.folder / f"{name}.yaml").write_text(wanted.text(name, disk), encoding="utf-8")

    def _strike(self, actor: str, victim: str, when: str, number: int) -> bool:
        """Let *actor* bring about what is wanted, and strike; return whether the blow fell."""
        daemon = self.libvirtd.pid
        blow = f"{when}:{number}:{'self' if victim == 'self' else daemon}"
        program = [sys.executable, "-m", "tests.agent.struck", blow]
        if actor == "apply":
            done = subprocess.run(
                [*program, "apply", "-f", str(self.folder), "--connect", self.libvirtd.uri],
                env=environment(), capture_output=True, timeout=120, check=False,
            )  # fmt: skip
            assert b"Traceback" not in done.stderr, done.stderr.decode()
            ended = done.returncode == -signal.SIGKILL
            # Without libvirtd it may say so, and end with 1; else it does all that there is.
            assert ended or done.returncode == 0 or self._pid() != daemon, done.stderr.decode()
        else:
            with Process(self.libvirtd.uri, self.folder, self.scratch, program=program) as agent:
                agent.log.write_text("", encoding="utf-8")
                eventually(lambda: agent.code is not None or self._pid() != daemon or _is_ready(agent), agent.said)
                if agent.code is None and self.wanted.keys() != self._there():
                    # A removal takes until it was seen twice.
                    deadline = time.monotonic() + 10
                    while (
                        agent.code is None
                        and self._pid() == daemon
                        and self.wanted.keys() != self._there()
                        and time.monotonic() < deadline
                    ):
                        time.sleep(0.05)
                ended = agent.code == -signal.SIGKILL
                if not ended and agent.code is None and self._pid() != daemon:
                    # It must come back to what libvirtd is by then.
                    eventually(lambda: agent.code is not None or _is_ready(agent), agent.said)
                said = agent.said()
                assert "event=bug" not in said, said
                assert agent.code in (None, -signal.SIGKILL), said
        struck = ended if victim == "self" else self._pid() != daemon
        eventually(self._answers, "libvirtd does not answer")
        return struck

    def _pid(self) -> int:
        """Return libvirtd's process id, 0 while it has none."""
        with contextlib.suppress(OSError, ValueError):
            return self.libvirtd.pid
        return 0

    def _answers(self) -> bool:
        try:
            with Hypervisor(self.libvirtd.uri) as hypervisor:
                return bool(hypervisor.domains.by_name(FOREIGN).active)
        except LibvirtError:
            return False

    def _there(self) -> set[str]:
        try:
            with Hypervisor(self.libvirtd.uri) as hypervisor:
                return {guest.ref.name for guest, _ in store.guests(hypervisor) if guest.mark is not None}
        except LibvirtError:
            return set()

    def _still(self, before: dict[str, int], touched: set[str], when: str) -> None:
        """Check that guests that nobody meant run on as they did."""
        now = self.processes()
        lost = {name: (pid, now.get(name)) for name, pid in before.items() if name not in touched}
        lost = {name: pids for name, pids in lost.items() if pids[0] != pids[1]}
        assert not lost, f"{when}: guests did not run on: {lost}"
        with Hypervisor(self.libvirtd.uri) as hypervisor:
            foreign = hypervisor.domains.by_name(FOREIGN)
            assert (foreign.xml(), foreign.xml(inactive=True)) == self.foreign, f"{when}: {FOREIGN} was changed"

    def _converge(self, blow: str) -> None:
        """Let an agent that nobody strikes bring about what is wanted."""
        with Hypervisor(self.libvirtd.uri) as hypervisor:
            folder = FolderSource(self.folder, state.folder(hypervisor))
            told = Told()
            with Agent(hypervisor, folder, told, Metrics(), workers=2) as agent:
                eventually(
                    lambda: (
                        not agent.unready()
                        and agent.queue.sizes()[:2] == (0, 0)
                        and not agent.queue.failing()
                        and self._all_run(hypervisor)
                    ),
                    lambda: (
                        f"{blow}: does not converge: {agent.unready()} {agent.queue.sizes()} {agent.queue.failing()}"
                        f" {told.status} {told.events}"
                    ),
                )

    def _all_run(self, hypervisor: Hypervisor) -> bool:
        there = {guest.ref.name: each.state.active for guest, each in store.guests(hypervisor) if guest.mark}
        return there == dict.fromkeys(self.wanted, True)

    def _restart_those_that_wait(self) -> int:
        """Restart guests that wait for it with a disk, and return how many there are.

        Only a libvirtd that ends in the middle of attaching or detaching one leaves QEMU with what it knows nothing of.
        """
        found = 0
        with Hypervisor(self.libvirtd.uri) as hypervisor:
            for guest, _ in store.guests(hypervisor):
                if guest.mark is not None and any("disks" in path for path in guest.mark.pending):
                    found += 1
                    self.tally.restarted += 1
                    guest.domain.destroy()
        assert self.tally.restarted <= sum(n for who, n in self.tally.struck.items() if who.startswith("libvirtd"))
        return found

    def _check(self, blow: str) -> None:
        """Ask libvirt whether everything is as wanted, once, and a further pass has nothing to do."""
        with Hypervisor(self.libvirtd.uri) as hypervisor:
            names = [summary.domain.name for summary in hypervisor.domains.summaries()]
            assert sorted(names) == sorted([FOREIGN, *(f"default_{name}" for name in self.wanted)]), (blow, names)
            assert self.processes().keys() == set(names), (blow, self.processes(), names)
            for name, wanted in self.wanted.items():
                domain = store.find(hypervisor, Ref("VirtualMachine", "default", name)).domain
                for text in (domain.xml(), domain.xml(inactive=True)):
                    assert f"<title>{wanted.title}</title>" in text, (blow, name, text)
                    assert text.count("<disk ") == int(wanted.disk), (blow, name, text)
                assert f">{wanted.memory * 1024}</memory>" in domain.xml(inactive=True), (blow, name)
            with hooked(Recorder()) as recorder:
                done = [str(each.result.outcome) if each.result else str(each.error)
                        for each in engine.apply(hypervisor, source.read([str(self.folder)]))]  # fmt: skip
            assert set(done) <= {"unchanged"}, (blow, done)
            assert recorder.changes == [], (blow, recorder.changes)
        left = list((self.scratch / "state").rglob("*.tmp"))
        assert not left, (blow, left)


def _is_ready(agent: Process) -> bool:
    # It may be struck in the middle of its answer.
    with contextlib.suppress(OSError, http.client.HTTPException):
        return agent.get("/readyz")[0] == 200
    return False


def campaign(runs: int, seed: int, *, say: Callable[[str], object] = lambda _: None) -> Tally:
    """Do *runs* runs from *seed*, and return what was done. Raises AssertionError at the first that does not hold."""
    with Libvirtd(revived=True) as libvirtd, tempfile.TemporaryDirectory(prefix="kubevmm-campaign-") as scratch:
        found = Campaign(libvirtd, Path(scratch), seed)
        for number in range(runs):
            try:
                found.run()
            except BaseException:
                say(f"run {number} of seed {seed} does not hold")
                raise
            if number % 10 == 9:
                say(f"{number + 1} runs, struck: {dict(found.tally.struck)}; restarted: {found.tally.restarted}")
        return found.tally


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description="Blows at seeded calls to libvirt, and what must hold after them.")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    tally = campaign(options.runs, options.seed, say=_say)
    took = time.monotonic() - started
    _say(f"{options.runs} runs hold, {took:.0f} s; struck: {dict(tally.struck)}; restarted: {tally.restarted}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
