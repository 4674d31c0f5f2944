"""Coverage-guided fuzzing of the readers and the mapping.

    python -m tests.fuzz.coverage_guided --target xml --seconds 60

libFuzzer (by way of Atheris) changes the inputs of ``corpus/`` and keeps each that reaches code that none had reached.
An exception that the target does not expect ends the run; the input is then in the folder ``--findings``, and
``--replay FILE`` runs it alone, with a traceback. What is new goes to ``--corpus``, a folder of one's own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
DICTIONARY = Path(__file__).parent / "words.dict"
MOST_BYTES = 4096
MEGABYTES = 3000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, help="what is fuzzed: see tests/fuzz/targets.py")
    parser.add_argument("--seconds", type=int, default=0, help="end after so many seconds (default: never)")
    parser.add_argument("--runs", type=int, default=-1, help="end after so many inputs (default: never)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (0: another one each time)")
    parser.add_argument("--corpus", type=Path, help="where inputs that reach new code are kept (default: nowhere)")
    parser.add_argument("--findings", type=Path, default=Path(), help="where an input that fails is left")
    parser.add_argument("--replay", type=Path, help="run this input alone")
    chosen = parser.parse_args()
    if chosen.replay:
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415  (a replay needs no instrumented modules)

        TARGETS[chosen.target](chosen.replay.read_bytes())
        return

    import atheris  # noqa: PLC0415  (a replay needs it not)

    with atheris.instrument_imports(include=["analyser", "schemas"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415  (what is imported here is instrumented)

    with tempfile.TemporaryDirectory() as scratch:
        corpus = chosen.corpus or Path(scratch)
        corpus.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_len={MOST_BYTES}", f"-rss_limit_mb={MEGABYTES}", "-timeout=20", f"-seed={chosen.seed}",
            f"-runs={chosen.runs}", f"-max_total_time={chosen.seconds}", f"-artifact_prefix={chosen.findings}/",
            f"-dict={DICTIONARY}", "-print_final_stats=1", str(corpus), str(CORPUS / chosen.target),
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options], TARGETS[chosen.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
