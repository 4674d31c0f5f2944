"""Kills, cuts and jumps at seeded moments, and what must hold after them: ``python -m tests.operation.campaign``."""

from __future__ import annotations

import argparse
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
    options = parser.parse_args()
    began, tally, failed = time.monotonic(), Tally(), []
    left = list(range(options.first, options.first + options.runs))
    while left:
        # A run that does not hold leaves a cluster that nobody knows: the next ones get another.
        with Stage(options.seed) as stage:
            while left:
                number, started = left.pop(0), time.monotonic()
                try:
                    run(stage, options.seed, number, tally)
                except AssertionError as error:
                    failed.append(number)
                    _say(str(error))
                    break
                _say(f"run {number} holds, {time.monotonic() - started:.1f} s")
    held = options.runs - len(failed)
    _say(f"{held} runs of {options.runs} of seed {options.seed} hold, {time.monotonic() - began:.0f} s")
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
