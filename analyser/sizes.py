"""Sizes: libvirt's number and unit as one scalar, and back, character for character.

``<memory unit='KiB'>4194304</memory>``, which is how libvirt prints, is the largest exact binary quantity: ``4Gi``. Any
other spelling is kept as it stands: number, space and unit (``4096 MiB``), or, where XML names no unit, the unit that
libvirt then assumes in brackets (``4194304 (KiB)``). A size is never a bare number: that would mean bytes to Kubernetes
and KiB to libvirt. Reading takes Kubernetes' other quantities too (``4096Mi``, ``1500M``), as long as they are exact.
"""

from __future__ import annotations

import re

_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_LARGEST_FIRST = sorted(_BINARY.items(), key=lambda item: -item[1])
_PRINTED = {"KiB": 1 << 10, "MiB": 1 << 20, "M": 1 << 20, "bytes": 1, "B": 1}
"""Bytes in the units that libvirt itself prints (libvirt.org/formatdomain.html, memory allocation)."""

_CANONICAL = re.compile(r"[1-9][0-9]{0,18}")
_QUANTITY = re.compile(r"(0|[1-9][0-9]{0,18})([KMGTPE]i|[kMGTPE])")


def quantity(number: str, unit: str | None, printed: str) -> str:
    """Return the scalar for *number* in *unit* (None: none given), where libvirt prints the unit *printed*."""
    if unit is None:
        return f"{number} ({printed})"
    if unit == printed and _CANONICAL.fullmatch(number):
        count = int(number) * _PRINTED[printed]
        for suffix, factor in _LARGEST_FIRST:
            if count % factor == 0:
                return f"{count // factor}{suffix}"
    return f"{number} {unit}"


def parse(scalar: str, printed: str) -> tuple[str, str | None]:
    """Return number and unit as they stand in XML; raises ValueError, whose text says what is wrong with *scalar*."""
    number, space, unit = scalar.rpartition(" ")
    if space:
        return number, None if unit == f"({printed})" else unit
    match = _QUANTITY.fullmatch(scalar)
    if match is None:
        if scalar.isdigit():
            raise ValueError(f"{scalar} has no unit; write a quantity such as {scalar}Ki or {scalar}Mi")
        raise ValueError(f"{scalar!r} is not a size; write a quantity such as 512Mi or 4Gi")
    count = int(match[1]) * (_BINARY.get(match[2]) or _DECIMAL[match[2]])
    whole, rest = divmod(count, _PRINTED[printed])
    if rest:
        raise ValueError(f"{scalar} is no whole number of {printed}; libvirt cannot say it")
    return str(whole), printed
