"""libvirt's numbered states, reasons and events as words, from the names of its own constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libvirt

if TYPE_CHECKING:
    from collections.abc import Mapping


def words(prefix: str, *, without: tuple[str, ...] = ()) -> Mapping[int, str]:
    """Return the word of each of the binding's constants that begin with *prefix*: ``..._PAUSED_IOERROR``, ioerror.

    Underscores become hyphens. Names that go on with one of *without* belong to another enumeration.
    """
    # The binding has thousands of names: only those of the prefix are sorted.
    found = [(name, value) for name, value in vars(libvirt).items() if name.startswith(prefix)]
    return {
        value: rest.lower().replace("_", "-")
        for name, value in sorted(found)
        if isinstance(value, int) and (rest := name.removeprefix(prefix)) and not rest.startswith(without)
    }


def word(table: Mapping[int, str], number: int) -> str:
    """Return the word for *number*; one that this library does not name yet reads ``unknown-NUMBER``."""
    return table.get(number) or f"unknown-{number}"
