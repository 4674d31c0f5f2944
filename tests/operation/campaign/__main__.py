"""Kills, cuts and jumps at seeded moments, and what must hold after them: ``python -m tests.operation.campaign``."""

from __future__ import annotations

import argparse
import sys
import time

from tests.operation.campaign.runs import Campaign
from tests.operation.campaign.stage import Stage


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.operation.campaign", description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="The number of the first run: each is what it is alone.")
    options = parser.parse_args()
    began = time.monotonic()
    with Stage(options.seed) as stage:
        found = Campaign(stage, options.seed)
        for number in range(options.first, options.first + options.runs):
            started = time.monotonic()
            try:
                found.run(number)
            except AssertionError as error:
                _say(str(error))
                sys.exit(1)
            _say(f"run {number} holds, {time.monotonic() - started:.1f} s")
        tally = found.tally
    _say(f"{options.runs} runs of seed {options.seed} hold, {time.monotonic() - began:.0f} s")
    _say(f"strikes that fell: {dict(sorted(tally.struck.items()))}; whose moment did not come: {tally.missed}")
    _say(f"acts: {dict(sorted(tally.acts.items()))}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
