"""One input to its counterpart: XML to YAML, YAML to XML, the direction taken from the content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from analyser import documents, layout, xmlreader, yamlreader
from analyser.yamlwriter import dump
from schemas.errors import InputError

if TYPE_CHECKING:
    from analyser.model import Node

Form: TypeAlias = Literal["xml", "yaml"]


LAYOUT = "libvirt.kubevmm.io/layout"
"""The annotation that says how XML was printed, where it was not as virsh prints; see ``analyser.layout``."""


@dataclass(frozen=True)
class Converted:
    """What became of one input."""

    form: Form
    text: str
    count: int
    """How many documents there are."""


def form_of(data: bytes) -> Form:
    """Return what *data* is: XML if its first visible character is ``<``, else YAML (or JSON)."""
    head = data[:4096].translate(None, b"\x00\xef\xbb\xbf\xff\xfe \t\r\n")
    return "xml" if head[:1] == b"<" or data[:4] == b"\x4c\x6f\xa7\x94" else "yaml"


def convert(data: bytes, *, file: str, to: Form | None = None) -> Converted:
    """Return *data* in the other form, or in the form *to*; raises InputError with file, line and path.

    Several documents in one input stay in one output. With *to* the form that *data* already has, the result is *data*
    read and printed anew.
    """
    form = form_of(data)
    target = to or ("yaml" if form == "xml" else "xml")
    read = _objects_of_xml(data, file) if form == "xml" else _objects_of_yaml(data, file)
    if not read:
        raise InputError("holds no document", file=file)
    if target == "yaml":
        return Converted("yaml", "---\n".join(dump(document) for document in read), len(read))
    return Converted("xml", "".join(_xml(document, file) for document in read), len(read))


def _xml(document: Node, file: str) -> str:
    """Return the XML of *document*, printed as its annotation says."""
    text = documents.to_xml(document, file=file)
    metadata = document.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    printed = annotations.get(LAYOUT) if isinstance(annotations, dict) else None
    return layout.apply(text, printed) if isinstance(printed, str) else text


def _objects_of_xml(data: bytes, file: str) -> list[Node]:
    elements = [
        element for root in xmlreader.parse(data, file=file, comments=True) for element in documents.documents(root)
    ]
    found = []
    for element in elements:
        try:
            found.append(documents.to_object(element, comments=True))
        except InputError as error:
            error.file = file
            raise
    if len(found) == 1 and elements[0].getparent() is None:
        printed = layout.describe(xmlreader.text_of(data, file=file), documents.to_xml(found[0], file=file))
        if printed:
            found[0]["metadata"]["annotations"] = {LAYOUT: printed}
    return found


def _objects_of_yaml(data: bytes, file: str) -> list[Node]:
    text = yamlreader.decode(data, file)
    return [
        document
        for loaded in yamlreader.load_all(text, file=file, comments=True)
        for document in documents.objects(loaded)
    ]
