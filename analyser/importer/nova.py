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


_INSTANCE, _OWNER_HAS = ("package", "name", "creationTime", "flavor", "root"), ("user", "project")


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
    for tag in _INSTANCE:
        element = instance.find(f"{xmlns}{tag}")
        if element is not None:
            said |= _of(tag, _attributes(element), element.text or "")
    for tag in _OWNER_HAS:
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


_FIRST = re.compile(r'metadata>\n    <nova:instance xmlns:nova="http://openstack\.org/xmlns/libvirt/nova/[\w.]+">\n')
_LAST = "\n    </nova:instance>"
_OWNER, _OWNED = "\n      <nova:owner>\n", "\n      </nova:owner>"
_COLUMN = 4
_ATTRIBUTE = re.compile(r' ([\w-]+)="([^"]*)"')


class _Lines(Recent[dict[str, "str | None"]]):
    """What one of Nova's elements says, by its line without the indentation and ``<nova:``."""

    def read(self, key: str) -> dict[str, str | None]:
        """Return what the line says."""
        head, _, rest = key.partition(">")
        tag, _, _ = head.partition(" ")
        return _of(tag.removesuffix("/"), dict(_ATTRIBUTE.findall(head)), rest.partition("<")[0])


_lines = _Lines()


def of_text(text: str) -> Nova | None:
    """Return what Nova says in the ``<metadata>`` that virsh printed as *text*; None where only a tree can tell.

    That is so where Nova's element is not the first, or something in it is escaped or printed in another way.
    """
    start, end = _FIRST.match(text), text.find(_LAST)
    if start is None or end < 0 or "&" in text or not is_canonical(text.partition("\n")[2], _COLUMN):
        return None
    # Every element stands on a line of its own, in a column that says how deep.
    said: dict[str, str | None] = {}
    for tag in _INSTANCE:
        said |= _first(text, f"\n      <nova:{tag}", start.end() - 1, end)
    owner = text.find(_OWNER, start.end() - 1, end)
    owned = text.find(_OWNED, owner, end)
    for tag in _OWNER_HAS if 0 <= owner < owned else ():
        said |= _first(text, f"\n        <nova:{tag}", owner, owned)
    return _nova(said)


def _first(text: str, mark: str, start: int, end: int) -> dict[str, str | None]:
    """Return what the first element whose line begins with *mark* says."""
    while (start := text.find(mark, start, end)) >= 0:
        start += len(mark)
        if text[start] in " />":
            here = start - len(mark) + mark.index(":") + 1
            return _lines[text[here : text.find("\n", start)]]
    return {}
