"""Sizes as objects have them, in bytes: Kubernetes' quantities, and what libvirt was told in units of its own."""

from __future__ import annotations

import re
from typing import Final

_QUANTITY: Final = re.compile(r"(\d+)([KMGTPE]i|[kMGTPE])?")
_SPELLED: Final = re.compile(r"(\d+) \(?([A-Za-z]+)\)?")
_LETTERS: Final = "KMGTPE"

_QUANTITIES: Final[dict[str, int]] = {
    "": 1,
    "k": 1000,
    **{f"{letter}i": 1024**power for power, letter in enumerate(_LETTERS, 1)},
    **{letter: 1000**power for power, letter in enumerate(_LETTERS[1:], 2)},
}
# libvirt's K, M, G are binary, and its KB, MB, GB are not (libvirt.org/formatdomain.html, memory allocation).
_UNITS: Final[dict[str, int]] = {
    "b": 1,
    "bytes": 1,
    "k": 1024,
    **{letter + end: 1024**power for power, letter in enumerate(_LETTERS, 1) for end in ("", "iB")},
    **{f"{letter}B": 1000**power for power, letter in enumerate(_LETTERS, 1)},
}


def in_bytes(value: object) -> int:
    """Return *value* in bytes; 0 for what is no size.

    >>> in_bytes("4Gi"), in_bytes("512 MiB"), in_bytes("4194304 (KiB)"), in_bytes(1024), in_bytes("1M"), in_bytes("1 M")
    (4294967296, 536870912, 4294967296, 1024, 1000000, 1048576)
    """
    if isinstance(value, int):
        return value
    text = str(value).strip()
    if found := _QUANTITY.fullmatch(text):
        return int(found[1]) * _QUANTITIES[found[2] or ""]
    if found := _SPELLED.fullmatch(text):
        return int(found[1]) * _UNITS.get(found[2], 0)
    return 0


def amount(value: object) -> float:
    """Return a quantity of Kubernetes' in units, thousandths of them too; 0 for what is none.

    >>> amount("500m"), amount("2"), amount(3), amount("1Gi")
    (0.5, 2.0, 3.0, 1073741824.0)
    """
    text = str(value).strip()
    if text.endswith("m") and text[:-1].isdecimal():
        return int(text[:-1]) / 1000
    try:
        return float(text)
    except ValueError:
        return float(in_bytes(text))
