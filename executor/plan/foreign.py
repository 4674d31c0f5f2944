"""A document's metadata: elements of several owners, each known by its namespace, in one block of XML text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.table import EXTRA

# lxml and the tables are loaded by the functions that need them: what lists guests does not.
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

OURS = "https://kubevmm.io/"
"""What the namespaces of our own elements start with."""


def elements(text: str) -> dict[str, etree._Element]:
    """Return the elements of the metadata *text* by name: the namespace, or the tag of one that has none.

    Raises InputError where *text* is no XML.
    """
    if not text:
        return {}
    from analyser.codec.encode import fragment  # noqa: PLC0415

    found: dict[str, etree._Element] = {}
    for child in fragment(f"<metadata>{text}</metadata>", ("metadata",)):
        if isinstance(child.tag, str):
            namespace, _, local = child.tag.rpartition("}")
            name = namespace.removeprefix("{") or local
            # libvirt wants one element a namespace; what has more keeps them all.
            found[name if name not in found else f"{name}#{len(found)}"] = child
    return found


def printed(element: etree._Element) -> str:
    """Return *element* as XML text."""
    from lxml import etree  # noqa: PLC0415

    return etree.tostring(element, encoding="unicode", pretty_print=True, with_tail=False).rstrip("\n")


def merge(found: str, wanted: str, said: str) -> tuple[str, list[tuple[str, str | None, str | None, bool]]]:
    """Return the metadata that shall be, and what changes: name, old and new XML, and whether the spec changed.

    Elements of ours are no part of any spec: they stay as they are found.
    """
    if found == wanted == said or not (wanted or said):
        return found, []
    from analyser.compare.normal import foreign as meaning  # noqa: PLC0415

    there, want, last = elements(found), elements(wanted), elements(said)
    out = dict(there)
    changed: list[tuple[str, str | None, str | None, bool]] = []
    for name, element in _foreign(want):
        old = there.get(name)
        if old is None or meaning(old) != meaning(element) or old.tag != element.tag:
            before = last.get(name)
            changed.append(
                (
                    name,
                    None if old is None else printed(old),
                    printed(element),
                    before is None or meaning(before) != meaning(element),
                )
            )
            out[name] = element
    for name, _ in _foreign(last):
        if name not in want and name in there:
            changed.append((name, printed(there[name]), None, True))
            del out[name]
    if not changed:
        return found, []
    return "\n".join(printed(element) for element in out.values()), changed


def without(text: str, name: str) -> str:
    """Return the metadata *text* without the element called *name*."""
    return "\n".join(printed(element) for each, element in elements(text).items() if each != name)


def _foreign(found: dict[str, etree._Element]) -> Iterator[tuple[str, etree._Element]]:
    return ((name, element) for name, element in found.items() if not name.startswith(OURS))


def settable(xml: str) -> tuple[str, str] | None:
    """Return the prefix and the namespace-free XML by which virDomainSetMetadata sets the element *xml*.

    None if it cannot: libvirt puts all of an element into one namespace.
    """
    from lxml import etree  # noqa: PLC0415

    from analyser.codec.encode import fragment  # noqa: PLC0415

    element = fragment(xml, ("metadata",))
    namespace = etree.QName(element).namespace
    if not namespace:
        return None
    for each in element.iter(etree.Element):
        if etree.QName(each).namespace != namespace or any(name.startswith("{") for name in each.attrib):
            return None
    prefix = element.prefix or "ns"
    for each in element.iter(etree.Element):
        each.tag = etree.QName(each).localname
    etree.cleanup_namespaces(element)
    return prefix, etree.tostring(element, encoding="unicode", with_tail=False)


def lifted(node: dict[str, Any]) -> dict[str, Any]:
    """Return the document *node* with its metadata under that key, also where prefixes are declared outside of it.

    Such metadata is kept with what the tables do not know, so that no declaration is lost; each of its elements says as
    much with declarations of its own.
    """
    extra = node.get(EXTRA)
    if extra.__class__ is not str or "metadata" not in str(extra) or "metadata" in node:
        return node
    from analyser.codec.encode import fragment  # noqa: PLC0415

    element = fragment(extra, (EXTRA,))
    metadata = element.find("metadata")
    if metadata is None or metadata.keys() or element.findall("metadata")[1:]:
        return node
    element.remove(metadata)
    out = {key: value for key, value in node.items() if key != EXTRA}
    if len(element) or element.keys():
        out[EXTRA] = printed(element)
    return {**out, "metadata": "\n".join(printed(child) for child in metadata if isinstance(child.tag, str))}
