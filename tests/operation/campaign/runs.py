"""One run after the other: guests live through what was drawn for them, strikes fall, and then all must be well."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.operation.campaign import herds, stories, strikes, verdict
from tests.operation.campaign.acts import OVER, Acts
from tests.operation.campaign.strikes import Striker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.operation.campaign.stage import Stage
    from tests.operation.campaign.strikes import Strike

PATIENCE = 90.0
"""Seconds after which what should come about is taken not to; far more than it takes."""

QUIET = 1.0
"""Seconds in which nothing may be written for it to be quiet."""

TICK = 0.1
SPAN = 4.0
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
        self.herds = herds.draw(chance, number)
        self.fell: list[Strike] = []

    def __str__(self) -> str:
        lines = [f"  {guest.build}: {' '.join(guest.acts)} (begun: {guest.done})" for guest in self.guests]
        lines += [f"  {herd}" for herd in self.herds]
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
            if not guest.early:
                self._acts.begin(guest, "delete")
                guest.done += 1
        for herd in self.herds:
            herd.end(self._stage)
        self._until(self._gone, lambda: None, "guests do not go")
        self._judge()

    def _step(self) -> bool:
        """Begin what may be begun; return whether all has been."""
        self._acts.look()
        open_ = [guest for guest in self.guests if guest.open]
        for guest in open_:
            act = guest.acts[guest.done]
            if self._acts.may_begin(guest, act) and self._acts.begin(guest, act):
                guest.done += 1
        sets = [herd for herd in self.herds if herd.done < len(herd.sizes)]
        for herd in sets:
            if not herd.wrong(self._acts.stands, self._stage.record):
                herd.begin(self._stage)
        return self._acts.open_nodes() and not open_ and not sets

    def _settle(self) -> None:
        """Wait until all is as it is wanted, for libvirt and for the API server, and nothing is written any more."""
        self._until(self._stage.up, lambda: None, "a part does not come back")
        self._until(lambda: not self._wrong(), lambda: None, lambda: "\n".join(self._wrong()))
        self._until(self._quiet, lambda: None, "it does not become quiet")
        self._judge()

    def _wrong(self) -> list[str]:
        """Return what is not as it is wanted, or not said as it is."""
        self._acts.look()
        out = [f"{guest.domain}: {why}" for guest in self.guests if (why := self._acts.wrong(guest))]
        out += [why for herd in self.herds if (why := herd.wrong(self._acts.stands, self._stage.record))]
        if out:
            return out
        out = [
            f"{each['metadata']['name']}: {each.get('status')}"
            for each in self._acts.operations
            if (each.get("status") or {}).get("phase") not in OVER
        ]
        found = {each["metadata"]["name"]: each for each in self._stage.api.list("virtualmachines")}
        for guest in self.guests:
            there = found.get(guest.build.name, {})
            out.extend(verdict.of_status(guest, there, self._acts.stands.get(guest.domain, [])))
        for herd in self.herds:
            out.extend(herd.misstated(self._stage.api.find(herds.SETS, herd.name)))
        return out

    def _quiet(self) -> bool:
        """Say whether nothing was written, nor done, for a while."""
        before = self._stage.roads.writes, len(self._stage.record.told)
        time.sleep(QUIET)
        return before == (self._stage.roads.writes, len(self._stage.record.told))

    def _gone(self) -> bool:
        self._acts.look()
        if any(self._acts.wrong(guest) for guest in self.guests):
            return False
        if any(herd.wrong(self._acts.stands, self._stage.record) for herd in self.herds):
            return False
        return not any(self._stage.api.list(plural) for plural in ("virtualmachines", herds.SETS))

    def _judge(self) -> None:
        there, record = self._acts.operations, self._stage.record
        wrongs = [line for guest in self.guests for line in verdict.of_libvirt(guest, there, record)]
        wrongs += [line for herd in self.herds for line in herd.miscounted(self._stage.record)]
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


def run(stage: Stage, seed: int, number: int, tally: Tally) -> None:
    """Do run *number*. Raises AssertionError, with all that was told, where it does not hold."""
    stage.record.forget()
    found = Run(stage, seed, number)
    try:
        found.play()
        _look_through(stage)
    except AssertionError as error:
        said = [f"run {number} of seed {seed} does not hold:", str(error), str(found), *map(str, stage.record.told)]
        raise AssertionError("\n".join([*said, *stage.objects(), stage.logs()])) from None
    tally.struck.update(f"{each.kind} {each.part}".strip() for each in found.fell)
    tally.missed += len(found.strikes) - len(found.fell)
    tally.acts.update(act for guest in found.guests for act in guest.acts)
    tally.acts["scale"] += sum(len(herd.sizes) for herd in found.herds)


def _look_through(stage: Stage) -> None:
    """Check that no part met with what it was not made for."""
    for part in stage.parts.values():
        for log in part.unread():
            text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            assert "Traceback" not in text, f"{log.name}:\n{text[-6000:]}"
