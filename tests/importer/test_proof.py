"""The proof: what was written is compared with what was read, and a difference is an error that names its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lxml import etree

from analyser import fastyaml
from analyser.importer import document, guest
from analyser.importer.proof import compare
from schemas.errors import InputError
from tests.importer.estates import domain, guests, imported, write

if TYPE_CHECKING:
    from pathlib import Path

EQUAL = [
    ("<a/>", "<a></a>"),
    ("<a><b/><c/></a>", "<a><c/><b/></a>"),
    ("<a x='1' y='2'/>", "<a y='2' x='1'/>"),
    ("<a><b>1</b><c/><b>2</b></a>", "<a><b>1</b><b>2</b><c/></a>"),
]
DIFFERENT = [
    ("<a x='1'/>", "<a x='2'/>", "attribute x would change"),
    ("<a x='1'/>", "<a/>", "attribute x would change"),
    ("<a>1</a>", "<a>2</a>", "text would change"),
    ("<a><b>1</b><b>2</b></a>", "<a><b>2</b><b>1</b></a>", "b[1]: not imported"),
    ("<a><b/><b/></a>", "<a><b/></a>", "children would change"),
    ("<a><b/></a>", "<a><b/><c/></a>", "children would change: c"),
    ("<a><b><c d='1'/></b></a>", "<a><b><c d='2'/></b></a>", "b/c: "),
    ("<a/>", "<b/>", "became <b>"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_what_says_the_same_is_equal(one: str, other: str) -> None:
    compare(etree.fromstring(one), etree.fromstring(other), file="f.xml")


@pytest.mark.parametrize(("one", "other", "said"), DIFFERENT)
def test_a_difference_is_named_with_its_place(one: str, other: str, said: str) -> None:
    with pytest.raises(InputError) as found:
        compare(etree.fromstring(one), etree.fromstring(other), file="f.xml")
    assert said in str(found.value)
    assert str(found.value).startswith("f.xml:1:")


def not_quickly(_data: bytes) -> None:
    """Accept nothing, so that the codec itself reads the YAML."""


@pytest.mark.parametrize("quickly", [True, False])
def test_a_guest_that_would_not_come_back_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quickly: bool
) -> None:
    written = fastyaml.to_xml
    encode = document.encode

    def wrong(data: bytes) -> fastyaml.Written | None:
        found = written(data)
        return found and found._replace(xml=found.xml.replace(">1048576<", ">1<"))

    monkeypatch.setattr(fastyaml, "to_xml", wrong if quickly else not_quickly)
    monkeypatch.setattr(document, "encode", lambda *a, **k: encode(*a, **k).replace(">1048576<", ">1<"))
    report = imported(write(tmp_path / "in", {"n/1.xml": domain(1)}), tmp_path / "out")
    assert guests(tmp_path / "out") == {}
    assert report.failed == 1
    assert "memory" in report.failures[0]["text"]


@pytest.mark.parametrize("quickly", [True, False])
def test_the_yaml_itself_is_what_is_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quickly: bool) -> None:
    prove = guest.prove
    if not quickly:
        monkeypatch.setattr(fastyaml, "to_xml", not_quickly)
    monkeypatch.setattr(guest, "prove", lambda root, text, *a, **k: prove(root, text.replace("1Gi", "2Gi"), *a, **k))
    assert imported(write(tmp_path / "in", {"n/1.xml": domain(1)}), tmp_path / "out").failed == 1


@pytest.mark.parametrize("quickly", [True, False])
def test_a_password_is_left_out_of_the_proof_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quickly: bool
) -> None:
    if not quickly:
        monkeypatch.setattr(fastyaml, "to_xml", not_quickly)
    devices = "<graphics type='vnc' port='-1' autoport='yes' passwd='secret'/>"
    report = imported(write(tmp_path / "in", {"n/1.xml": domain(1, devices=devices)}), tmp_path / "out")
    assert (report.failed, report.secrets) == (0, 1)
    prove = guest.prove
    monkeypatch.setattr(guest, "prove", lambda root, text, *a, **k: prove(root, text.replace("vnc", "rdp"), *a, **k))
    assert imported(write(tmp_path / "again", {"n/1.xml": domain(1, devices=devices)}), tmp_path / "two").failed == 1


def test_comments_inside_of_metadata_are_kept_as_libvirt_keeps_them(tmp_path: Path) -> None:
    metadata = "<metadata><!-- of a tool --><t:x xmlns:t='urn:t'>a<!-- within -->b</t:x></metadata>"
    text = f"<!-- of libvirt -->{domain(1, inside=f'<!-- of an editor -->{metadata}')}"
    imported(write(tmp_path / "in", {"n/vm.xml": text}), tmp_path / "out")
    [found] = guests(tmp_path / "out").values()
    assert found["spec"]["domain"]["metadata"] == ('<!-- of a tool -->\n<t:x xmlns:t="urn:t">a<!-- within -->b</t:x>')
    assert "of an editor" not in str(found)
    assert "of libvirt" not in str(found)
