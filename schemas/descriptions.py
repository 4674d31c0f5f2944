"""What libvirt's elements and attributes are for, in our own words, by their place in YAML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

PATH = Path(__file__).parent / "descriptions.yaml"


@dataclass(frozen=True)
class Descriptions:
    """Sentences by path (``domain.devices.disks.target.dev``); ``*`` in a path is any one key."""

    texts: dict[str, str]

    def find(self, path: tuple[str, ...]) -> str | None:
        """Return the sentence for *path* (a root element's name, and keys): by its full path, else by a pattern."""
        return self.texts.get(".".join(path)) or next(
            (text for pattern, text in self._patterns.get(len(path), ()) if _fits(pattern, path)), None
        )

    @property
    def _patterns(self) -> dict[int, list[tuple[tuple[str, ...], str]]]:
        return _patterns_of(tuple(self.texts.items()))


@cache
def _patterns_of(texts: tuple[tuple[str, str], ...]) -> dict[int, list[tuple[tuple[str, ...], str]]]:
    patterns: dict[int, list[tuple[tuple[str, ...], str]]] = {}
    for path, text in texts:
        steps = tuple(path.split("."))
        if "*" in steps:
            patterns.setdefault(len(steps), []).append((steps, text))
    return patterns


def _fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return all(step in ("*", name) for step, name in zip(pattern, path, strict=True))


@cache
def descriptions() -> Descriptions:
    """Return the project's descriptions."""
    return Descriptions(yaml.safe_load(PATH.read_text(encoding="utf-8")))
