"""Objects of any kind as people name them: ``vm``, ``vm web-1``, ``vm/web-1 vmnet/inner``, ``web-1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence


WITHOUT_DATA: Final = ("VirtualMachine", "VirtualMachineNetwork", "VirtualMachineStoragePool")
"""The kinds behind which no data goes when they are deleted."""


def parse(words: Sequence[str], *, bare: str = "", every: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """Return the names by kind that *words* ask for, no names where a whole kind is.

    ``all`` is every kind that a namespace has, or those of *every*, ``vm,vmnet`` are two. A word that is no kind, and
    stands behind none, is a name of the kind *bare*. Raises a usage error for what is no kind at all.
    """
    from executor.engine.objects import KINDS, OF_CLUSTERS, kind_of

    known = ", ".join(kind.short for kind in KINDS if kind.name not in OF_CLUSTERS)
    if any("/" in word for word in words):
        out: dict[str, tuple[str, ...]] = {}
        for word in words:
            short, _, name = word.partition("/")
            kind = kind_of(short)
            if kind is None or not name:
                raise typer.BadParameter(f"{word}: expected KIND/NAME, with one of {known} as its kind")
            out[kind.name] = (*out.get(kind.name, ()), name)
        return out
    if words and words[0].lower() == "all" and len(words) == 1:
        whole = [kind.name for kind in KINDS if kind.namespaced and kind.name not in OF_CLUSTERS]
        return dict.fromkeys(every or whole, ())
    if len(words) == 1 and "," in words[0]:
        several = [kind_of(word) for word in words[0].split(",")]
        if all(several):
            return {kind.name: () for kind in several if kind is not None}
    first = kind_of(words[0]) if words else None
    if first is not None and not (bare and len(words) == 1):
        return {first.name: tuple(words[1:])}
    if not bare or not words:
        raise typer.BadParameter(f"{words[0] if words else 'nothing'}: no such kind; there are all, {known}")
    return {bare: tuple(words)}
