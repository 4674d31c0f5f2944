"""Descriptions of native keys: each is of a key that exists, and reads as one sentence."""

from __future__ import annotations

from schemas.crd import Native
from schemas.descriptions import Descriptions, descriptions
from schemas.table import table


class _Heard(Descriptions):
    """Remembers for which paths it was asked."""

    def __init__(self) -> None:
        super().__init__(descriptions().texts)
        object.__setattr__(self, "asked", set())

    def find(self, path: tuple[str, ...]) -> str | None:
        self.asked.add(path)  # type: ignore[attr-defined]
        return super().find(path)


def test_every_description_is_of_a_key_that_exists() -> None:
    heard = _Heard()
    native = Native(table(), heard, ())
    for name, root in table().roots.items():
        if root.field:
            native.root(name)
    asked: set[tuple[str, ...]] = heard.asked  # type: ignore[attr-defined]

    unused = [
        path
        for path in descriptions().texts
        if not any(
            len(steps) == len(keys) and all(step in ("*", key) for step, key in zip(steps, keys, strict=True))
            for steps in [path.split(".")]
            for keys in asked
        )
    ]

    assert unused == []


def test_a_description_is_one_sentence() -> None:
    odd = [
        path
        for path, text in descriptions().texts.items()
        if not text.endswith(".") or not (text[0].isupper() or not text[0].isalpha() or text.split()[0].islower())
    ]

    assert odd == []


def test_a_full_path_goes_before_a_pattern() -> None:
    found = Descriptions({"a.*.c": "Pattern.", "a.b.c": "Path."})

    assert found.find(("a", "b", "c")) == "Path."
    assert found.find(("a", "x", "c")) == "Pattern."
    assert found.find(("a", "x")) is None
