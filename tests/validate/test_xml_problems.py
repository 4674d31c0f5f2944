"""What is wrong with a document in XML: told in XML's words, at the element's own line and column."""

from __future__ import annotations

import pytest

from analyser.validate import validate

GUEST = """\
<domain type='kvm'>
  <name>web-1</name>
  {}
</domain>
"""


def problems(data: str | bytes) -> list[str]:
    raw = data if isinstance(data, bytes) else data.encode()
    return [str(problem).removeprefix("f:") for problem in validate(raw, file="f").problems]


CASES = {
    "unknown element": (
        "<memori>1</memori>",
        "3:3: spec.domain: unknown element <memori> in <domain> (did you mean <memory>?)",
    ),
    "unknown attribute": (
        "<devices><disk type='file' devise='disk'/></devices>",
        "3:12: spec.domain.devices.disks[0]: unknown attribute devise of <disk> (did you mean device?)",
    ),
    "unknown attribute of a leaf": (
        "<title lang='en'>x</title>",
        "3:3: spec.domain.title: unknown attribute lang of <title>",
    ),
    "unknown element in a leaf": ("<title><b>x</b></title>", "3:3: spec.domain.title: unknown element <b> in <title>"),
    "second of one": ("<os/>\n  <os/>", "4:3: spec.domain: <os> is in <domain> a second time; one is allowed"),
    "text among elements": (
        "<devices>text</devices>",
        "3:3: spec.domain.devices: text in <devices>, where none is allowed",
    ),
    "a word that an enum lacks": (
        "<features><hap state='maybe'/></features>",
        "3:13: spec.domain.features.hap.state: expected on or off, found 'maybe'",
    ),
    "a word for an integer": (
        "<iothreads>many</iothreads>",
        "3:3: spec.domain.iothreads: expected an integer, found 'many'",
    ),
    "an unknown unit": (
        "<memory unit='GiBB'>4</memory>",
        "3:3: spec.domain.memory: 'GiBB' is no unit (did you mean GiB?)",
    ),
    "a missing attribute": (
        "<devices>\n    <interface/></devices>",
        "4:5: spec.domain.devices.interfaces[0].type: missing (attribute type)",
    ),
    "the third of a list": (
        "<devices><disk type='file'/><disk type='file'/>\n<disk type='nowhere'/></devices>",
        "4:1: spec.domain.devices.disks[2].type: 'nowhere' is not one of",
    ),
}


@pytest.mark.parametrize(("text", "said"), CASES.values(), ids=CASES.keys())
def test_a_problem_is_one_line_in_the_words_of_xml(text: str, said: str) -> None:
    found = problems(GUEST.format(text))
    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_missing_name_is_named_because_libvirt_wants_one() -> None:
    assert problems("<domain type='kvm'/>") == ["1:1: spec.domain.name: missing (element <name>)"]


def test_each_of_several_documents_has_its_own_places() -> None:
    one = GUEST.format("<a/>")
    declared = f"<?xml version='1.0'?>\n{one}"
    assert [line.split(": ")[0] for line in problems(one + one)] == ["3:3", "7:3"]
    assert [line.split(": ")[0] for line in problems(one.strip() + one.strip())] == ["3:3", "6:3"]
    wrapped = f"<domains>{one}{one}</domains>"
    assert [line.split(": ")[0] for line in problems(wrapped)] == ["3:3", "7:3"]
    assert [line.split(": ")[0] for line in problems(declared)] == ["4:3"]


@pytest.mark.parametrize(
    ("encoding", "place"),
    [("utf-16", "3:3"), ("iso-8859-1", "3:3"), ("utf-8-sig", "3:3"), ("cp037", "3:1"), ("utf-32", "3:1")],
)
def test_places_are_right_in_every_encoding_to_the_line_at_least(encoding: str, place: str) -> None:
    name = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    text = f"<?xml version='1.0' encoding='{name}'?><domain type='kvm'>\n  <name>Gäste</name>\n  <a/>\n</domain>\n"
    found = problems(text.encode(encoding))
    assert [line.partition(":")[0] for line in found] == ["3"]
    assert found[0].startswith(f"{place}: spec.domain: unknown element <a>")


def test_a_root_that_libvirt_has_not_is_named() -> None:
    assert problems("<domian/>") == ["1:1: <domian> is not a libvirt document (did you mean <domain>?)"]


def test_every_problem_of_every_document_is_named() -> None:
    found = problems("<domains><domain type='kvm'><name>a</name><x/><y/></domain><network><z/></network></domains>")
    assert sorted(line.split(": ", 2)[2].partition(" in ")[0] for line in found) == [
        "missing (element <name>)", "unknown element <x>", "unknown element <y>", "unknown element <z>",
    ]  # fmt: skip
