"""The page of conditions and metrics names all metrics of controller and executor, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from executor.agent.metrics import Metrics
from kube import metrics

PAGE = Path(__file__).parents[2] / "docs" / "conditions.md"


def test_every_metric_is_on_the_page_and_only_those() -> None:
    kinds = (Counter, Gauge, Histogram)
    found = [each for owner in (metrics, Metrics()) for each in vars(owner).values() if isinstance(each, kinds)]
    names = {
        family.name + ("_total" if family.type == "counter" else "") for each in found for family in each.collect()
    }
    section = PAGE.read_text(encoding="utf-8").partition("## Metrics")[2]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == names
