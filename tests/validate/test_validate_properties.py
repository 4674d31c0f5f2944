"""What holds for validate whatever it is given: it never raises, names places that exist, and agrees with convert."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from analyser.convert import convert
from analyser.validate import validate
from schemas.errors import InputError
from schemas.table import Type, table

DOMAIN = table().roots["domain"].type
SCALARS = (
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8)
    | st.sampled_from(["4Gi", "4 GiB", "1 (KiB)", "0x10", "yes", "off", "kvm", "<a/>", "<domain><x/></domain>", ""])
)  # fmt: skip


@st.composite
def content(draw: st.DrawFn, kind: Type = DOMAIN, depth: int = 4) -> Any:
    """Return a map that is mostly as the tables of *kind* have it, and sometimes not."""
    out: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from([*kind.by_key, "extraXML", "zzz"]), max_size=5, unique=True)):
        field = kind.by_key.get(key)
        value: Any
        if field is not None and field.value == "map" and depth and draw(st.integers(0, 9)):
            value = draw(content(field.type, depth - 1))
        elif field is not None and field.value == "enum" and draw(st.integers(0, 9)):
            value = draw(st.sampled_from(field.enum))
        elif field is not None and field.value in ("yesno", "onoff"):
            value = draw(st.booleans() | SCALARS)
        else:
            value = draw(SCALARS)
        if field is not None and field.many and draw(st.integers(0, 9)):
            value = [value]
        out[key] = value
    return out


def in_object(domain: Any) -> bytes:
    metadata = {"name": "a"}
    document = {
        "apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachine", "metadata": metadata, "spec": {"domain": domain}
    }  # fmt: skip
    return json.dumps(document, indent=1).encode()


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_it_raise(data: bytes) -> None:
    for problem in validate(data, file="f").problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert str(problem).isprintable()


NESTED = st.recursive(
    SCALARS | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(["kind", "spec", "name"]), inner)
    ),
    max_leaves=20,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "apiVersion": NESTED,
            "kind": NESTED | st.just("List"),
            "metadata": NESTED,
            "spec": NESTED,
            "items": NESTED,
        },
    )
)
@settings(max_examples=300, deadline=None)
def test_no_object_makes_it_raise(document: Any) -> None:
    report = validate(json.dumps(document).encode(), file="f")
    assert report.problems or report.documents or report.skipped or document["items"] == []


@given(content())
@settings(max_examples=400, deadline=None)
def test_what_it_finds_right_can_be_converted_and_is_right_as_xml(domain: Any) -> None:
    data = in_object(domain)
    report = validate(data, file="f")
    total = data.count(b"\n") + 1
    assert all(1 <= problem.line <= total for problem in report.problems)
    try:
        xml = convert(data, file="f", to="xml").text
    except InputError:
        assert not report.valid
        return
    if report.valid:
        again = validate(convert(xml.encode(), file="f", to="yaml").text.encode(), file="f")
        assert [str(problem) for problem in again.problems if problem.severity == "error"] == []


TAGS = st.sampled_from(["devices", "disk", "source", "driver", "os", "title", "memory", "backingStore", "zzz"])


@st.composite
def tree(draw: st.DrawFn, tag: str = "domain", depth: int = 4) -> etree._Element:
    element = etree.Element(
        tag, draw(st.dictionaries(st.sampled_from(["type", "dev", "unit", "zzz"]), st.sampled_from(["kvm", "1"])))
    )
    element.text = draw(st.sampled_from(["", "\n", "text", "1"]))
    for name in draw(st.lists(TAGS, max_size=3)) if depth else []:
        element.append(draw(tree(name, depth - 1)))
        element[-1].tail = draw(st.sampled_from(["", "\n", "text"]))
    return element


@given(tree())
@settings(max_examples=300, deadline=None)
def test_every_place_in_xml_is_where_an_element_begins(element: etree._Element) -> None:
    text = etree.tostring(element, encoding="unicode")
    for problem in validate(text.encode(), file="f").problems:
        assert text.split("\n")[problem.line - 1][problem.column - 1] == "<"


def test_nesting_as_deep_as_the_reader_allows_is_no_trouble() -> None:
    domain: Any = {"type": "file"}
    for _ in range(220):
        domain = {"type": "file", "backingStore": domain}
    report = validate(in_object({"type": "kvm", "devices": {"disks": [domain]}}), file="f")
    assert [problem.message for problem in report.problems] == ["nested more than 200 levels deep"]


def test_a_document_of_nothing_but_mistakes_is_read_to_its_end() -> None:
    wrong = {f"key{number}": number for number in range(20_000)}
    report = validate(in_object({"type": "kvm", **wrong}), file="f")
    assert len(report.problems) == 20_000
    several = "".join(f"<a{number} x='1'/>" for number in range(20_000))
    report = validate(f"<domain type='kvm'><name>a</name>{several}</domain>".encode(), file="f")
    assert len(report.problems) == 20_000
