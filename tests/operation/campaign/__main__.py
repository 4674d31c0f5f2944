"""Kills, cuts and jumps at seeded moments, and what must hold after them: ``python -m tests.operation.campaign``."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.operation.campaign.runs import Tally, run
from tests.operation.campaign.stage import Stage


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.operation.campaign", description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="The number of the first run: each is what it is alone.")
    parser.add_argument("--minutes", type=float, default=0.0, help="Begin no run after so many; 0 for no end.")
    options = parser.parse_args()
    # What was started ends in good order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began, tally, failed = time.monotonic(), Tally(), []
    left = list(range(options.first, options.first + options.runs))
    end = began + 60 * options.minutes if options.minutes else float("inf")
    while left and time.monotonic() < end:
        # A run that does not hold leaves a cluster that nobody knows: the next ones get another.
        with Stage(options.seed) as stage:
            while left and time.monotonic() < end:
                number, started = left.pop(0), time.monotonic()
                try:
                    run(stage, options.seed, number, tally)
                except AssertionError as error:
                    failed.append(number)
                    _say(str(error))
                    break
                _say(f"run {number} holds, {time.monotonic() - started:.1f} s")
    done = options.runs - len(left)
    span = f"{done - len(failed)} of the {done} runs from {options.first} on of seed {options.seed}"
    _say(f"{span} hold, {time.monotonic() - began:.0f} s")
    _say(f"strikes that fell: {dict(sorted(tally.struck.items()))}; whose moment did not come: {tally.missed}")
    _say(f"acts: {dict(sorted(tally.acts.items()))}")
    if failed:
        _say(f"these do not: {failed}")
        sys.exit(1)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
