"""A thousand guests on twenty nodes, made as fast as the machine takes them: all run, within calls and memory.

How long that takes is printed, and judged by nobody: `python -m benchmarks.scale` measures it at a steady pace.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.scale import Load, measure, section

if TYPE_CHECKING:
    from pathlib import Path

LOAD = Load(guests=1000, nodes=20, pace=1000.0, processes=2, rest=2.0)

WRITES = 7.0
"""Calls that write for each guest until it runs, its making included: of nine in its life, its end takes two."""

MEMORY = {"controller": 100, "extender": 100, "executors": 400}
"""MiB; the executors are two processes, each with ten nodes and their five hundred guests."""


def test_a_thousand_guests_on_twenty_nodes_run_within_their_calls_and_memory(tmp_path: Path) -> None:
    done = measure(tmp_path, LOAD)
    sys.stdout.write(section(done))
    assert len(done.waits) == LOAD.guests
    assert done.writes <= WRITES, done.requests.most_common(20)
    assert {part: done.memory(part) for part, most in MEMORY.items() if done.memory(part) > most} == {}
    # Nobody asks again and again once all is as it should be: what is left are Leases.
    asked = {request: count for request, count in done.quiet.items() if request.part in MEMORY and request.writes}
    assert asked == {}
