"""What the text of one element says of its guest, where virsh printed it: what ``findings`` and ``nova`` read in trees.

The quick way of an import has no tree. It remembers what is said of an element with the element (``fastxmlpieces``);
what is rare is parsed on its own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from analyser.importer import findings, nova
from analyser.importer.findings import DISK, NETWORK, Device, Finding
from analyser.xmlreader import FRAGMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

_TAGS = 256
_TAG = re.compile(r"\w+")
_TYPE = re.compile(r"[^\n]*? type='([^']*)'")
_SOURCE = re.compile(r"\n      <source\b([^<>]*)>")
_TARGET = re.compile(r"\n      <target\b([^<>]*)>")
_SECRET = re.compile(r"<secret\b([^<>]*)>")
_FILTER = re.compile(r"<filterref\b([^<>]*)>")
_ATTRIBUTE = re.compile(r" ([\w:-]+)='([^']*)'")
_TEXT = re.compile(r"\w+>([^<>&\n]*)</\w+>")
_FIRMWARE = re.compile(r"<(?:nvram|kernel|initrd|dtb)\b| type='fwcfg'")


class Part(NamedTuple):
    """What a child of the domain says: its name or UUID, Nova's words, or what a person must see to."""

    name: str | None = None
    uuid: str | None = None
    owner: nova.Nova | None = None
    found: tuple[Finding, ...] = ()


def device(text: str) -> Device:
    """Return what there is to say of a device; *text* is its XML without the first ``<`` and without its end tag."""
    tag = _tag(text)
    if tag not in findings.LOOKED_AT:
        return _plain(tag)
    quick = _QUICK.get(tag)
    said = quick(text) if quick is not None and "&" not in text else None
    return said or findings.device(_element(text))


@lru_cache(_TAGS)
def _plain(tag: str) -> Device:
    return Device(tag)


def part(text: str) -> Part | None:
    """Return what a child of the domain other than its devices says, by its text; None for most."""
    tag = _tag(text)
    if tag in ("name", "uuid"):
        found = _TEXT.fullmatch(text)
        said = found[1] if found else _element(text).text or ""
        return Part(name=said) if tag == "name" else Part(uuid=said)
    if tag == "metadata":
        return Part(owner=nova.of_text(text) or nova.read(_element(text)))
    if tag in ("os", "sysinfo") and _FIRMWARE.search(text):
        return Part(found=tuple(findings.of_part(_element(text))))
    return None


def _tag(text: str) -> str:
    match = _TAG.match(text)
    return match[0] if match else ""


def _element(text: str) -> etree._Element:
    line, more, _ = text.partition("\n")
    whole = not more and (line.endswith("/>") or "</" in line)
    found: etree._Element = etree.fromstring(f"<{text}" if whole else f"<{text}</{_tag(text)}>", FRAGMENTS)
    return found


def _attributes(match: re.Match[str] | None) -> dict[str, str] | None:
    return None if match is None else dict(_ATTRIBUTE.findall(match[1]))


def _disk(text: str) -> Device | None:
    if "<backingStore>" in text or "<backingStore " in text:
        return None
    target = (_attributes(_TARGET.search(text)) or {}).get("dev", "")
    source = _attributes(_SOURCE.search(text))
    uses: list[tuple[str, ...]] = []
    if source is not None:
        kind = _TYPE.match(text)
        uses = findings.disk(kind[1] if kind else "file", target, source)
    found: tuple[Finding, ...] = ()
    if "<secret" in text:
        found = tuple(findings.secret(target, _attributes(each) or {}) for each in _SECRET.finditer(text))
    return Device(DISK, found, tuple(uses))


def _interface(text: str) -> Device | None:
    kind = _TYPE.match(text)
    if kind and kind[1] in findings.HOST_INTERFACES:
        return None
    uses: tuple[tuple[str, ...], ...] = ()
    if kind and kind[1] == "network":
        network = (_attributes(_SOURCE.search(text)) or {}).get("network")
        uses = ((NETWORK, network),) if network else ()
    found: tuple[Finding, ...] = ()
    if "<filterref" in text:
        filters = [_attributes(each) or {} for each in _FILTER.finditer(text)]
        found = tuple(Finding("network-filter", each.get("filter", "")) for each in filters)
    return Device("interface", found, uses)


_QUICK: dict[str, Callable[[str], Device | None]] = {"disk": _disk, "interface": _interface}
