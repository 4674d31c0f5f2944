"""One private libvirtd for all these tests, and guests that really boot."""

from __future__ import annotations

import contextlib
import re
import select
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from executor.hypervisor.console import Console
from executor.hypervisor.domains import Domains
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.hypervisor import Hypervisor
from tests.cli.command import virtctl
from tests.harness.guest import document, guest_files
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from executor.hypervisor.domain import Domain

PATIENCE = 90.0
"""Seconds after which a guest that says nothing is taken to have failed; far more than it takes."""


class Tick(NamedTuple):
    """What the guest writes each second."""

    number: int
    disks: list[str]
    nics: list[str]
    cpus: str
    """Those that work, as ranges of numbers."""
    memory: int
    """In KiB."""


TICK = re.compile(rb"tick (\d+) disks=(\S*) nics=(\S*) cpus=(\S+) memory=(\d+)\r?\n")


class Machine:
    """A guest that runs, with its serial console open."""

    def __init__(self, uri: str, domain: Domain, folder: Path) -> None:
        self.uri = uri
        self.domain = domain
        self.name = domain.name
        self.folder = folder
        self._console: Console | None = None
        self._unread = b""

    def virtctl(self, *arguments: str | Path, code: int = 0, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run virtctl against the guest's libvirt; it must end with *code*."""
        done = virtctl(*arguments, stdin=stdin, env={"LIBVIRT_DEFAULT_URI": self.uri})
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    @property
    def run(self) -> int:
        """The number that this run of it has; -1 when it does not run."""
        # A handle keeps the number that it came with.
        return int(Domains(self.domain.connection).by_uuid(self.domain.uuid).raw.ID())

    def boot(self) -> Tick:
        """Start it, unless it runs, and wait until it says that it has booted."""
        if not self.domain.active:
            self.domain.start()
        self.let_go()
        return self.tick()

    def listen(self) -> None:
        """Open the console, if it is not open."""
        if self._console is None:
            self._console = Console(self.domain, force=True)

    def expect(self, pattern: bytes) -> re.Match[bytes]:
        """Return the next match of what the guest writes."""
        self.listen()
        assert self._console is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            if found := re.search(pattern, self._unread):
                self._unread = self._unread[found.end() :]
                return found
            assert time.monotonic() < deadline, (pattern, self._unread[-2000:])
            if select.select([self._console.socket], [], [], 1)[0]:
                piece = self._console.socket.recv(65536)
                assert piece, (pattern, "the console ended", self._unread[-2000:])
                self._unread += piece

    def tick(self) -> Tick:
        """Return the next line of the guest's counter that is written from now on."""
        if self._console is not None:
            while select.select([self._console.socket], [], [], 0)[0] and (piece := self._console.socket.recv(65536)):
                self._unread = piece
            self._unread = b""
        number, disks, nics, cpus, memory = (text.decode() for text in self.expect(TICK.pattern).groups())
        named = [text.split(",") if text else [] for text in (disks, nics)]
        return Tick(int(number), *named, cpus, int(memory))

    def until(self, what: str, names: set[str], *, there: bool = True) -> Tick:
        """Return the first tick in which the guest sees *names* among its *what* (disks, nics), or none of them."""

        def seen(tick: Tick) -> bool:
            found = set(getattr(tick, what))
            return names <= found if there else not names & found

        return self.when(seen)

    def when(self, holds: Callable[[Tick], bool]) -> Tick:
        """Return the first tick for which *holds*."""
        deadline = time.monotonic() + PATIENCE
        while not holds(tick := self.tick()):
            assert time.monotonic() < deadline, tick
        return tick

    def typed(self, command: str, answer: bytes) -> re.Match[bytes]:
        """Type *command* into the guest's shell and return the match of *answer* in what it writes."""
        self.tick()
        assert self._console is not None
        self._console.socket.sendall(command.encode() + b"\n")
        return self.expect(answer)

    def let_go(self) -> None:
        """Close the console."""
        if self._console is not None:
            self._console.close()
            self._console = None
        self._unread = b""


@pytest.fixture(scope="package")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture(scope="package")
def qemu(libvirtd: Libvirtd) -> Iterator[Hypervisor]:
    with Hypervisor(libvirtd.uri) as hypervisor:
        yield hypervisor


@pytest.fixture(scope="package")
def files(libvirtd: Libvirtd) -> tuple[Path, Path]:
    folder = libvirtd.folder / "guest"
    folder.mkdir(mode=0o755)
    return guest_files(folder)


@pytest.fixture(scope="module")
def machine(
    libvirtd: Libvirtd, qemu: Hypervisor, files: tuple[Path, Path], request: pytest.FixtureRequest
) -> Iterator[Machine]:
    """One guest for a module's tests, booted."""
    name = "seen-" + request.module.__name__.rpartition("_")[2]
    domain = qemu.domains.define(document(name, *files))
    disks = libvirtd.folder / f"disks-{name}"
    disks.mkdir(mode=0o777)
    disks.chmod(0o777)
    machine = Machine(libvirtd.uri, domain, disks)
    try:
        machine.boot()
        yield machine
    finally:
        machine.let_go()
        with contextlib.suppress(LibvirtError):
            domain.destroy()
        domain.undefine(nvram="delete", tpm="delete")
