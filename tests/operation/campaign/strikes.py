"""What goes wrong in a run, drawn from its seed: who is killed, at which call or when, and what the network does."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.harness.faultproxy import NONE
from tests.operation.campaign.roads import Trap
from tests.operation.campaign.stage import API_SERVER, CONTROLLERS, EXECUTORS, PARTS
from tests.operation.network import BAD

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.operation.campaign.stage import Stage

BAD_ROADS = replace(BAD, stale=0.0, conflict=0.05)
"""All that a network and a busy server do; what the server itself says is never old."""

OURS = (*CONTROLLERS, *EXECUTORS, "extender")
VICTIMS = (*CONTROLLERS, *EXECUTORS, *EXECUTORS, "extender", "kube-scheduler", API_SERVER)


@dataclass(frozen=True)
class Strike:
    """One of them: *kind* says what *part* does or suffers ``at`` so many seconds after the run began.

    ``call``: it is killed *when* it makes its call *number* to libvirt; ``write``: *victim* is killed *when* it writes
    for that time; ``kill``; ``freeze``: it stands still for *lasts* seconds; ``cut``: its streams end; ``network``: all
    of the network is bad for so long; ``clock``: its wall clock is *number* seconds off.
    """

    kind: str
    part: str
    at: float
    when: str = ""
    number: int = 0
    victim: str = ""
    lasts: float = 0.0

    def __str__(self) -> str:
        words = (self.kind, self.part, self.when, self.number or "", self.victim, self.lasts or "")
        return f"{self.at:.1f} s: {' '.join(str(word) for word in words if word)}"


def draw(chance: random.Random, latest: float) -> list[Strike]:
    """Return the strikes of a run, the first first, none later than *latest* seconds."""
    return sorted((_strike(chance, latest) for _ in range(chance.choice((1, 2, 2, 3)))), key=lambda each: each.at)


def _strike(chance: random.Random, latest: float) -> Strike:
    kind = chance.choice(
        ("call", "call", "call", "write", "write", "write", "kill", "kill", "freeze", "cut", "network", "clock")
    )
    at, when = chance.uniform(0.0, latest), chance.choice(("before", "after"))
    lasts = round(chance.uniform(0.2, 2.0), 1)
    match kind:
        case "call":
            # What a guest takes is a handful of calls; several may be in work.
            return Strike(kind, chance.choice(EXECUTORS), at, when, 1 + int(chance.random() ** 2 * 20), lasts=lasts)
        case "write":
            part = chance.choice((*PARTS[:-2], "kube-scheduler"))
            victim = chance.choice((part, part, part, chance.choice(VICTIMS)))
            return Strike(kind, part, at, when, 1 + int(chance.random() ** 2 * 10), victim, lasts)
        case "kill":
            return Strike(kind, chance.choice(VICTIMS), at, lasts=lasts)
        case "freeze":
            part = chance.choice((*CONTROLLERS, *CONTROLLERS, *EXECUTORS, "extender"))
            return Strike(kind, part, at, lasts=round(chance.uniform(0.5, 5.0), 1))
        case "clock":
            return Strike(
                kind, chance.choice(OURS), at, number=chance.choice((-1, 1)) * chance.choice((5, 60, 3600, 20000))
            )
        case "network":
            return Strike(kind, "", at, lasts=lasts)
    return Strike(kind, chance.choice(PARTS), at)


class Striker:
    """Lets *strikes* fall on *stage* when their time comes; ``fell`` are those that did."""

    def __init__(self, stage: Stage, strikes: list[Strike]) -> None:
        self._stage = stage
        self._waiting = list(strikes)
        self._began = time.monotonic()
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._armed: list[tuple[Strike, Callable[[], bool]]] = []
        self.fell: list[Strike] = []

    @property
    def done(self) -> bool:
        """Whether nothing is to come any more, but for what waits for a call."""
        return not self._waiting and not self._later

    def tick(self) -> None:
        """Do what is due."""
        now = time.monotonic() - self._began
        while self._waiting and self._waiting[0].at <= now:
            self._fall(self._waiting.pop(0), now)
        due = [each for each in self._later if each[0] <= now]
        self._later = [each for each in self._later if each[0] > now]
        for _, action in due:
            action()

    def end(self) -> None:
        """Let nothing more happen; all that is bad ends."""
        for _, action in self._later:
            action()
        self._later = []
        self._stage.roads.be(NONE)
        for strike, fell in self._armed:
            if fell():
                self.fell.append(strike)
            if strike.kind == "call":
                self._stage.orders(strike.part).write_text("", encoding="ascii")
            else:
                self._stage.roads.of[strike.part].trap = None
        self._armed = []

    def _fall(self, strike: Strike, now: float) -> None:
        parts, roads = self._stage.parts, self._stage.roads
        match strike.kind:
            case "call":
                before = len(parts[strike.part].ends)
                order = f"{strike.when} {strike.number} {time.monotonic_ns()}"
                self._stage.orders(strike.part).write_text(order, encoding="ascii")
                self._armed.append((strike, lambda: len(parts[strike.part].ends) > before))
            case "write":
                trap = Trap(strike.when, strike.number, lambda: parts[strike.victim].kill(strike.lasts))
                roads.of[strike.part].trap = trap
                self._armed.append((strike, lambda: trap.sprung))
            case "kill":
                if parts[strike.part].kill(strike.lasts):
                    self.fell.append(strike)
            case "freeze":
                if parts[strike.part].signal(signal.SIGSTOP):
                    self.fell.append(strike)
                    self._later.append((now + strike.lasts, lambda: parts[strike.part].signal(signal.SIGCONT)))
            case "cut":
                roads.cut([strike.part])
                self.fell.append(strike)
            case "network":
                roads.be(BAD_ROADS)
                self.fell.append(strike)
                self._later.append((now + strike.lasts, lambda: roads.be(NONE)))
            case "clock":
                self._stage.clock(strike.part, strike.number)
                self.fell.append(strike)
