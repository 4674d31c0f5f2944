"""The page for developers shows what can be had."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def test_the_pages_example_imports_what_is_there() -> None:
    page = (ROOT / "docs" / "kube.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/kube.md", "exec"), names)  # noqa: S102  (a text of our own)
    assert inspect.iscoroutinefunction(names["main"])


def test_every_module_stands_in_the_pages_table() -> None:
    page = (ROOT / "docs" / "kube.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {path.stem for path in (ROOT / "kube").glob("*.py")} - {"__init__"} <= named
