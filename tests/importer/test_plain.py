"""The quick way of an import: it writes, takes out and says what the slow one would, whatever a guest has."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from analyser import fastxml, xmlreader
from analyser.importer import document, facts, plain
from analyser.importer.guest import head
from analyser.yamlwriter import dump
from benchmarks.guests import OPENSTACK
from schemas.errors import InputError

ROOT = Path(__file__).parents[1]
FILES = sorted([*OPENSTACK.rglob("*.xml"), *(ROOT / "fixtures" / "libvirt").rglob("*.xml")])

PRINTED = """\
<domain type='kvm'>
  <name>web</name>
  <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
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

METADATA = """\
  <metadata>
    <t:x xmlns:t="urn:t" adminPassword="1"/>
  </metadata>
  <os>
"""

TAKEN = {
    "the number of a running guest": ("<domain type='kvm'>", "<domain type='kvm' id='7'>", True),
    "a number in front": ("<domain type='kvm'>", "<domain id='7' type='kvm'>", True),
    "an alias": ("<target dev='tap0'/>", "<target dev='tap0'/>\n      <alias name='net0'/>", True),
    "a generated interface name": ("dev='tap0'", "dev='vnet3'", True),
    "the state of a channel": ("agent.0'", "agent.0' state='connected'", True),
    "a password": ("autoport='yes'>", "autoport='yes' passwd='x'>", True),
    "a password in metadata": ("  <os>\n", METADATA, False),
    "an address of graphics": ("'address'/>", "'network' network='default' address='::1'/>", True),
    "an editor's comment": ("  <devices>\n", "  <!-- of an editor -->\n  <devices>\n", False),
}
"""What is changed in a guest, and whether it goes the quick way all the same."""


VALUE = re.compile(r"='([^']*)'|>([^<>\n]+)</")
UNUSUAL = (
    "yes", "no", "on", "off", "true", "null", "~", "y", "7", "-7", "+7", "00", "0x7", "0o7", "1e3", "1_000", ".5",
    ".inf", "12:30:00", "2001-01-01", "18446744073709551616", "", " x", "x ", "  ", "#a", "a #b", "a: b", "- a", "-",
    "?", "=", "<<", "@x", "`x", "%x", "|", "{a}", "[a]", "&amp;x", "&#10;", "\u00e9", "\u2028", "\ud7ff", "\ufffd",
)  # fmt: skip
"""Values that YAML, XML or libvirt's tables might take for something else, or must escape."""

ABOVE = head("web", "shop") + "spec:\n  runStrategy: Manual\n  deletionPolicy: Retain"
NAME = "kubevmm-name-web"


def agree(data: bytes) -> bool:
    """Say whether the guest *data* goes the quick way; it must write, take out and say what the slow one does."""
    quick = plain.convert([data])[0]
    written = quick and quick.proven(ABOVE, NAME + document.SECRETS)
    if quick is None or written is None:
        return False
    [root] = xmlreader.parse(data)
    said = facts.of_tree(root)
    made = document.make(root, NAME)
    text = ABOVE + dump({"spec": {"domain": made.content}}).removeprefix("spec:")
    assert written == text
    assert quick.taken == made.taken
    assert {each.key: each.value for each in quick.passwords} == made.values
    assert quick.pieces.elements == made.elements
    assert _told(quick.facts) == _told(said)
    return True


def _told(found: facts.Facts) -> facts.Facts:
    """Return the facts with those devices alone of which there is something to say, and what is said."""
    devices = [each._replace(may_have=False) for each in found.devices if each.found or each.uses]
    return found._replace(devices=devices)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_both_ways_write_the_same(path: Path) -> None:
    agree(path.read_bytes())


def test_most_guests_of_an_estate_go_the_quick_way() -> None:
    guests = [path for path in OPENSTACK.glob("*/etc/libvirt/qemu/*.xml") if b"</domain>" in path.read_bytes()]
    quick = [path for path in guests if plain.convert([path.read_bytes()])[0] is not None]
    assert len(quick) > len(guests) / 2


@pytest.mark.parametrize(("text", "changed", "quick"), TAKEN.values(), ids=list(TAKEN))
def test_both_ways_take_out_the_same(text: str, changed: str, quick: bool) -> None:
    assert PRINTED.count(text) == 1
    data = PRINTED.replace(text, changed).encode()
    [root] = xmlreader.parse(data)
    made = document.make(root, NAME)
    assert made.taken or made.values or not quick
    assert agree(data) is quick


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_both_ways_write_the_same_whatever_a_value_is(path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    # Whole elements are known by their third one: what differs in values alone has come by then.
    for place, match in enumerate(VALUE.finditer(text)):
        group = 1 if match[1] is not None else 2
        value = UNUSUAL[place % len(UNUSUAL)]
        changed = text[: match.start(group)] + value + text[match.end(group) :]
        with contextlib.suppress(InputError):
            agree(changed.encode())


def test_what_is_not_printed_as_virsh_prints_goes_the_slow_way() -> None:
    data = PRINTED.replace("dev='tap0'", "dev='&#118;net3'").encode()
    assert fastxml.to_yaml(data) is None
    assert plain.convert([data]) == [None]
