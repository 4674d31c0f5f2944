"""Whether two scalars mean the same to libvirt: 4Gi is 4194304 KiB, 0x10 is 16, and MACs have no case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lxml import etree

from analyser import sizes
from analyser.codec.scalars import BOOLEANS
from analyser.compare.normal import Size, scalar
from analyser.compare.normal import foreign as plain
from analyser.xmlreader import FRAGMENTS, XML_SPACE
from executor.plan.rules import CPU_SETS, MACHINES, NOTHING, PADDED

if TYPE_CHECKING:
    from schemas.table import Field

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?:[:-][0-9a-fA-F]{1,2}){5}")
_UUID = re.compile(r"[0-9a-fA-F]{32}")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,30}")
_RANGE = re.compile(r"(\^?)([0-9]{1,6})(?:-([0-9]{1,6}))?")
_MOST_CPUS = 1 << 16


def same(wanted: Any, found: Any, field: Field, kind: str) -> bool:
    """Say whether *wanted* means what *found* means, as values of *field* in the type called *kind*.

    ``found`` may be None, for absent: some values mean the same as saying nothing.
    """
    if wanted == found and wanted.__class__ is found.__class__:
        return True
    if found is None:
        return nothing(wanted, field, kind)
    left, right = scalar(wanted, field), scalar(found, field)
    if left == right:
        return True
    if isinstance(left, Size) and isinstance(right, Size):
        return _printed(left, field) == _printed(right, field)
    if field.value in BOOLEANS or isinstance(left, bool) or isinstance(right, bool):
        return False
    return _same_text(str(left), str(right), field)


def nothing(value: Any, field: Field, kind: str) -> bool:
    """Say whether *value* means the same to libvirt as leaving the key out."""
    if value == "" and value.__class__ is str:
        return True
    meant = NOTHING.get((kind, field.key), ())
    return any(value == each and (value.__class__ is bool) == (each.__class__ is bool) for each in meant)


def _printed(size: Size, field: Field) -> int:
    # libvirt counts in the unit that it prints and rounds up to it.
    number, unit = sizes.parse(f"1 {field.unit}", field.unit)
    one = scalar(f"{number} {unit}", field)
    return -(-size.bytes // int(one.bytes))


def _same_text(left: str, right: str, field: Field) -> bool:
    if field.key in PADDED and left.strip("0") == right.strip("0") == "":
        return True
    if field.key == "machine":
        return right.startswith(MACHINES.get(left, (f"{left}-",)))
    if _MAC.fullmatch(left) and _MAC.fullmatch(right):
        return _octets(left) == _octets(right)
    if field.key in CPU_SETS:
        first, second = cpu_set(left), cpu_set(right)
        return first is not None and first == second
    bare = left.replace("-", ""), right.replace("-", "")
    if all(_UUID.fullmatch(each) for each in bare):
        return bare[0].lower() == bare[1].lower()
    if _HEXADECIMAL.fullmatch(left) and _HEXADECIMAL.fullmatch(right):
        return int(left, 16) == int(right, 16)
    return False


def _octets(mac: str) -> list[int]:
    return [int(octet, 16) for octet in re.split("[:-]", mac)]


def identity(value: Any) -> Any:
    """Return a scalar that tells list entries apart in the one spelling that all its spellings share."""
    if value.__class__ is not str:
        return value
    text = value.strip(XML_SPACE)
    if _MAC.fullmatch(text):
        return ":".join(f"{octet:02x}" for octet in _octets(text))
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if text.isascii() and text.isdigit() and len(text) < 20:  # noqa: PLR2004  (the digits of an int64)
        return int(text)
    bare = text.replace("-", "")
    return bare.lower() if _UUID.fullmatch(bare) else text


def cpu_set(text: str) -> frozenset[int] | None:
    """Return the numbers that a set such as ``0-3,^2`` names; None if it is no such set."""
    found: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            return None
        low, high = int(match[2]), int(match[3] or match[2])
        if high < low or high > _MOST_CPUS:
            return None
        numbers = range(low, high + 1)
        if match[1]:
            found.difference_update(numbers)
        else:
            found.update(numbers)
    return frozenset(found)


def kib(value: Any, field: Field) -> int | None:
    """Return the size *value* of *field* in KiB, rounded up as libvirt does; None if it is no size."""
    size = scalar(value, field)
    return -(-size.bytes // 1024) if isinstance(size, Size) else None


def same_foreign(left: str, right: str) -> bool:
    """Say whether two pieces of XML text mean the same, white space and prefixes apart."""
    if left == right:
        return True
    try:
        one, two = (etree.fromstring(f"<x>{text}</x>", FRAGMENTS) for text in (left, right))
    except etree.XMLSyntaxError:
        return False
    return plain(one) == plain(two)
