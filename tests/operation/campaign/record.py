"""What libvirt and QEMU themselves tell of every domain, from the first moment on; nothing of ours is asked.

Each libvirtd has a connection of its own here. That a guest runs on two nodes, and a start that nobody asked for, is
found as it happens.
"""

from __future__ import annotations

import collections
import json
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import libvirt
import libvirt_qemu

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


@dataclass(frozen=True)
class Told:
    """One thing that was told of a domain: ``at`` is in seconds since the record began."""

    at: float
    node: str
    uuid: str
    name: str
    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.at:8.3f} {self.node} {self.name} {self.what} {self.detail}"


@dataclass(frozen=True)
class Stand:
    """How a domain stands on a node."""

    node: str
    domain: Any
    active: bool
    state: str
    reason: int


STATES = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTOFF: "off",
    libvirt.VIR_DOMAIN_SHUTDOWN: "stopping",
    libvirt.VIR_DOMAIN_CRASHED: "off",
}

_QUIET = re.compile(r"BALLOON|RTC|NIC_RX|DEVICE_|JOB_STATUS|MIGRATION")


def _words(prefix: str) -> dict[int, str]:
    """Return the words of libvirt's numbers whose names begin with *prefix*."""
    return {
        number: name.removeprefix(prefix).lower()
        for name, number in vars(libvirt).items()
        if name.startswith(prefix) and isinstance(number, int)
    }


LIFECYCLE = {
    0: "defined", 1: "undefined", 2: "started", 3: "suspended", 4: "resumed", 5: "stopped", 6: "shutdown",
    7: "pmsuspended", 8: "crashed",
}  # fmt: skip


class Record:
    """A context manager that follows the libvirtds at *uris*, by the nodes' names."""

    def __init__(self, uris: Mapping[str, str]) -> None:
        self.told: list[Told] = []
        self.problems: list[str] = []
        self.asked: dict[str, int] = {}
        """How many starts of a domain were asked for, by its name; of one that is not in it, ``others`` at most."""
        self.others = 1
        self.foreign: set[str] = set()
        """Names of domains of which nothing at all may be told."""
        self._uris = uris
        self._active: dict[str, set[str]] = collections.defaultdict(set)
        self._starts: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._closing = False
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> Self:
        libvirt.virEventRegisterDefaultImpl()
        # Without it the loop would wait for ever for a last event.
        libvirt.virEventAddTimeout(200, lambda *_: None, None)
        libvirt.registerErrorHandler(lambda *_: None, None)
        self._thread = threading.Thread(target=self._loop, name="record", daemon=True)
        self._thread.start()
        for node, uri in self._uris.items():
            opened = self._connections[node] = libvirt.open(uri)
            opened.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle, node)
            libvirt_qemu.qemuMonitorEventRegister(opened, None, None, self._qemu, node)
            for domain in opened.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                self._active[domain.UUIDString()].add(node)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing = True
        self._thread.join(timeout=10)

    def now(self) -> float:
        """Return the seconds since the record began."""
        return time.monotonic() - self._began

    def ask(self, name: str, starts: int) -> None:
        """Note that so many more starts of the domain *name* are asked for from now on."""
        with self._lock:
            self.asked[name] = self.asked.get(name, 0) + starts

    def starts(self, name: str) -> int:
        """Return how often the domain *name* was started."""
        with self._lock:
            return self._starts[name]

    def look(self) -> dict[str, list[Stand]]:
        """Return how each domain stands on each node, by its name."""
        found: dict[str, list[Stand]] = {}
        for node, connection in self._connections.items():
            for domain in connection.listAllDomains():
                try:
                    state, reason = domain.state()
                    stand = Stand(node, domain, bool(domain.isActive()), STATES.get(state, str(state)), reason)
                    found.setdefault(domain.name(), []).append(stand)
                except libvirt.libvirtError:
                    # It went as it was looked at.
                    continue
        return found

    def of(self, name: str) -> list[Told]:
        """Return what was told of the domain *name*."""
        with self._lock:
            return [each for each in self.told if each.name == name]

    def counts(self, name: str) -> collections.Counter[str]:
        """Return how often what was told of the domain *name*."""
        return collections.Counter(f"{each.what} {each.detail}".strip() for each in self.of(name))

    def forget(self) -> None:
        """Forget what was told: it was looked through."""
        with self._lock:
            self.told.clear()

    def _loop(self) -> None:
        while not self._closing:
            libvirt.virEventRunDefaultImpl()

    def _tell(self, node: str, domain: Any, what: str, detail: str) -> Told:
        told = Told(self.now(), node, domain.UUIDString(), domain.name(), what, detail)
        with self._lock:
            self.told.append(told)
        if told.name in self.foreign:
            self.problems.append(f"something of somebody else's was touched: {told}")
        return told

    def _lifecycle(self, _connection: Any, domain: Any, event: int, detail: int, node: str) -> None:
        what = LIFECYCLE.get(event, str(event))
        word = _DETAILS.get(what, {}).get(detail, str(detail))
        told = self._tell(node, domain, what, word)
        if what == "started":
            self._started(told)
        elif what in ("stopped", "crashed"):
            self._active[told.uuid].discard(node)

    def _started(self, told: Told) -> None:
        others = self._active[told.uuid] - {told.node}
        self._active[told.uuid].add(told.node)
        # The end there may be told after the beginning here: the kernel knows.
        if others and len(processes(told.uuid)) > 1:
            self.problems.append(f"runs on two nodes, {told.node} and {', '.join(others)}: {told}")
        with self._lock:
            self._starts[told.name] += 1
            starts, asked = self._starts[told.name], self.asked.get(told.name, self.others)
        if starts > asked:
            self.problems.append(f"was started {starts} times, {asked} were asked for: {told}")

    def _qemu(
        self, _connection: Any, domain: Any, event: str, _seconds: int, _micros: int, details: str | None, node: str
    ) -> None:
        if _QUIET.search(event):
            return
        said = json.loads(details) if details else {}
        self._tell(node, domain, f"QEMU:{event}", str(said.get("reason") or ""))


_DETAILS = {name: _words(f"VIR_DOMAIN_EVENT_{name.upper()}_") for name in LIFECYCLE.values()}


def processes(uuid: str) -> list[int]:
    """Return the process ids of the QEMUs that run the guest."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            except OSError:
                continue
            if b"-uuid" in line and line[line.index(b"-uuid") + 1].decode() == uuid and state != "Z":
                found.append(int(entry.name))
    return found
