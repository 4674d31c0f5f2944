"""What the text of one element says of its guest, where virsh printed it: what ``findings`` and ``nova`` read in trees.

The quick way of an import has no tree. It remembers what is said of an element with the element (``fastxmlpieces``);
what is rare is parsed on its own.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from analyser import runtime
from analyser.importer import findings, nova, secrets
from analyser.importer.findings import DISK, NETWORK, Device, Finding
from analyser.xmlreader import FRAGMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

_TAGS = 256
_TAG = re.compile(r"\w+")
_INTERFACE = "interface"
_TEXT = re.compile(r"\w+>([^<>&\n]*)</\w+>")
_FIRMWARE = {"os": ("<nvram", "<kernel", "<initrd", "<dtb"), "sysinfo": (" type='fwcfg'",)}
"""What there must be in an element for it to say something."""


class Part(NamedTuple):
    """What a child of the domain says: its name or UUID, Nova's words, or what a person must see to.

    It ``may_have`` runtime state or a secret.
    """

    name: str | None = None
    uuid: str | None = None
    owner: nova.Nova | None = None
    found: tuple[Finding, ...] = ()
    may_have: bool = False


def device(text: str, *, running: bool = False) -> Device | str:
    """Return what there is to say of a device: nothing but its tag of most.

    *text* is its XML without the first ``<`` and without its end tag.
    """
    tag = _tag(text)
    suspect = may_have(text, "devices", tag, running=running)
    if tag not in findings.LOOKED_AT:
        return Device(tag, may_have=True) if suspect else sys.intern(tag)
    quick = _QUICK.get(tag)
    said = quick(text) if quick is not None and "&" not in text else None
    said = said or findings.device(_element(text))
    if suspect:
        return said._replace(may_have=True)
    return said if said.found or said.uses else tag


def part(text: str, *, running: bool = False) -> Part | None:
    """Return what a child of the domain other than its devices says, by its text; None for most."""
    tag = _tag(text)
    suspect = may_have(text, "", tag, running=running)
    if tag in ("name", "uuid"):
        found = _TEXT.fullmatch(text)
        said = found[1] if found else _element(text).text or ""
        return Part(name=said, may_have=suspect) if tag == "name" else Part(uuid=said, may_have=suspect)
    if tag == "metadata":
        return Part(owner=nova.of_text(text.partition("\n")[2]) or nova.read(_element(text)), may_have=suspect)
    if any(each in text for each in _FIRMWARE.get(tag, ())):
        return Part(found=tuple(findings.of_part(_element(text))), may_have=suspect)
    return Part(may_have=True) if suspect else None


def may_have(text: str, above: str, tag: str, *, running: bool) -> bool:
    """Say whether a child *tag* of the domain, or of its child *above*, may have something that an import takes out."""
    # The rules know XML with double quotes.
    text = text.lower().replace("'", '"')
    for needle in _needles(above, tag, running):  # noqa: SIM110  (a generator costs more than what it looks at)
        if needle in text:
            return True
    return False


@lru_cache(_TAGS)
def _needles(above: str, tag: str, running: bool) -> list[str]:
    found = {needle.decode() for needle in runtime.needles("domain", above, tag, running=running) | secrets.needles()}
    return [each for each in sorted(found) if not any(other != each and other in each for other in found)]


def _tag(text: str) -> str:
    match = _TAG.match(text)
    return match[0] if match else ""


def _element(text: str) -> etree._Element:
    line, more, _ = text.partition("\n")
    whole = not more and (line.endswith("/>") or "</" in line)
    found: etree._Element = etree.fromstring(f"<{text}" if whole else f"<{text}</{_tag(text)}>", FRAGMENTS)
    return found


def _attributes(text: str, start: int) -> dict[str, str]:
    """Return the attributes of the element whose name ends before *start*."""
    parts = text[start : text.find(">", start)].split("'")
    return {parts[place].strip(" ="): parts[place + 1] for place in range(0, len(parts) - 1, 2)}


def _child(text: str, mark: str) -> dict[str, str] | None:
    """Return the attributes of the first child whose line begins with *mark*."""
    start = 0
    while (start := text.find(mark, start)) >= 0:
        start += len(mark)
        if text[start] in " />":
            return _attributes(text, start)
    return None


def _all(text: str, mark: str) -> list[dict[str, str]]:
    """Return the attributes of all elements inside that begin with *mark*, at any depth."""
    return [_attributes(rest, 0) for rest in text.split(mark)[1:] if rest[0] in " />"]


def _disk(text: str) -> Device | None:
    if "<backingStore>" in text or "<backingStore " in text:
        return None
    target = (_child(text, "\n      <target") or {}).get("dev", "")
    source = _child(text, "\n      <source")
    uses = []
    if source is not None:
        uses = findings.disk(_attributes(text, len(DISK)).get("type", "file"), target, source)
    found: tuple[Finding, ...] = ()
    if "<secret" in text:
        found = tuple([findings.secret(target, each) for each in _all(text, "<secret")])
    return Device(DISK, found, tuple(uses))


def _interface(text: str) -> Device | None:
    kind = _attributes(text, len(_INTERFACE)).get("type", "")
    if kind in findings.HOST_INTERFACES:
        return None
    uses: tuple[tuple[str, ...], ...] = ()
    if kind == "network":
        network = (_child(text, "\n      <source") or {}).get("network")
        uses = ((NETWORK, network),) if network else ()
    found: tuple[Finding, ...] = ()
    if "<filterref" in text:
        found = tuple([Finding("network-filter", each.get("filter", "")) for each in _all(text, "<filterref")])
    return Device(_INTERFACE, found, uses)


_QUICK: dict[str, Callable[[str], Device | None]] = {DISK: _disk, _INTERFACE: _interface}
