"""What Nova says about a guest in its domain's metadata: whose it is, how it is called, what it was made from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from analyser.fastmemory import Recent
from analyser.foreignlines import is_canonical

if TYPE_CHECKING:
    from lxml import etree

NAMESPACE = "{http://openstack.org/xmlns/libvirt/nova/"
"""How the tags of Nova's elements begin; a version follows (nova/virt/libvirt/config.py)."""

PREFIX = "nova.kubevmm.io/"
"""What the labels and annotations made from it begin with."""


class Nova(NamedTuple):
    """Nova's words, as they stand; None where it says nothing."""

    name: str | None = None
    project: str | None = None
    project_id: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    """Label names below PREFIX, and values."""


_FACTS = ("name", "flavor", "image", "project", "project-id", "user", "user-id", "created", "version")


def _nova(said: dict[str, str | None]) -> Nova:
    facts = tuple((key, value) for key in _FACTS if (value := said.get(key)))
    return Nova(said.get("name"), said.get("project"), said.get("project-id"), facts)


def read(metadata: etree._Element | None) -> Nova | None:
    """Return what Nova says in *metadata*; None where the guest is not Nova's."""
    for instance in () if metadata is None else metadata:
        if isinstance(instance.tag, str) and instance.tag.startswith(NAMESPACE) and instance.tag.endswith("}instance"):
            return _instance(instance)
    return None


def _instance(instance: etree._Element) -> Nova:
    xmlns = str(instance.tag)[: -len("instance")]
    said: dict[str, str | None] = {}
    for tag in ("package", "name", "creationTime", "flavor", "root"):
        element = instance.find(f"{xmlns}{tag}")
        if element is not None:
            said |= _of(tag, _attributes(element), element.text or "")
    for tag in ("user", "project"):
        owner = instance.find(f"{xmlns}owner")
        element = None if owner is None else owner.find(f"{xmlns}{tag}")
        if element is not None:
            said |= _of(tag, _attributes(element), element.text or "")
    return _nova(said)


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.items()}


def _of(tag: str, attributes: dict[str, str], text: str) -> dict[str, str | None]:
    """Return what one element says."""
    if tag in ("name", "creationTime"):
        return {"created" if tag == "creationTime" else tag: text.strip() or None}
    if tag == "flavor":
        return {"flavor": attributes.get("name") or None}
    if tag == "package":
        return {"version": attributes.get("version") or None}
    if tag == "root":
        return {"image": attributes.get("uuid") or None} if attributes.get("type", "image") == "image" else {}
    return {tag: text.strip() or None, f"{tag}-id": attributes.get("uuid") or None}


_FIRST = re.compile(r'    <nova:instance xmlns:nova="http://openstack\.org/xmlns/libvirt/nova/[\w.]+">')
_LAST = "    </nova:instance>"
_COLUMN = 4
_LINE = re.compile(
    r"(?: {6}<nova:(name|creationTime|package|flavor|root|owner)| {8}<nova:(user|project))\b"
    r'((?: [\w-]+="[^"]*")*)/?>([^<]*)(?:</nova:\w+>)?'
)
_ATTRIBUTE = re.compile(r' ([\w-]+)="([^"]*)"')
_OWNER = "      <nova:owner>"
_OWNED = "        "

_Said = tuple[str, dict[str, "str | None"]]


class _Lines(Recent[_Said]):
    """Which element a line of Nova's is, and what it says; nothing for those that say nothing."""

    def read(self, key: str) -> _Said:
        match = _LINE.fullmatch(key)
        tag = match and (match[1] or match[2])
        if not match or not tag:
            return "", {}
        return tag, {} if tag == "owner" else _of(tag, dict(_ATTRIBUTE.findall(match[3])), match[4])


_lines = _Lines()


def of_text(text: str) -> Nova | None:
    """Return what Nova says in the ``<metadata>`` that virsh printed as *text*; None where only a tree can tell.

    That is so where Nova's element is not the first, or something in it is escaped or printed in another way.
    """
    first, *lines = text.split("\n")
    if not first.endswith(">") or not lines or "&" in text or not _FIRST.fullmatch(lines[0]):
        return None
    if _LAST not in lines or not is_canonical(lines, _COLUMN):
        return None
    said: dict[str, str | None] = {}
    met = set()
    owned = False
    for line in lines[1 : lines.index(_LAST)]:
        tag, words = _lines[line]
        if not line.startswith(_OWNED):
            owned = line == _OWNER and tag not in met
        elif not owned:
            continue
        if tag not in met:
            met.add(tag)
            said |= words
    return _nova(said)
