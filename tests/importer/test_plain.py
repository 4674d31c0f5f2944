"""The quick way of an import: it writes what the slow one would, and leaves alone what has something to take out."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from analyser import fastxml, xmlreader
from analyser.importer import document, plain
from analyser.yamlwriter import dump
from benchmarks.guests import OPENSTACK

ROOT = Path(__file__).parents[1]
FILES = sorted([*OPENSTACK.rglob("*.xml"), *(ROOT / "fixtures" / "libvirt").rglob("*.xml")])

PRINTED = """\
<domain type='kvm'>
  <name>web</name>
  <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  <metadata>
    <t:x xmlns:t="urn:t" key="1"/>
  </metadata>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
  </os>
  <devices>
    <interface type='network'>
      <source network='default'/>
      <target dev='tap0'/>
    </interface>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <graphics type='vnc' port='-1' autoport='yes'>
      <listen type='address'/>
    </graphics>
  </devices>
</domain>
"""

TAKEN = {
    "the number of a running guest": ("<domain type='kvm'>", "<domain type='kvm' id='7'>"),
    "a number in front": ("<domain type='kvm'>", "<domain id='7' type='kvm'>"),
    "an alias": ("<target dev='tap0'/>", "<target dev='tap0'/>\n      <alias name='net0'/>"),
    "a generated interface name": ("dev='tap0'", "dev='vnet3'"),
    "the state of a channel": ("name='org.qemu.guest_agent.0'", "name='org.qemu.guest_agent.0' state='connected'"),
    "a password": ("autoport='yes'>", "autoport='yes' passwd='x'>"),
    "a password in metadata": ('key="1"', 'adminPassword="1"'),
    "an address of graphics": ("<listen type='address'/>", "<listen type='network' network='default' address='::1'/>"),
    "an editor's comment": ("  <devices>\n", "  <!-- of an editor -->\n  <devices>\n"),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_both_ways_write_the_same(path: Path) -> None:
    data = path.read_bytes()
    quick = plain.convert(data)
    if quick is None:
        return
    [root] = xmlreader.parse(data)
    made = document.make(root, "x")
    assert (made.taken, made.values, made.elements) == ([], {}, quick.elements)
    assert dump({"spec": {"domain": made.content}}) == f"spec:\n  domain:{quick.body}"


def test_most_guests_of_an_estate_go_the_quick_way() -> None:
    guests = [path for path in OPENSTACK.glob("*/etc/libvirt/qemu/*.xml") if b"</domain>" in path.read_bytes()]
    quick = [path for path in guests if plain.convert(path.read_bytes()) is not None]
    assert len(quick) > len(guests) / 2


@pytest.mark.parametrize(("text", "changed"), TAKEN.values(), ids=list(TAKEN))
def test_what_has_something_to_take_out_goes_the_slow_way(text: str, changed: str) -> None:
    assert plain.convert(PRINTED.encode()) is not None
    assert PRINTED.count(text) == 1
    data = PRINTED.replace(text, changed).encode()
    etree.fromstring(data)
    assert plain.convert(data) is None


def test_what_is_not_printed_as_virsh_prints_goes_the_slow_way() -> None:
    data = PRINTED.replace("dev='tap0'", "dev='&#118;net3'").encode()
    assert fastxml.to_yaml(data) is None
    assert plain.convert(data) is None
