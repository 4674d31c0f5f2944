"""What a guest costs the API server, from its audit log: every request that writes, whoever made it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from tests.operation.placing import anywhere, delete, runs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.operation.placing import Placed

MOST = 9


def written(audit: Path, start: int, *names: str) -> Counter[str]:
    """Return how often who wrote what of the objects *names* since *start*, an offset in the log *audit*."""
    found: Counter[str] = Counter()
    with audit.open("rb") as file:
        file.seek(start)
        for line in file:
            entry = json.loads(line)
            about = entry.get("objectRef") or {}
            if entry["stage"] != "ResponseComplete" or about.get("name") not in names:
                continue
            what = "/".join(filter(None, (about["resource"], about.get("subresource"))))
            agent = str(entry.get("userAgent", "")).partition("/")[0]
            found[f"{agent}: {entry['verb']} {what}"] += 1
    return found


def test_the_whole_life_of_a_guest_costs_at_most_nine_calls_that_write(placed: Placed) -> None:
    start = placed.audit.stat().st_size
    placed.apply(anywhere("cheap"))
    runs(placed, "cheap")
    delete(placed, "cheap")
    calls = written(placed.audit, start, "cheap", "cheap-placement")
    owners = {each: count for each, count in calls.items() if each.startswith("kubectl:")}
    assert set(owners) == {"kubectl: create virtualmachines", "kubectl: delete virtualmachines"}
    assert calls["kube-scheduler: create pods/binding"] == 1, calls
    assert sum(calls.values()) - sum(owners.values()) <= MOST, calls
