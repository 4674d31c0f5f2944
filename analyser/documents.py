"""libvirt documents as Kubernetes objects, and back: which kind, which name, where in ``spec``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from lxml import etree

from analyser.codec.decode import decode
from analyser.codec.encode import comment, describe, encode
from analyser.model import Comment, Node
from analyser.names import GROUP as _GROUP
from analyser.names import object_name
from analyser.xmlreader import is_comment
from schemas.errors import InputError
from schemas.table import Root, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GROUP = _GROUP
"""``apiVersion`` of the kinds that KubeVMM manages."""

LIBVIRT = "libvirt.kubevmm.io/v1alpha1"
"""``apiVersion`` of libvirt's other documents, which are only converted."""


_WARNING = "\nWARNING: THIS IS AN AUTO-GENERATED FILE."


def to_object(element: etree._Element, *, comments: bool = False) -> Node:
    """Return the document below the root *element* as an object; raises InputError for a root that libvirt has not."""
    root = table().roots.get(element.tag)
    if root is None:
        name = etree.QName(element).localname
        near = difflib.get_close_matches(name, table().roots, n=1)
        raise InputError(
            f"<{name}> is not a libvirt document",
            line=element.sourceline,
            hint=f"did you mean <{near[0]}>?" if near else f"known roots: {', '.join(sorted(table().roots))}",
        )
    content = decode(element, root.type, comments=comments)
    out: Node = {}
    if comments:
        around = [c for c in element.itersiblings(preceding=True) if is_comment(c)]
        out.update((Comment(c.text or ""), None) for c in reversed(around))
    out["apiVersion"] = GROUP if root.field else LIBVIRT
    out["kind"] = root.kind
    names = (element.findtext("name"), element.get("name"), element.findtext("uuid"))
    out["metadata"] = metadata(root, names, nameless="name" not in content)
    out["spec"] = {root.field: content} if root.field else content
    if comments:
        out.update((Comment(c.text or ""), None) for c in element.itersiblings() if is_comment(c))
    return out


def metadata(root: Root, names: Iterable[str | None], *, nameless: bool) -> Node:
    """Return the object's name, from the first of *names* that can be one: what the document calls itself.

    What is *nameless*, though libvirt knows a name for its kind, gets none here either: the name would be libvirt's.
    """
    if not (nameless and root.field):
        for name in names:
            valid = object_name(name) if name else ""
            if valid:
                return {"name": valid}
    return {"generateName": f"{object_name(root.element)}-"}


def documents(element: etree._Element) -> Iterator[etree._Element]:
    """Return the documents in *element*: itself, or its children where it only holds several documents."""
    known = table().roots
    children = [child for child in element if isinstance(child.tag, str)]
    if element.tag not in known and children and not element.keys() and all(child.tag in known for child in children):
        yield from children
    else:
        yield element


def root_of(document: Node, *, file: str | None = None) -> Root:
    """Return what kind of libvirt document the object *document* holds; raises InputError if it holds none."""
    version, kind = document.get("apiVersion"), document.get("kind")
    for root in table().roots.values():
        if root.kind == kind and version == (GROUP if root.field else LIBVIRT):
            return root
    if kind is None or version is None:
        missing = "kind" if kind is None else "apiVersion"
        raise InputError(f"no {missing}", file=file, hint="an object starts with apiVersion and kind")
    wanted = [root for root in table().roots.values() if root.kind == kind]
    if wanted:
        right = GROUP if wanted[0].field else LIBVIRT
        raise InputError(f"a {kind} of {version}, not of {right}", file=file, path="apiVersion")
    near = difflib.get_close_matches(str(kind), [root.kind for root in table().roots.values()], n=1)
    raise InputError(
        f"a {kind} of {version} holds no libvirt document",
        file=file,
        path="kind",
        hint=f"did you mean {near[0]}?" if near else None,
    )


def objects(document: Node) -> Iterator[Node]:
    """Return the objects in *document*: itself, or the items of a List."""
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        yield from (item for item in document["items"] if isinstance(item, dict))
    else:
        yield document


def to_xml(document: Node, *, file: str | None = None) -> str:
    """Return the libvirt document of an object as XML text, without an XML declaration.

    The order is the object's own; an object that has been through an API server, which sorts keys, is written in the
    order that libvirt prints. A domain (network, pool, volume) without a name takes the object's, with its namespace in
    front where it has one. Raises InputError with the key path.
    """
    root = root_of(document, file=file)
    path: tuple[str | int, ...] = ("spec",)
    content: Any = document.get("spec")
    if root.field:
        if content.__class__ is not dict:
            raise InputError(f"expected a map, found {describe(content)}", file=file, path="spec")
        path = ("spec", root.field)
        content = content.get(root.field)
    if content.__class__ is not dict:
        raise InputError(f"expected a map, found {describe(content)}", file=file, path=".".join(map(str, path)))
    metadata = document.get("metadata")
    metadata = metadata if metadata.__class__ is dict else {}
    if root.field and "name" in root.type.by_key and "name" not in content and isinstance(metadata.get("name"), str):
        namespace = metadata.get("namespace")
        content = {"name": f"{namespace}_{metadata['name']}" if namespace else metadata["name"], **content}
    served = any(key in metadata for key in ("uid", "resourceVersion", "managedFields"))
    try:
        text = encode(content, root.type, root.element, table().namespaces, path=path, libvirt_order=served)
    except InputError as error:
        error.file = file
        raise
    before, after = _comments(document)
    return "".join(before) + text + "".join(after)


def _comments(document: Node) -> tuple[list[str], list[str]]:
    """Return the comments in front of and behind the document as XML lines."""
    before: list[str] = []
    after: list[str] = []
    seen = False
    for key in document:
        if key == "spec":
            seen = True
        elif key.__class__ is Comment:
            (after if seen else before).append(comment_xml(key.text))
    return before, after


def comment_xml(text: str) -> str:
    """Return a comment beside the root element as XML, with its line breaks."""
    # What libvirt writes to disk has an empty line behind its warning.
    end = "\n\n" if text.startswith(_WARNING) else "\n"
    return comment(text) + end
