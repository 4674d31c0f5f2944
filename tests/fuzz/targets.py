"""What must hold for any input at all, as functions of bytes, for an engine to call: any exception is a bug."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml as pyyaml

from analyser import documents, fastxml, fastyaml, layout, xmlreader, yamlreader
from analyser.convert import convert, form_of
from analyser.model import without_comments
from analyser.yamlwriter import dump
from schemas.errors import InputError
from tests.fuzz.choices import Bytes
from tests.fuzz.sameness import difference, interrupted, normal
from tests.fuzz.xmldocuments import xml_document

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "input-file"
LARGER = 16
PRINTED = [
    """<domain type='kvm' id='1'>
  <name>a &amp; b</name>
  <memory unit='KiB'>1</memory>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu'/>
      <source file='x'/>
    </disk>
    <controller type='usb' index='0'/>
    <disk type='file'>
      <!-- a comment -->
      <readonly/>
    </disk>
    <input type='tablet'></input>
  </devices>
</domain>
""",
    "<domain/>\n",
    "<network>\n  <name>n</name>\n  <ip address='10.0.0.1'/>\n  <ip family='ipv6'/>\n</network>\n",
]
_SAFE: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)


def xml(data: bytes) -> None:
    """Any bytes taken for XML: converted so that the same comes back, or refused in one line that names the file."""
    try:
        roots = [each for root in xmlreader.parse(data, file=FILE) for each in documents.documents(root)]
    except InputError as error:
        _one_line(error)
        _same(fastxml.to_yaml(data), None, repr(data))
        return
    try:
        read = [documents.to_object(root) for root in roots]
    except InputError:  # convert adds the file: see ``either``
        _same(fastxml.to_yaml(data), None, repr(data))
        return
    _same_on_the_fast_path(data, read)
    for document in read:
        text = dump(document)
        (again,) = yamlreader.load_all(text)
        _same(document, again, text)
        first = documents.to_xml(again)
        (root,) = xmlreader.parse(first.encode())
        loose = interrupted(first)
        second = documents.to_xml(documents.to_object(root))
        _same(normal(first, loose=loose), normal(second, loose=loose), first)


def _same_on_the_fast_path(data: bytes, read: list[dict[Any, Any]]) -> None:
    fast = fastxml.to_yaml(data)
    if fast is not None:
        _same(yamlreader.load_all(fast), read, fast)
        printed = documents.to_xml(yamlreader.load_all(fast, comments=True)[0])
        _same(printed.rstrip("\n"), data.decode().rstrip("\n"), fast)


def yaml(data: bytes) -> None:
    """Any bytes taken for YAML: read the same however it is written again, and made into XML or refused."""
    try:
        text = yamlreader.decode(data, FILE)
        read = yamlreader.load_all(text, file=FILE)
    except InputError as error:
        _one_line(error)
        _same(fastyaml.to_xml(data), None, repr(data))
        return
    fast = fastyaml.to_xml(data)
    commented = yamlreader.load_all(text, file=FILE, comments=True)
    _same([without_comments(each) for each in commented], read, text)
    if fast is not None:
        _same([fast.xml], [documents.to_xml(each) for each in commented], text)
    for document in read:
        try:
            written = dump(document)
        except InputError:
            continue
        _same(yamlreader.load_all(written), [document] if document else [{}], written)
        for each in documents.objects(document):
            _to_xml_and_back(each)


def _to_xml_and_back(document: dict[Any, Any]) -> None:
    try:
        text = documents.to_xml(document, file=FILE)
    except InputError as error:
        _one_line(error)
        return
    (root,) = xmlreader.parse(text.encode())
    again = documents.to_xml(documents.to_object(root))
    loose = interrupted(text)
    _same(normal(text, loose=loose), normal(again, loose=loose), text)


def roundtrip(data: bytes) -> None:
    """A random document of libvirt's, by the tables: nothing of it is lost on any way."""
    check_document(xml_document(Bytes(data)))


def check_document(text: str) -> None:
    """Hold the XML document *text* to what the mapping promises: XML to YAML (or JSON) to XML is the same document."""
    loose = interrupted(text)
    before = normal(text, loose=loose)
    whole = convert(text.encode(), file=FILE)
    back = convert(whole.text.encode(), file=FILE)
    _same(before, normal(back.text, loose=loose), text)
    (root,) = xmlreader.parse(text.encode())
    document = documents.to_object(root)
    printed = documents.to_xml(document)
    again = convert(printed.encode(), file=FILE)
    (root,) = xmlreader.parse(printed.encode(), comments=True)
    _same_on_the_fast_path(printed.encode(), [without_comments(documents.to_object(root, comments=True))])
    _same(normal(convert(again.text.encode(), file=FILE).text, loose=loose), normal(printed, loose=loose), again.text)
    written = dump(document)
    (loaded,) = yamlreader.load_all(written)
    _same(document, loaded, written)
    _same(pyyaml.load(written, Loader=_SAFE), document, written)  # noqa: S506  (both are safe loaders)
    served = json.loads(json.dumps(document, sort_keys=True))
    _same(before, normal(documents.to_xml(served), loose=loose), text)
    served["metadata"]["uid"] = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
    _same(before, normal(documents.to_xml(served), loose=loose), text)


def either(data: bytes) -> None:
    """Any bytes given to convert: converted, or refused."""
    try:
        result = convert(data, file=FILE)
    except InputError as error:
        _one_line(error)
        return
    if form_of(result.text.encode()) != result.form:
        raise AssertionError(f"{result.form} that reads as something else: {result.text[:80]!r}")


def annotation(data: bytes) -> None:
    """Any text taken for the description of a layout: the document printed by it is the same, and hardly larger."""
    at = Bytes(data[:1]).below(len(PRINTED))
    printed = PRINTED[at]
    text = layout.apply(printed, data[1:].decode("latin-1"))
    _same(normal(printed), normal(text), text)
    if len(text) > LARGER * len(printed) + (1 << 18):
        raise AssertionError(f"{len(printed)} characters became {len(text)}")


def _one_line(error: InputError) -> None:
    text = str(error)
    if not text.startswith(FILE):
        raise AssertionError(f"an error that does not name the file: {text!r}")


def _same(one: Any, other: Any, about: str) -> None:
    if one == other and _kinds(one) == _kinds(other):
        return
    where = difference(one, other) if isinstance(one, tuple) and len(one) == 3 else None
    raise AssertionError(f"{where or f'{one!r} became {other!r}'}\nin {about}")


def _kinds(value: Any) -> Any:
    """Return the types of all scalars: True equals 1, and must not become it."""
    if isinstance(value, dict):
        return {key: _kinds(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_kinds(each) for each in value]
    return type(value)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "xml": xml,
    "yaml": yaml,
    "roundtrip": roundtrip,
    "either": either,
    "annotation": annotation,
}
