"""Whether two libvirt documents, XML or YAML in any mix, say the same to libvirt; and if not, where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyser import documents, runtime, xmlreader, yamlreader
from analyser.codec.decode import decode
from analyser.compare.normal import normal
from analyser.compare.walk import Difference, differences
from analyser.convert import form_of
from schemas.api.kinds import KINDS
from schemas.errors import InputError
from schemas.table import Root, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

    from analyser.model import Node

__all__ = ["Difference", "Document", "Pair", "compare", "load", "pairs"]


@dataclass(frozen=True)
class Document:
    """A libvirt document read from XML or YAML: its root, its name, its XML as a tree and, from YAML, its content."""

    root: Root
    name: str
    element: etree._Element
    written: Node | None = None

    @property
    def path(self) -> str:
        """The key path of the content."""
        return f"spec.{self.root.field}" if self.root.field else "spec"


@dataclass(frozen=True)
class Pair:
    """Two documents that belong together, or one that has no counterpart (the other is None)."""

    a: Document | None
    b: Document | None

    @property
    def title(self) -> str:
        """Kind and name, as kubectl writes them."""
        document = self.a or self.b
        return f"{document.root.kind}/{document.name}" if document else ""


def load(data: bytes, *, file: str, ignore_runtime: bool = False) -> list[Document]:
    """Return the libvirt documents in *data*, XML or YAML; raises InputError, also if there is none.

    With *ignore_runtime*, what libvirt fills in while a guest runs is taken out. Objects of other groups, and those of
    ours that hold nothing for libvirt (a VirtualMachineOperation), are left out.
    """
    found = list(_from_xml(data, file) if form_of(data) == "xml" else _from_yaml(data, file))
    if ignore_runtime:
        for document in found:
            runtime.strip(document.element)
    if not found:
        raise InputError("holds no libvirt document", file=file)
    return found


def _from_xml(data: bytes, file: str) -> Iterator[Document]:
    for parsed in xmlreader.parse(data, file=file):
        for element in documents.documents(parsed):
            root = table().roots.get(element.tag)
            if root is None:
                try:
                    documents.to_object(element)
                except InputError as error:
                    error.file = file
                    raise
                continue
            yield Document(root, _name(element), element)


def _from_yaml(data: bytes, file: str) -> Iterator[Document]:
    own = {kind.name for kind in KINDS} - {root.kind for root in table().roots.values()}
    for loaded in yamlreader.iter_documents(yamlreader.decode(data, file), file=file):
        for document in documents.objects(loaded):
            version, kind = document.get("apiVersion"), document.get("kind")
            ours = version is None or str(version).partition("/")[0].endswith("kubevmm.io")
            if not ours or (kind in own and version == documents.GROUP):
                continue
            root = documents.root_of(document, file=file)
            spec = document.get("spec")
            if root.field and root.element != "domain" and isinstance(spec, dict) and root.field not in spec:
                continue
            element = xmlreader.parse(documents.to_xml(document, file=file).encode(), file=file)[0]
            content: Any = spec.get(root.field) if root.field and isinstance(spec, dict) else spec
            yield Document(root, _name(element), element, content)


def _name(element: etree._Element) -> str:
    names = (element.findtext("name"), element.get("name"), element.findtext("uuid"))
    return next((name.strip() for name in names if name and name.strip()), "")


def pairs(a: list[Document], b: list[Document]) -> list[Pair]:
    """Return the documents of *a* and *b* that belong together, by kind and name, or by kind where each has but one."""
    found: list[Pair] = []
    if len(a) == len(b) == 1 and a[0].root.kind == b[0].root.kind:
        return [Pair(a[0], b[0])]
    left: dict[tuple[str, str], list[Document]] = {}
    for document in b:
        left.setdefault((document.root.kind, document.name), []).append(document)
    for document in a:
        same = left.get((document.root.kind, document.name))
        found.append(Pair(document, same.pop(0) if same else None))
    taken = {id(pair.b) for pair in found}
    found.extend(Pair(None, document) for document in b if id(document) not in taken)
    return found


def compare(pair: Pair) -> list[Difference]:
    """Return where the two documents of *pair*, both there, differ; empty if they say the same to libvirt.

    Raises InputError for what cannot be compared.
    """
    a, b = pair.a, pair.b
    if a is None or b is None:
        raise TypeError("there is nothing to compare with")
    try:
        return differences(_normal(a), _normal(b), a.path)
    except RecursionError:
        raise InputError("nested too deeply") from None


def _normal(document: Document) -> dict[str, Any]:
    return normal(decode(document.element, document.root.type), document.root.type, document.written)
