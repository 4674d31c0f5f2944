"""One input to its counterpart: XML to YAML, YAML to XML, the direction taken from the content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from analyser import documents, fastxml, fastyaml, layout, xmlreader, yamlreader
from analyser.yamlwriter import dump
from schemas.errors import InputError

if TYPE_CHECKING:
    from analyser.model import Node

Form: TypeAlias = Literal["xml", "yaml"]


LAYOUT = "libvirt.kubevmm.io/layout"
"""The annotation that says how XML was printed, where it was not as virsh prints; see ``analyser.layout``."""

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


@dataclass(frozen=True)
class Converted:
    """What became of one input."""

    form: Form
    text: str
    count: int
    """How many documents there are."""


def form_of(data: bytes) -> Form:
    """Return what *data* is: XML if its first visible character is ``<``, else YAML (or JSON)."""
    if data[:1] == b"<":
        return "xml"
    head = data[:4096].translate(None, b"\x00\xef\xbb\xbf\xff\xfe \t\r\n")
    return "xml" if head[:1] == b"<" or data[:4] == b"\x4c\x6f\xa7\x94" else "yaml"


def target_of(data: bytes, to: Form | None = None) -> Form:
    """Return the form that *data* is converted to: *to*, or else the other one."""
    return to or ("yaml" if form_of(data) == "xml" else "xml")


def convert(data: bytes, *, file: str, to: Form | None = None) -> Converted:
    """Return *data* in the other form, or in the form *to*; raises InputError with file, line and path.

    Several documents in one input stay in one output. With *to* the form that *data* already has, the result is *data*
    read and printed anew.
    """
    form = form_of(data)
    target = target_of(data, to)
    fast = None if target == form else _fast(data, form)
    if fast is not None:
        return Converted(target, fast, 1)
    if form == "xml":
        read = _objects_of_xml(data, file)
        parts = [dump(document) if target == "yaml" else _xml(document, file) for document in read]
    else:
        parts = _parts_of_yaml(yamlreader.decode(data, file), target, file)
    if not parts:
        raise InputError("holds no document", file=file)
    return Converted(target, ("---\n" if target == "yaml" else "").join(parts), len(parts))


def _fast(data: bytes, form: Form) -> str | None:
    """Return *data* in the other form, where it is printed as virsh and we print; None where the codec must read it."""
    if form == "xml":
        found = fastxml.to_yaml(data)
        if found is None:
            regular = layout.regular(data)
            if regular is not None:
                annotations = {LAYOUT: regular.layout} if regular.layout else {}
                found = fastxml.to_yaml(regular.text.encode(), annotations)
        return found
    written = fastyaml.to_xml(data)
    if written is None:
        return None
    printed = written.annotations.get(LAYOUT)
    return layout.apply_to_lines(written.xml, printed) if printed else written.xml


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
        printed = layout.describe(
            xmlreader.text_of(data, file=file), documents.to_xml(found[0], file=file), well_formed=True
        )
        if printed:
            found[0]["metadata"]["annotations"] = {LAYOUT: printed}
    return found


def _parts_of_yaml(text: str, target: Form, file: str) -> list[str]:
    parts = []
    for index, loaded in enumerate(yamlreader.iter_documents(text, file=file, comments=True)):
        for document in documents.objects(loaded):
            try:
                parts.append(dump(document) if target == "yaml" else _xml(document, file))
            except InputError as error:
                raise _placed(error, text, index) from None
    return parts


def _placed(error: InputError, text: str, index: int) -> InputError:
    """Return *error* with the line and column of its path in document *index* of *text*."""
    if error.path and error.line is None:
        steps = _STEP.findall(error.path)
        path = tuple(int(number) if number else name for name, number in steps)
        try:
            marks = yamlreader.load_with_marks(text)[index][1]
        except InputError:  # of a document further down
            return error
        mark = yamlreader.nearest_mark(marks, path)
        if mark is not None:
            error.line, error.column = mark.key_line, mark.key_column
    return error
