"""What random and coverage-guided inputs once found, each as small as it could be made."""

from __future__ import annotations

import pytest

from analyser import documents, fastxml
from analyser.convert import convert
from analyser.model import Comment
from analyser.yamlreader import load_all
from schemas.errors import InputError
from tests.fuzz.sameness import normal
from tests.fuzz.targets import check_document

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"

LOST = {
    "white space came in around text beside an unknown attribute": "<domain><vcpu new='1'>2</vcpu></domain>",
    "white space came in around text beside a comment": "<domain><vcpu placement='auto'>2<!-- c --></vcpu></domain>",
    "a namespace's prefix was not declared where text stands among elements": (
        f"<domain><q:commandline xmlns:q='{QEMU}'>text<q:arg value='a'/></q:commandline></domain>"
    ),
    "a namespace without a prefix was lost where text stands among elements": (
        f"<domain><commandline xmlns='{QEMU}'>text<arg value='a'/></commandline></domain>"
    ),
    "two attributes of one foreign namespace declared it twice": "<domain xmlns:n='urn:n' n:a='1' n:b='2'/>",
    "the root element declared a known namespace twice": (
        f"<domain xmlns:qemu='{QEMU}' qemu:a='1'><qemu:commandline><qemu:arg value='a'/></qemu:commandline></domain>"
    ),
    "a known prefix of another namespace clashed with the known one": (
        f"<domain xmlns:qemu='urn:n' xmlns:q='{QEMU}' qemu:a='1'>"
        "<q:commandline><q:arg value='a'/></q:commandline></domain>"
    ),
    "a prefix declared anew further in took elements with it": (
        "<domain><new><p:a xmlns:p='urn:a'><b xmlns='urn:a'><p:c xmlns:p='urn:b'><d/></p:c></b></p:a></new></domain>"
    ),
    "a prefix declared anew changed the namespace of what was moved": (
        "<interface><protocol><dhcp xmlns:n='urn:a' n:a='1'><new><p:b xmlns:p='urn:a' xmlns:n='urn:b' n:c='1'/></new>"
        "</dhcp></protocol></interface>"
    ),
    "a line break came in behind text in metadata": "<domain><metadata>text<a/></metadata></domain>",
    "metadata's text of several lines lost its indentation": (
        "<domain>\n  <metadata>\n    <a>\n      text</a>\n  </metadata>\n</domain>\n"
    ),
    "an attribute of the xml prefix had no prefix to be found": "<domain xml:lang='en'/>",
}


@pytest.mark.parametrize("text", LOST.values(), ids=LOST.keys())
def test_nothing_is_lost(text: str) -> None:
    check_document(text)


KNOWN = "<domain>\n  <name>a</name>\n  <features>\n    <vmport state='off'/>\n  </features>\n</domain>\n"
ILL_FORMED = {
    "a quote left open": KNOWN.replace("'/>", "''>"),
    "a tag left open": KNOWN.replace("<features>", "<featuresA"),
}


@pytest.mark.parametrize("text", ILL_FORMED.values(), ids=ILL_FORMED.keys())
def test_what_is_not_well_formed_is_refused_on_the_fast_path_too(text: str) -> None:
    assert fastxml.to_yaml(KNOWN.encode()) is not None  # and now it remembers the lines
    assert fastxml.to_yaml(text.encode()) is None
    with pytest.raises(InputError, match="f:"):
        convert(text.encode(), file="f")


def test_dashes_in_a_comment_do_not_end_it() -> None:
    (document,) = load_all("apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nspec: {domain: {}}\n")
    for text in ("--", "---", "a-----b", "-"):
        document["spec"]["domain"] = {Comment(text): None, "name": "a"}
        assert normal(documents.to_xml({Comment(text): None, **document})) == normal("<domain><name>a</name></domain>")


def test_a_mistake_in_one_document_is_named_though_another_cannot_be_read() -> None:
    text = b"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nspec: {domain: {a: 1}}\n---\na: \x07\n"
    with pytest.raises(InputError, match=r"^f: spec\.domain\.a: unknown key$"):
        convert(text, file="f")
