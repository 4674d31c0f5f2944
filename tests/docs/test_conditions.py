"""The pages of conditions and metrics name all reasons and metrics that there are, and no metric that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from executor.agent.metrics import Metrics
from kube import metrics
from scheduler import metrics as extender

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conditions.md"
# What an operation's reasons mean stands on its own page.
PAGES = (PAGE, ROOT / "docs" / "operations.md")
# Functions that are given a reason, and the place of it among what they are given.
GIVEN = {"Binding": 0, "Verdict": 0, "condition": 3, "event": 2}
# Between parts of the controller alone: nothing is written of it.
UNSEEN = {"Next"}


def test_every_metric_is_on_the_page_and_only_those() -> None:
    kinds = (Counter, Gauge, Histogram)
    found = [
        each for owner in (metrics, Metrics(), extender) for each in vars(owner).values() if isinstance(each, kinds)
    ]
    names = {
        family.name + ("_total" if family.type == "counter" else "") for each in found for family in each.collect()
    }
    section = PAGE.read_text(encoding="utf-8").partition("## Metrics")[2]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == names


def _reasons(path: Path) -> Iterator[str]:
    """Yield the reasons that the module at *path* gives in so many words."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            place = GIVEN.get(name, len(call.args))
            given = call.args[place] if place < len(call.args) else None
            for each in (given.body, given.orelse) if isinstance(given, ast.IfExp) else (given,):
                if isinstance(each, ast.Constant) and re.fullmatch(r"[A-Z]\w+", str(each.value)):
                    yield str(each.value)


def test_every_reason_that_the_controller_gives_is_on_a_page() -> None:
    said = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    reasons = {reason for path in (ROOT / "controller").glob("*.py") for reason in _reasons(path)} - UNSEEN
    assert len(reasons) > 20
    assert sorted(reason for reason in reasons if f"`{reason}`" not in said) == []
