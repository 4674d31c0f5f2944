"""What Nova says about a guest in its domain's metadata: whose it is, how it is called, what it was made from."""

from __future__ import annotations

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


def read(domain: etree._Element) -> Nova | None:
    """Return what Nova says about *domain*; None where the guest is not Nova's."""
    metadata = domain.find("metadata")
    if metadata is None:
        return None
    for instance in metadata:
        if isinstance(instance.tag, str) and instance.tag.startswith(NAMESPACE) and instance.tag.endswith("}instance"):
            return _instance(instance)
    return None


def _instance(instance: etree._Element) -> Nova:
    xmlns = str(instance.tag)[: -len("instance")]
    flavor = instance.find(f"{xmlns}flavor")
    owner = instance.find(f"{xmlns}owner")
    root = instance.find(f"{xmlns}root")
    user = owner.find(f"{xmlns}user") if owner is not None else None
    project = owner.find(f"{xmlns}project") if owner is not None else None
    package = instance.find(f"{xmlns}package")
    name = _text(instance.find(f"{xmlns}name"))
    project_id = _attribute(project, "uuid")
    image = root if root is not None and root.get("type", "image") == "image" else None
    facts = {
        "name": name,
        "flavor": _attribute(flavor, "name"),
        "image": _attribute(image, "uuid"),
        "project": _text(project),
        "project-id": project_id,
        "user": _text(user),
        "user-id": _attribute(user, "uuid"),
        "created": _text(instance.find(f"{xmlns}creationTime")),
        "version": _attribute(package, "version"),
    }
    return Nova(name, _text(project), project_id, tuple((key, value) for key, value in facts.items() if value))


def _text(element: etree._Element | None) -> str | None:
    return None if element is None or not element.text else element.text.strip() or None


def _attribute(element: etree._Element | None, name: str) -> str | None:
    return None if element is None else element.get(name) or None
