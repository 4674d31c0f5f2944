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
# that says how deep it is, with nothing escaped. V is a value or a text, T a text that is not blank.
_TEXT = re.compile(
    r"""    <nova:instance xmlns:nova="http://openstack\.org/xmlns/libvirt/nova/[\w.]+">
(?:      <nova:package version="(V)"/>
)?      <nova:name>(T)</nova:name>
      <nova:creationTime>(T)</nova:creationTime>
      <nova:flavor name="(V)"(?: id="V")?>
(?:        <nova:(\w+)>T</nova:\5>
)+      </nova:flavor>
      <nova:owner>
        <nova:user uuid="(V)">(T)</nova:user>
        <nova:project uuid="(V)">(T)</nova:project>
      </nova:owner>
(?:      <nova:root type="(image|volume)"(?: uuid="(V)")?/>
)?(?:      <nova:ports>
(?:        <nova:port uuid="V">
(?:          <nova:ip type="V" address="V" ipVersion="V"/>
)+        </nova:port>
)+      </nova:ports>
)?    </nova:instance>""".replace("V", '[^"<>&]*').replace("T", "(?! *<)[^<>&]+")
)
_COLUMN = 4
_REMEMBERED = 500

_read: dict[str, Nova] = {}


def is_canonical(text: str, column: int) -> bool:
    """Say whether the inside of ``<metadata>`` is what Nova writes alone, as libxml2 prints it from *column* on."""
    match = _TEXT.fullmatch(text) if column == _COLUMN else None
    # Every line ends with a tag, so none is split by what stands in a value.
    if match is None or not text.replace(">\n", "").isprintable():
        return False
    version, name, created, flavor, _, user_id, user, project_id, project, kind, image = match.groups()
    said = (
        ("name", name.strip()), ("flavor", flavor), ("image", image if kind == "image" else None),
        ("project", project.strip()), ("project-id", project_id), ("user", user.strip()), ("user-id", user_id),
        ("created", created.strip()), ("version", version),
    )  # fmt: skip
    if len(_read) >= _REMEMBERED:
        _read.clear()
    facts = tuple([(key, value) for key, value in said if value])
    _read[text] = Nova(name.strip() or None, project.strip() or None, project_id or None, facts)
    return True


def of_text(text: str) -> Nova | None:
    """Return what Nova says in ``<metadata>`` with *text* inside; None where only a tree can tell."""
    found = _read.get(text)
    return found or (_read.get(text) if is_canonical(text, _COLUMN) else None)
