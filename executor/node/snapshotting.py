"""The document that asks libvirt for a snapshot."""

from __future__ import annotations

from lxml import etree

from schemas.errors import KubevmmError


def document(name: str | None, description: str | None) -> str:
    """Return it; without a name libvirt gives it the time. Raises KubevmmError for a name that would be a path."""
    root = etree.Element("domainsnapshot")
    try:
        if name is not None:
            if not name or "/" in name or name in {".", ".."}:
                raise KubevmmError(f"{name!r} is no name for a snapshot", hint="it must not hold a slash")
            etree.SubElement(root, "name").text = name
        if description is not None:
            etree.SubElement(root, "description").text = description
    except ValueError as error:
        raise KubevmmError(f"{name!r}: {error}") from None
    return etree.tostring(root, encoding="unicode")
