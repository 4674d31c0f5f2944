"""Reads ``overrides.yaml`` and ``order.yaml``: what the grammar cannot say."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).parent.parent / "overrides.yaml"
ORDER = Path(__file__).parent.parent / "order.yaml"


def _match(pattern: str, path: tuple[str, ...]) -> bool:
    steps = pattern.split("/")
    tail = path[-len(steps) :]
    return len(tail) == len(steps) and all(step in ("*", name) for step, name in zip(steps, tail, strict=True))


@dataclass(frozen=True)
class Overrides:
    """The overrides, with paths looked up by their last steps, the first pattern that fits."""

    raw: dict[str, Any]
    order: dict[str, list[str]] = field(default_factory=dict)
    """By type: the order in which libvirt prints, as far as it is not the grammar's."""

    def find(self, section: dict[str, Any], path: tuple[str, ...], default: Any = None) -> Any:
        """Return what *section* says of *path*, or *default*."""
        for pattern, value in section.items():
            if _match(pattern, path):
                return value
        return default

    def __getitem__(self, section: str) -> Any:
        return self.raw[section]


@cache
def load() -> Overrides:
    """Return the project's own overrides."""
    return Overrides(
        yaml.safe_load(PATH.read_text(encoding="utf-8")), yaml.safe_load(ORDER.read_text(encoding="utf-8"))
    )
