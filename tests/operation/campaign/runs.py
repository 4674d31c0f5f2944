"""One run after the other: guests live through what was drawn for them, strikes fall, and then all must be well."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.operation.campaign import stories, strikes, verdict
from tests.operation.campaign.acts import OVER, Acts
from tests.operation.campaign.strikes import Striker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.operation.campaign.stage import Stage
    from tests.operation.campaign.strikes import Strike

PATIENCE = 120.0
"""Seconds after which what should come about is taken not to; far more than it takes."""

QUIET = 1.0
"""Seconds in which nothing may be written for it to be quiet."""

TICK = 0.05
SPAN = 5.0
"""Seconds in which strikes begin, from the first act on."""


@dataclass
class Tally:
    """What was done."""

    struck: Counter[str] = field(default_factory=Counter)
    """Strikes that fell, by kind and part."""
    missed: int = 0
    """Those that waited for a call that did not come."""
    acts: Counter[str] = field(default_factory=Counter)


class Run:
    """Run *number* of the campaign with *seed*, on *stage*."""

    def __init__(self, stage: Stage, seed: int, number: int) -> None:
        self._stage = stage
        self._acts = Acts(stage)
        chance = random.Random(f"{seed}:{number}")  # noqa: S311  (the same run again is what it is for)
        self.guests = stories.draw(chance, number)
        self.strikes = strikes.draw(chance, SPAN)
        self.pauses = random.Random(f"{seed}:{number}:pauses")  # noqa: S311
        self.fell: list[Strike] = []

    def __str__(self) -> str:
        lines = [f"  {guest.build}: {' '.join(guest.acts)} (begun: {guest.done})" for guest in self.guests]
        return "\n".join([*lines, *(f"  {'fell' if each in self.fell else 'not'} {each}" for each in self.strikes)])

    def play(self) -> None:
        """Do it. Raises AssertionError where something does not hold."""
        striker = Striker(self._stage, self.strikes)
        try:
            self._until(lambda: self._step() and striker.done, striker.tick, "the acts do not come to an end")
        finally:
            striker.end()
            self.fell = striker.fell
        self._settle()
        for guest in self.guests:
            self._acts.begin(guest, "delete")
            guest.done += 1
        self._until(self._gone, lambda: None, "guests do not go")
        self._judge(went=True)

    def _step(self) -> bool:
        """Begin what may be begun; return whether all has been, but for the last act."""
        stands = self._stage.record.look()
        open_ = [guest for guest in self.guests if guest.done < len(guest.acts) - 1]
        for guest in open_:
            act = guest.acts[guest.done]
            if self._acts.may_begin(guest, act, stands) and self._acts.begin(guest, act):
                guest.done += 1
        return self._acts.open_nodes(stands) and not open_

    def _settle(self) -> None:
        """Wait until all is as it is wanted, for libvirt and for the API server, and nothing is written any more."""
        self._until(self._stage.up, lambda: None, "a part does not come back")
        self._until(lambda: not self._wrong(), lambda: None, lambda: "\n".join(self._wrong()))
        self._until(self._quiet, lambda: None, "it does not become quiet")
        self._judge()

    def _wrong(self) -> list[str]:
        """Return what is not as it is wanted, or not said as it is."""
        stands = self._stage.record.look()
        out = [f"{guest.domain}: {why}" for guest in self.guests if (why := self._acts.wrong(guest, stands))]
        if out:
            return out
        operations = self._stage.api.list("virtualmachineoperations")
        out = [
            f"{each['metadata']['name']}: {each.get('status')}"
            for each in operations
            if (each.get("status") or {}).get("phase") not in OVER
        ]
        found = {each["metadata"]["name"]: each for each in self._stage.api.list("virtualmachines")}
        for guest in self.guests:
            there = found.get(guest.build.name) or {"metadata": {"generation": 0}}
            out.extend(verdict.of_status(guest, there, stands.get(guest.domain, [])))
        return out

    def _quiet(self) -> bool:
        """Say whether nothing was written, nor done, for a while."""
        before = self._stage.roads.writes, len(self._stage.record.told)
        time.sleep(QUIET)
        return before == (self._stage.roads.writes, len(self._stage.record.told))

    def _gone(self) -> bool:
        stands = self._stage.record.look()
        if any(self._acts.wrong(guest, stands) for guest in self.guests):
            return False
        names = {each["metadata"]["name"] for each in self._stage.api.list("virtualmachines")}
        return names.isdisjoint(guest.build.name for guest in self.guests)

    def _judge(self, *, went: bool = False) -> None:
        operations = [] if went else self._stage.api.list("virtualmachineoperations")
        wrongs = [
            line
            for guest in self.guests
            for line in verdict.of_libvirt(guest, None if went else operations, self._stage.record)
        ]
        wrongs += self._stage.record.problems
        assert not wrongs, "\n".join(wrongs)

    def _until(self, holds: Callable[[], bool], meanwhile: Callable[[], object], what: str | Callable[[], str]) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            meanwhile()
            problems = self._stage.record.problems
            assert not problems, "\n".join(problems)
            if holds():
                return
            assert time.monotonic() < end, what() if callable(what) else what
            time.sleep(TICK)


class Campaign:
    """A stage, and the runs on it."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._seed = seed
        self.tally = Tally()

    def run(self, number: int) -> None:
        """Do run *number*. Raises AssertionError, with all that was told, where it does not hold."""
        self._stage.record.forget()
        run = Run(self._stage, self._seed, number)
        try:
            run.play()
            self._logs()
        except AssertionError as error:
            told = "\n".join(f"  {each}" for each in self._stage.record.told)
            said = f"run {number} of seed {self._seed} does not hold:\n{error}\n{run}\n{told}\n{self._stage.logs()}"
            raise AssertionError(said) from None
        self.tally.struck.update(f"{each.kind} {each.part}".strip() for each in run.fell)
        self.tally.missed += len(run.strikes) - len(run.fell)
        self.tally.acts.update(act for guest in run.guests for act in guest.acts)

    def _logs(self) -> None:
        for part in self._stage.parts.values():
            for log in part.logs:
                if log.exists():
                    text = log.read_text(encoding="utf-8", errors="replace")
                    assert "Traceback" not in text, f"{log.name}:\n{text[-6000:]}"
