"""What Nova says about a guest in its domain's metadata: whose it is, how it is called, what it was made from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

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


# As Nova writes it (nova/virt/libvirt/config.py) and libvirt prints it: each element on a line of its own, in a column
# that says how deep it is. No value has an escape.
_TEXT = re.compile(
    r"""metadata>
    <nova:instance xmlns:nova="http://openstack\.org/xmlns/libvirt/nova/[\w.]+">
(?:      <nova:package version="([^"&<]*)"/>
)?      <nova:name>([^&<]*)</nova:name>
      <nova:creationTime>([^&<]*)</nova:creationTime>
      <nova:flavor name="([^"&<]*)"(?: [\w-]+="[^"<]*")*>
(?:        <nova:\w+>[^<]*</nova:\w+>
)*      </nova:flavor>
      <nova:owner>
        <nova:user uuid="([^"&<]*)">([^&<]*)</nova:user>
        <nova:project uuid="([^"&<]*)">([^&<]*)</nova:project>
      </nova:owner>
(?:      <nova:root type="(image|volume)"(?: uuid="([^"&<]*)")?/>
)?(?=      <nova:ports>|    </nova:instance>)"""
)


def of_text(text: str) -> Nova | None:
    """Return what Nova says in the ``<metadata>`` that virsh printed as *text*; None where only a tree can tell.

    That is so where Nova's element is not the first, or has other children than Nova writes, or something is escaped.
    """
    match = _TEXT.match(text)
    # Of two elements of one name the first counts, wherever it is.
    if match is None or text.find("<nova:root", match.end()) >= 0 or text.find("<nova:package", match.end()) >= 0:
        return None
    version, name, created, flavor, user_id, user, project_id, project, kind, image = match.groups()
    said = (
        ("name", name.strip()), ("flavor", flavor), ("image", image if kind == "image" else None),
        ("project", project.strip()), ("project-id", project_id), ("user", user.strip()), ("user-id", user_id),
        ("created", created.strip()), ("version", version),
    )  # fmt: skip
    return Nova(
        name.strip() or None,
        project.strip() or None,
        project_id or None,
        tuple([(key, value) for key, value in said if value]),
    )
