"""Whether two documents say the same to libvirt, and where they do not, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from analyser.compare import Document, Pair, compare, load, pairs
from analyser.convert import convert
from schemas.table import table


def differences(a: str, b: str) -> list[str]:
    one, other = load(a.encode(), file="a"), load(b.encode(), file="b")
    return [str(difference) for pair in pairs(one, other) for difference in compare(pair)]


def guest(content: str, attributes: str = "type='kvm'") -> str:
    return f"<domain {attributes}><name>a</name>{content}</domain>"


def manifest(content: str, above: str = "") -> str:
    return (
        f"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nmetadata: {{name: a}}\nspec:\n{above}"
        f"  domain: {{type: kvm, {content}}}\n"
    )


SAME = {
    "order of differently named elements": (guest("<os/><features/>"), guest("<features/><os/>")),
    "order of attributes": (guest("<clock offset='utc' basis='x'/>"), guest("<clock basis='x' offset='utc'/>")),
    "white space round text": (guest("<title>a b</title>"), guest("<title>\n a b </title>")),
    "comments": (guest("<title>a</title>"), guest("<!-- x --><title>a<!-- y --></title>")),
    "a size in another unit": (guest("<memory unit='KiB'>4194304</memory>"), guest("<memory unit='GiB'>4</memory>")),
    "a size in libvirt's own unit": (guest("<memory>4194304</memory>"), guest("<memory unit='k'>4194304</memory>")),
    "a size in bytes": (guest("<memory unit='b'>4096</memory>"), guest("<memory unit='KiB'>4</memory>")),
    "decimal units": (guest("<memory unit='KB'>1024</memory>"), guest("<memory unit='KiB'>1000</memory>")),
    "an integer with zeros in front": (guest("<iothreads>04</iothreads>"), guest("<iothreads>4</iothreads>")),
    "how an element without content is closed": (
        guest("<features><acpi/></features>"),
        guest("<features><acpi></acpi></features>"),
    ),
    "how a character is written": (guest("<title>&lt;ä</title>"), guest("<title>&#60;&#228;</title>")),
    "prefixes of namespaces": (
        guest("<metadata><a:x xmlns:a='urn:a' k='v'/></metadata>"),
        guest("<metadata><b:x xmlns:b='urn:a' k='v'/></metadata>"),
    ),
    "order in foreign content": (
        guest("<metadata><x:a xmlns:x='urn:x'><b/><c/></x:a></metadata>"),
        guest("<metadata><x:a xmlns:x='urn:x'><c/><b/></x:a></metadata>"),
    ),
    "unknown elements in another order": (guest("<zap x='1' y='2'/><zip/>"), guest("<zip/><zap y='2' x='1'/>")),
    "XML and YAML": (guest("<memory unit='KiB'>1048576</memory>"), manifest("memory: 1Gi, name: a")),
    "a name from metadata": (guest(""), manifest("")),
    "quantities": (manifest("memory: 4Gi"), manifest("memory: 4096Mi")),
    "integers in quotes": (manifest("iothreads: 4"), manifest('iothreads: "4"')),
    "booleans and their words": (
        manifest("features: {vmport: {state: true}}"),
        manifest('features: {vmport: {state: "on"}}'),
    ),
    "what only KubeVMM reads": (manifest(""), manifest("", above="  runStrategy: Always\n  nodeName: one\n")),
    "an empty list": (manifest("devices: {disks: []}"), manifest("devices: {}")),
    "a key and the same in extraXML": (manifest("title: x"), manifest('extraXML: "<domain><title>x</title></domain>"')),
}


@pytest.mark.parametrize(("a", "b"), SAME.values(), ids=SAME.keys())
def test_these_say_the_same(a: str, b: str) -> None:
    assert differences(a, b) == []
    assert differences(b, a) == []


def disks(*names: str, extra: str = "") -> str:
    return (
        "<devices>"
        + "".join(f"<disk type='file'>{extra}<target dev='{name}'/></disk>" for name in names)
        + "</devices>"
    )


DIFFERENT = {
    "a value": (guest("<title>a</title>"), guest("<title>b</title>"), ["spec.domain.title: a -> b"]),
    "white space inside": (
        guest("<title>a b</title>"),
        guest("<title>a  b</title>"),
        ["spec.domain.title: a b -> a  b"],
    ),
    "only the first has it": (guest("<title>a</title>"), guest(""), ["- spec.domain.title: a"]),
    "only the second has it": (
        guest(""),
        guest("<os><bios useserial='yes'/></os>"),
        ['+ spec.domain.os: {"bios": {"useserial": true}}'],
    ),
    "an empty element": (guest("<features/>"), guest(""), ["- spec.domain.features: {}"]),
    "a size": (
        guest("<memory unit='GB'>4</memory>"),
        guest("<memory unit='GiB'>4</memory>"),
        ["spec.domain.memory: 4 GB -> 4 GiB"],
    ),
    "a boolean": (
        guest("<features><hap state='on'/></features>"),
        guest("<features><hap state='off'/></features>"),
        ["spec.domain.features.hap.state: true -> false"],
    ),
    "a number and a word": (
        guest("<clock adjustment='1'/>"),
        guest("<clock adjustment='reset'/>"),
        ["spec.domain.clock.adjustment: 1 -> reset"],
    ),
    "the order of elements of one name": (
        guest(disks("vda", "vdb")),
        guest(disks("vdb", "vda")),
        ['spec.domain.devices.disks (order): ["vda", "vdb"] -> ["vdb", "vda"]'],
    ),
    "a disk put in between": (
        guest(disks("vda", "vdb")),
        guest(disks("vda", "vdc", "vdb")),
        ['+ spec.domain.devices.disks[vdc]: {"type": "file", "target": {"dev": "vdc"}}'],
    ),
    "a disk that is called otherwise": (
        guest(disks("vda", extra="<source file='/x'/><shareable/>")),
        guest(disks("sda", extra="<source file='/x'/><shareable/>")),
        ["spec.domain.devices.disks[vda].target.dev: vda -> sda"],
    ),
    "a controller by type and index": (
        guest("<devices><controller type='usb' index='0'/><controller type='pci' index='0'/></devices>"),
        guest("<devices><controller type='usb' index='0' model='x'/><controller type='pci' index='0'/></devices>"),
        ["+ spec.domain.devices.controllers[usb 0].model: x"],
    ),
    "a list without identities": (
        guest("<devices><serial/><serial type='pty'/><serial/></devices>"),
        guest("<devices><serial/><serial/></devices>"),
        ['- spec.domain.devices.serials[1]: {"type": "pty"}'],
    ),
    "foreign content": (
        guest("<metadata><a:x xmlns:a='urn:a'>1</a:x></metadata>"),
        guest("<metadata><a:x xmlns:a='urn:b'>1</a:x></metadata>"),
        ['- spec.domain.metadata.x: [{"#text": "1"}]', '+ spec.domain.metadata.x: [{"#text": "1"}]'],
    ),
    "unknown elements": (
        guest("<zap><b x='1'/></zap>"),
        guest("<zap><b x='2'/></zap>"),
        ["spec.domain.zap[0].b[0].@x: 1 -> 2"],
    ),
    "a secret": (
        guest("<devices><graphics type='vnc' passwd='one'/></devices>"),
        guest("<devices><graphics type='vnc' passwd='two'/></devices>"),
        ["spec.domain.devices.graphics[vnc].passwd: changed (secret)"],
    ),
    "a reference to another object": (
        manifest("devices: {disks: [{type: file, source: {diskRef: {name: one}}}]}"),
        manifest("devices: {disks: [{type: file, source: {diskRef: {name: two}}}]}"),
        ["spec.domain.devices.disks[0].source.diskRef.name: one -> two"],
    ),
    "order that means something across names": (
        "<filter name='a'><rule action='drop' direction='in'/><filterref filter='b'/></filter>",
        "<filter name='a'><filterref filter='b'/><rule action='drop' direction='in'/></filter>",
        [
            '- spec.entries[0].rule: {"action": "drop", "direction": "in"}',
            '+ spec.entries[0].filterref: {"filter": "b"}',
            '- spec.entries[1].filterref: {"filter": "b"}',
            '+ spec.entries[1].rule: {"action": "drop", "direction": "in"}',
        ],
    ),
}


@pytest.mark.parametrize(("a", "b", "said"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_these_differ_and_it_says_where(a: str, b: str, said: list[str]) -> None:
    assert differences(a, b) == said
    assert len(differences(b, a)) == len(said)


def test_documents_are_paired_by_kind_and_name() -> None:
    one = load(f"<all>{guest('')}<network><name>a</name></network></all>".encode(), file="a")
    other = load(f"<all><network><name>a</name></network>{guest('').replace('>a<', '>b<')}</all>".encode(), file="b")
    found = [(pair.title, pair.a is not None, pair.b is not None) for pair in pairs(one, other)]
    assert found == [
        ("VirtualMachine/a", True, False), ("VirtualMachineNetwork/a", True, True), ("VirtualMachine/b", False, True),
    ]  # fmt: skip


def test_secrets_in_foreign_content_are_hidden_too() -> None:
    a = guest("<metadata><x:a xmlns:x='urn:x' password='one'><x:passwd>two</x:passwd></x:a></metadata>")
    found = differences(a, a.replace("one", "1").replace("two", "2"))
    assert found == [
        "spec.domain.metadata.a[0].@password: changed (secret)",
        "spec.domain.metadata.a[0].passwd[0].#text: changed (secret)",
    ]  # fmt: skip


ELEMENTS = st.sampled_from(["devices", "disk", "target", "interface", "os", "title", "memory", "metadata", "zzz"])


@st.composite
def tree(draw: st.DrawFn, tag: str = "domain", depth: int = 4) -> etree._Element:
    names = st.sampled_from(["type", "dev", "unit", "zzz", "passwd"])
    element = etree.Element(tag, draw(st.dictionaries(names, st.sampled_from(["kvm", "1", "KiB", "on"]), max_size=2)))
    if depth and draw(st.booleans()):
        for name in draw(st.lists(ELEMENTS, max_size=4)):
            element.append(draw(tree(name, depth - 1)))
    else:
        element.text = draw(st.sampled_from(["", "1", "text", " 5 "]))
    return element


def _document(element: etree._Element) -> Document:
    return Document(table().roots["domain"], "a", element)


def _shuffled(element: etree._Element, random: Any) -> etree._Element:
    """Return *element* with its children of different names in another order, those of one name in their own."""
    out = etree.Element(element.tag, dict(element.attrib))
    out.text = element.text
    names = list(dict.fromkeys(child.tag for child in element))
    random.shuffle(names)
    out.extend(_shuffled(child, random) for name in names for child in element if child.tag == name)
    return out


@given(tree(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_any_document_is_the_same_as_itself_in_yaml_and_in_another_order(element: etree._Element, random: Any) -> None:
    assert compare(Pair(_document(element), _document(_shuffled(element, random)))) == []
    xml = etree.tostring(element)
    yaml = convert(xml, file="a", to="yaml").text.encode()
    for pair in pairs(load(xml, file="a"), load(yaml, file="b")):
        assert compare(pair) == []


@given(tree(), tree())
@settings(max_examples=300, deadline=None)
def test_comparing_the_other_way_round_finds_as_much(a: etree._Element, b: etree._Element) -> None:
    there = compare(Pair(_document(a), _document(b)))
    back = compare(Pair(_document(b), _document(a)))
    assert bool(there) == bool(back)
    assert all(str(difference) for difference in there)


@given(tree(), st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_attribute_is_never_missed(element: etree._Element, data: st.DataObject) -> None:
    holders = [each for each in element.iter() if each.attrib]
    if not holders:
        return
    other = etree.fromstring(etree.tostring(element))
    index = data.draw(st.integers(0, len(holders) - 1))
    changed = [each for each in other.iter() if each.attrib][index]
    name = data.draw(st.sampled_from(sorted(changed.attrib)))
    changed.set(name, "something else")
    assert compare(Pair(_document(element), _document(other)))
