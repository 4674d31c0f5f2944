"""The fast paths accept what virsh and we print, and say of it exactly what the codec says."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from analyser import fastmemory, fastxml, fastxmllines, fastyaml
from analyser.convert import convert
from tests.codec.oracle import FILES, by_codec, check_xml, check_yaml, printed

if TYPE_CHECKING:
    from pathlib import Path

# Elements of one name whose order among others a dict with lists cannot keep, text that libvirt breaks over lines, and
# lists of several names: these are left to the codec.
LEFT_TO_THE_CODEC = ("<filter ", "</description>\n")


def domain(inside: str, *, head: str = " type='kvm'") -> str:
    """Return a domain whose children are *inside*, written from the first column on."""
    lines = dedent(inside).strip("\n").split("\n")
    return f"<domain{head}>\n" + "".join(f"  {line}\n" if line else "\n" for line in lines) + "</domain>\n"


def devices(inside: str) -> str:
    return domain(
        "<devices>\n" + "\n".join(f"  {line}" for line in dedent(inside).strip("\n").split("\n")) + "\n</devices>"
    )


def test_there_are_real_documents_to_check_against() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_virsh_prints_of_real_documents_is_accepted_both_ways(path: Path) -> None:
    virsh = printed(path.read_bytes())
    if virsh is None:
        assert fastxml.to_yaml(path.read_bytes()) is None
        return
    accepted = check_xml(virsh)
    yaml = by_codec(virsh)
    assert yaml is not None
    known = not any(mark in virsh.decode() for mark in LEFT_TO_THE_CODEC) and "extraXML" not in yaml
    assert accepted or not known
    assert check_yaml(yaml.encode()) or not known


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_real_documents_as_they_are_convert_as_by_the_codec(path: Path) -> None:
    data = path.read_bytes()
    check_xml(data)
    yaml = by_codec(data)
    if yaml is not None:
        check_yaml(yaml.encode())


def test_all_guests_that_libvirt_left_on_disk_are_accepted_as_they_are() -> None:
    guests = [path for path in FILES if path.parent.name == "qemu" and b"</domain>" in path.read_bytes()]
    accepted = [path.name for path in guests if fastxml.to_yaml(path.read_bytes()) is not None]
    assert len(accepted) >= 14
    assert len(guests) - len(accepted) <= 1  # one of the examples is broken


ACCEPTED_XML = {
    "nothing but the root": "<domain/>\n",
    "no line break at the end": "<domain/>",
    "blanks for a text": domain("<name>  </name>"),
    "escapes in text": domain("<name>a &amp; b &lt;c&gt; &apos;d&apos; &quot;e&quot;</name>"),
    "escapes in an attribute": devices("<disk type='fi&amp;le' device='&quot;'/>"),
    "characters that are not printable": domain("<name>a\u00a0b\u2028c</name>"),
    "characters beyond ASCII": domain("<title>Rechner für Prüfungen 日本 🖥</title>"),
    "a size as libvirt prints it": domain("<memory unit='KiB'>4194304</memory>"),
    "sizes in other units and without": domain(
        "<memory unit='GiB'>4</memory>\n<currentMemory>4194304</currentMemory>\n"
        "<maxMemory slots='16' unit='KiB'>1</maxMemory>"
    ),
    "a size that is an attribute": domain(
        "<cpu>\n  <numa>\n    <cell id='0' cpus='0-1' memory='1048576' unit='KiB'/>\n  </numa>\n</cpu>"
    ),
    "words that YAML takes for others": domain("<name>on</name>\n<title>~</title>\n<description>1e3</description>"),
    "an element with nothing in it that virsh prints as two tags": domain("<devices>\n</devices>"),
    "a list whose items have no attributes": devices(
        "<video>\n  <model type='virtio'/>\n</video>\n<video>\n</video>"
    ).replace("    <video>\n    </video>\n", "    <video/>\n"),
    "an item that begins with a list": devices("<rng>\n  <backend model='random'>/dev/urandom</backend>\n</rng>"),
    "comments": devices(
        "<!-- one -->\n<!-- two -->\n<emulator>/bin/x</emulator>\n<!-- three\n of several lines -->\n<video/>"
    ),
    "a comment between lists": devices("<disk type='file'/>\n<!-- x -->\n<video/>\n<!-- y -->\n<input type='mouse'/>"),
    "foreign content": domain(
        """
        <metadata>
          <a:x xmlns:a="http://a.example/1" k="v">
            <a:y/>
            <a:z>text</a:z>
          </a:x>
          <plain>
            <z/>
          </plain>
        </metadata>
        """
    ),
    "foreign content on one line": domain('<metadata>\n  <a:x xmlns:a="http://a.example/1"/>\n</metadata>'),
    "foreign content that only a parser understands": domain(
        '<metadata>\n  <x xmlns="urn:a">\n    <y z="&amp;">&lt;</y>\n  </x>\n</metadata>'
    ),
    "a namespace of libvirt's": domain(
        """
        <name>a</name>
        <qemu:commandline>
          <qemu:arg value='-foo'/>
          <qemu:env name='A' value='b'/>
        </qemu:commandline>
        """,
        head=" type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'",
    ),
    "libvirt's warning on disk": (
        "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\nOVERWRITTEN AND LOST. "
        "Changes to this xml configuration should be made using:\n  virsh edit a\n-->\n\n" + domain("<name>a</name>")
    ),
    "a name that cannot be an object's": domain(
        "<name>&lt;&gt;</name>\n<uuid>64e3ea9f-6e4f-4772-9798-8b4f3931ea4c</uuid>"
    ),
    "devices with nothing in them, deeper": (
        "<domainsnapshot>\n  <inactiveDomain>\n    <devices>\n    </devices>\n  </inactiveDomain>\n</domainsnapshot>\n"
    ),
    "another kind": "<network>\n  <name>default</name>\n  <ip address='10.0.0.1' netmask='255.0.0.0'/>\n</network>\n",
    "a kind whose spec is the document": "<interface type='bridge' name='br0'>\n  <mtu size='1500'/>\n</interface>\n",
}


@pytest.mark.parametrize("text", ACCEPTED_XML.values(), ids=ACCEPTED_XML)
def test_xml_is_accepted_with(text: str) -> None:
    assert check_xml(text.encode())
    yaml = by_codec(text.encode())
    assert yaml is not None
    assert check_yaml(yaml.encode()) or text.startswith("<domain/>")


REFUSED_XML = {
    "no document": "",
    "another root": "<domains/>\n",
    "a root that nothing closes": "<domain>\n  <name>a</name>\n",
    "text behind the root": "<domain/>\nx",
    "two documents": "<domain/>\n<domain/>\n",
    "a tag that another closes": devices("<disk type='file'>\n  <readonly/>\n</video>"),
    "an end tag too many": domain("<name>a</name>") + "</domain>\n",
    "an attribute given twice": devices("<disk type='file' type='file'/>"),
    "an attribute without a value": devices("<disk type/>"),
    "an attribute without quotes": devices("<disk type=file/>"),
    "a quote that nothing closes": devices("<disk'/>"),
    "a quote that closes nothing": devices("<disk type='file''/>"),
    "a tag in an attribute": devices("<disk type='<x/>'/>"),
    "an ampersand that begins no escape": domain("<name>a & b</name>"),
    "an unknown entity": domain("<name>&x;</name>"),
    "a control character": domain("<name>a\x01b</name>"),
    "half a surrogate pair, as bytes": domain("<name>a</name>").replace(">a<", ">\ud800<"),
    "a DOCTYPE": "<!DOCTYPE domain>\n<domain/>\n",
    "a processing instruction": domain("<?x y?>\n<name>a</name>"),
    "a comment that does not end": domain("<!-- a\n<name>b</name>"),
    "two hyphens in a comment": domain("<!-- a -- b -->\n<name>b</name>"),
    "a prefix that is not declared": domain("<qemu:commandline>\n  <qemu:arg value='x'/>\n</qemu:commandline>"),
    "a prefix in foreign content that is not declared": domain("<metadata>\n  <a:x/>\n</metadata>"),
    "foreign content that does not match": domain("<metadata>\n  <x>\n    <y>\n    </x>\n  </y>\n</metadata>"),
    # Well-formed, but not what the codec prints.
    "an unknown element": domain("<new/>"),
    "an unknown attribute": domain("<name new='x'>a</name>"),
    "an element that may be there once, twice": domain("<name>a</name>\n<name>b</name>"),
    "a list that goes on after another": devices("<disk type='file'/>\n<video/>\n<disk type='file'/>"),
    "a list that goes on after a comment": devices("<disk type='file'/>\n<!-- x -->\n<disk type='file'/>"),
    "a pair of tags with nothing inside": devices("<video>\n</video>"),
    "a pair of tags on one line": domain("<name></name>"),
    "a tag that virsh prints as two": domain("<devices/>"),
    "double quotes": domain('<vcpu placement="static">2</vcpu>'),
    "another indentation": domain("<name>a</name>").replace("<name", " <name"),
    "an empty line": domain("<name>a</name>\n\n<title>b</title>"),
    "a space before the end of a tag": devices("<video />"),
    "a quote in text that virsh would escape": domain("<name>it's</name>"),
    "CDATA": domain("<name><![CDATA[a]]></name>"),
    "text among elements": domain("<os>\n  text\n  <boot dev='hd'/>\n</os>"),
    "a namespace that nothing uses": domain("<name>a</name>", head=" xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"),
    "a unit in another place": domain("<maxMemory unit='KiB' slots='16'>1</maxMemory>"),
    "Windows' line breaks": domain("<name>a</name>").replace("\n", "\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED_XML.values(), ids=REFUSED_XML)
def test_xml_is_left_to_the_codec_with(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert fastxml.to_yaml(data) is None
    check_xml(data)


LAID_OUT = {
    "double quotes": domain("<vcpu placement='static'>2</vcpu>").replace("'", '"'),
    "an XML declaration": "<?xml version='1.0' encoding='utf-8'?>\n\n" + domain("<name>a</name>"),
    "four spaces a level": devices("<video/>\n<input type='mouse'/>").replace("  ", "    "),
    "one line further in": devices("<video/>\n<input type='mouse'/>").replace("    <input", "       <input"),
    "empty lines": domain("<name>a</name>\n\n\n<title>b</title>"),
    "spaces before the ends of tags": devices("<video />\n<input type='mouse' />"),
    "pairs of tags": devices("<video>\n</video>\n<input type='mouse'/>\n<input type='tablet'>\n</input>"),
    "all of it, with a comment": (
        '<domain type="kvm">\n  <!-- "x" -->\n\n    <os >\n    <boot dev="hd" />\n </os>\n</domain>'
    ),
    "foreign content": domain("<metadata>\n  <x k='1'>\n  <y/>\n  </x>\n</metadata>"),
}


@pytest.mark.parametrize("text", LAID_OUT.values(), ids=LAID_OUT)
def test_what_virsh_did_not_print_is_still_converted_line_by_line_with(text: str) -> None:
    from analyser import convert as converting  # noqa: PLC0415  (the name is also the function's)

    data = text.encode()
    fast = converting._fast(data, "xml")  # noqa: SLF001
    assert fast is not None
    assert fast == by_codec(data)
    assert check_yaml(fast.encode())
    assert convert(fast.encode(), file="a file").text.strip() == text.strip().removeprefix(
        "<?xml version='1.0' encoding='utf-8'?>"
    ).lstrip("\n")


HEAD = "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nmetadata:\n  name: a\n"
SPEC = HEAD + "spec:\n  domain:\n    type: kvm\n    name: a\n"

ACCEPTED_YAML = {
    "the object's other keys": (
        HEAD.replace("  name: a\n", "  name: a\n  namespace: b\n  labels:\n    x: z\n  annotations:\n    z: 'on'\n")
        + "spec:\n  runStrategy: Manual\n  deletionPolicy: Retain\n  domain:\n    name: a\n"
    ),
    "single quotes": SPEC.replace("type: kvm", "type: 'kvm'"),
    "a number where text is wanted": SPEC + "    title: 12\n",
    "a boolean": SPEC + "    features:\n      vmport:\n        state: true\n",
    "an integer that is too large": SPEC + "    vcpu:\n      value: 99999999999999999999\n",
    "escapes": SPEC + '    title: "a\\tb\\u00e9 <>&"\n',
    "quantities that libvirt does not print": SPEC + "    memory: 4096Mi\n    currentMemory: 4096 MiB\n",
    "what stands beside a size": SPEC + "    maxMemory: 4Gi\n    maxMemorySlots: 16\n",
    "empty maps": SPEC + "    features:\n      acpi: {}\n    devices: {}\n",
    "items": SPEC + "    devices:\n      videos:\n      - {}\n      - model:\n          type: vga\n      disks:\n"
        "      - type: file\n",
    "comments": "# one\n# two\n" + SPEC + "    # three\n\n    # four\n    # five\n    title: b\n",
    "no line break at the end": SPEC.rstrip("\n"),
}  # fmt: skip


@pytest.mark.parametrize("text", ACCEPTED_YAML.values(), ids=ACCEPTED_YAML)
def test_yaml_is_accepted_with(text: str) -> None:
    assert check_yaml(text.encode())


REFUSED_YAML = {
    "nothing": "",
    "no kind": SPEC.replace("kind: VirtualMachine\n", ""),
    "another kind": SPEC.replace("VirtualMachine", "Pod"),
    "no document": HEAD + "spec:\n  runStrategy: Manual\n",
    "a document that is null": HEAD + "spec:\n  domain:\n",
    "two documents": SPEC + "---\n" + SPEC,
    "another key at the end": SPEC + "status: {}\n",
    "what an API server adds": SPEC.replace("  name: a\n", "  name: a\n  uid: 64e3ea9f\n", 1),
    "a name for the document from the object": SPEC.replace("    name: a\n", ""),
    "a key given twice": SPEC + "    name: a\n",
    "a key of metadata given twice": SPEC.replace("  name: a\n", "  name: a\n  name: b\n", 1),
    "a list given twice": SPEC + "    devices:\n      disks:\n      - {}\n      hubs:\n      - {}\n      disks:\n"
        "      - {}\n",
    "an unknown key": SPEC + "    new: x\n",
    "a key of another element": SPEC + "    dev: x\n",
    "null": SPEC + "    title:\n",
    "a map that is null": SPEC + "    features:\n    title: a\n",
    "a list that is null": SPEC + "    devices:\n      disks:\n",
    "a list that is empty": SPEC + "    devices:\n      disks: []\n",
    "a scalar where a map is wanted": SPEC + "    devices: x\n",
    "a map where a scalar is wanted": SPEC + "    title:\n      a: b\n",
    "a scalar where a list is wanted": SPEC + "    devices:\n      disks: x\n",
    "an item that is null": SPEC + "    devices:\n      disks:\n      -\n",
    "a list in a list": SPEC + "    devices:\n      disks:\n      - - type: file\n",
    "an attribute behind a child": SPEC + "    features:\n      acpi: {}\n    id: 1\n",
    "text behind a child": SPEC + "    os:\n      type:\n        value: hvm\n        arch: x\n",
    "a bare number for a size": SPEC + "    memory: 4096\n",
    "a boolean where text is wanted": SPEC + "    title: yes\n",
    "a size's neighbour without the size": SPEC + "    maxMemorySlots: 16\n",
    "what XML cannot hold": SPEC + '    title: "\\x01"\n',
    "flow style": SPEC + "    vcpu: {value: 2}\n",
    "an anchor": SPEC + "    title: &a b\n",
    "a comment behind a value": SPEC + "    title: b # c\n",
    "a comment behind a dash": SPEC + "    devices:\n      disks:\n      - # c\n        type: file\n",
    "a block with no lines": SPEC + "    metadata: |-\n    title: b\n",
    "a comment further in": SPEC + "    features:\n      acpi: {}\n        # c\n",
    "a comment between items": SPEC + "    devices:\n      disks:\n      - {}\n      # c\n      - {}\n",
    "an empty line": SPEC + "\n    title: b\n",
    "another indentation": SPEC + "    vcpu:\n       value: 2\n",
    "a list further in": SPEC + "    devices:\n      disks:\n        - type: file\n",
    "text on several lines": SPEC + "    description: |-\n      a\n      b\n",
    "a tab": SPEC + "    title:\tb\n",
    "Windows' line breaks": SPEC.replace("\n", "\r\n"),
    "what the tables do not know": SPEC + "    extraXML: |-\n      <domain>\n        <new/>\n      </domain>\n",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED_YAML.values(), ids=REFUSED_YAML)
def test_yaml_is_left_to_the_codec_with(text: str) -> None:
    assert fastyaml.to_xml(text.encode()) is None


def test_a_reference_to_an_object_is_left_to_the_codec() -> None:
    text = SPEC + "    devices:\n      disks:\n      - source:\n          diskRef:\n            name: a\n"
    assert fastyaml.to_xml(text.encode()) is None


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastmemory, "ENTRIES", 20)
    text = devices("".join(f"<disk type='file'>\n  <source file='/{n}'/>\n</disk>\n" for n in range(50)))
    fastxmllines.clear()
    fastyaml.clear()
    assert check_xml(text.encode())
    yaml = by_codec(text.encode())
    assert yaml is not None
    assert check_yaml(yaml.encode())
