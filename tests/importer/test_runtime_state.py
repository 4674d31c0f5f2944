"""Runtime state is left out, all of it and nothing else."""

from __future__ import annotations

import pytest
from lxml import etree

from analyser.runtime import strip


def disk(inside: str, attributes: str = "") -> str:
    """Return a domain with one disk."""
    return f"<domain{attributes}><devices><disk type='file'>{inside}<target dev='vda'/></disk></devices></domain>"


def devices(inside: str, attributes: str = "") -> str:
    """Return a domain with devices."""
    return f"<domain{attributes}><devices>{inside}</devices></domain>"


MINE = "<channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/mine.sock'/></channel>"
NAMED = (
    "<interface><target dev='tap0'/></interface><interface><target dev='vnetwork'/></interface>"
    "<interface><target dev='vnet1' managed='no'/></interface>"
)
BASE = "<baselabel>b</baselabel>"
CHAIN = "<backingStore type='file'><source file='/b'/></backingStore>"

CASES = [
    ("the number of a running guest", "<domain id='7'><name>a</name></domain>", "<domain><name>a</name></domain>"),
    (
        "libvirt's aliases, not the user's",
        devices("<a><alias name='virtio-disk0'/></a><b><alias name='ua-mine'/></b>"),
        devices("<a/><b><alias name='ua-mine'/></b>"),
    ),
    (
        "terminals",
        devices("<serial type='pty'><source path='/dev/pts/3'/></serial><console type='pty' tty='/dev/pts/3'/>"),
        devices("<serial type='pty'/><console type='pty'/>"),
    ),
    (
        "not the path of a serial port that is a file",
        devices("<serial type='file'><source path='/log'/></serial>"),
        devices("<serial type='file'><source path='/log'/></serial>"),
    ),
    (
        "generated sockets, not the user's",
        devices(f"<channel type='unix'><source mode='bind' path='/run/libvirt/qemu/channel/1-a/org'/></channel>{MINE}"),
        devices(f"<channel type='unix'><source mode='bind'/></channel>{MINE}"),
    ),
    (
        "the state of a channel",
        devices("<channel type='unix'><target type='virtio' name='x' state='connected'/></channel>"),
        devices("<channel type='unix'><target type='virtio' name='x'/></channel>"),
    ),
    (
        "generated labels of a dynamic seclabel, not its base label",
        f"<domain><seclabel type='dynamic'><label>l</label><imagelabel>i</imagelabel>{BASE}</seclabel></domain>",
        f"<domain><seclabel type='dynamic'>{BASE}</seclabel></domain>",
    ),
    (
        "not the label of a static seclabel",
        "<domain><seclabel type='static'><label>l</label></seclabel></domain>",
        "<domain><seclabel type='static'><label>l</label></seclabel></domain>",
    ),
    (
        "the numbers and backing chains of a running guest's images",
        disk("<source file='/a' index='2'/><backingStore/>", " id='1'"),
        disk("<source file='/a'/>"),
    ),
    ("not a backing chain that was defined", disk(CHAIN), disk(CHAIN)),
    ("block jobs", disk("<mirror type='file'/>"), disk("")),
    (
        "generated interface names, not the user's",
        devices(f"<interface><target dev='vnet12'/></interface><interface><target dev='macvtap0'/></interface>{NAMED}"),
        devices(f"<interface/><interface/>{NAMED}"),
    ),
    (
        "ports and bridges of networks",
        devices("<interface type='network'><source network='n' portid='p' bridge='virbr0'/></interface>", " id='1'"),
        devices("<interface type='network'><source network='n'/></interface>"),
    ),
    (
        "not a bridge that was chosen",
        devices("<interface type='bridge'><source bridge='br0'/></interface>", " id='1'"),
        devices("<interface type='bridge'><source bridge='br0'/></interface>"),
    ),
    (
        "the bridge that a network's port is on",
        devices("<interface type='bridge'><source network='n' portid='p' bridge='br0'/></interface>", " id='1'"),
        devices("<interface type='network'><source network='n'/></interface>"),
    ),
    (
        "the node's device that a network's port is on",
        devices("<interface type='direct'><source network='n' dev='eth0' mode='vepa'/></interface>", " id='1'"),
        devices("<interface type='network'><source network='n'/></interface>"),
    ),
    (
        "labels that libvirt makes for each running guest",
        "<domain id='7'><seclabel type='dynamic' model='dac' relabel='yes'><label>l</label></seclabel></domain>",
        "<domain/>",
    ),
    (
        "not such labels that were defined",
        "<domain><seclabel type='dynamic' model='dac' relabel='yes'/></domain>",
        "<domain><seclabel type='dynamic' model='dac' relabel='yes'/></domain>",
    ),
    (
        "the partition that guests are in by default",
        "<domain id='7'><resource><partition>/machine</partition></resource></domain>",
        "<domain/>",
    ),
    (
        "not a partition that was chosen",
        "<domain><resource><partition>/shop</partition></resource></domain>",
        "<domain><resource><partition>/shop</partition></resource></domain>",
    ),
    (
        "ports that graphics were given, not those that were chosen",
        devices("<graphics autoport='yes' port='5901'/><graphics autoport='no' port='5999'/>", " id='1'"),
        devices("<graphics autoport='yes'/><graphics autoport='no' port='5999'/>"),
    ),
    (
        "a generated context id",
        devices("<vsock><cid auto='yes' address='3'/></vsock>"),
        devices("<vsock><cid auto='yes'/></vsock>"),
    ),
    (
        "a pool's use",
        "<pool><name>p</name><capacity>5</capacity><available>1</available></pool>",
        "<pool><name>p</name></pool>",
    ),
    ("a network's guests", "<network connections='2'><name>n</name></network>", "<network><name>n</name></network>"),
]


@pytest.mark.parametrize(("what", "before", "after"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("looked", [True, False], ids=["with its text at hand", "without"])
def test_what_libvirt_fills_in_is_left_out(what: str, before: str, after: str, looked: bool) -> None:
    del what
    root = etree.fromstring(before)
    taken = strip(root, etree.tostring(root).lower() if looked else b"")
    assert etree.tostring(root, method="c14n") == etree.tostring(etree.fromstring(after), method="c14n")
    assert bool(taken) == (before != after)


def test_what_was_left_out_is_said_with_its_place_and_value() -> None:
    root = etree.fromstring(
        "<domain id='7'><devices><disk/><disk><alias name='virtio-disk1'/></disk></devices></domain>"
    )
    assert [(t.path, t.value) for t in strip(root)] == [("@id", "7"), ("devices/disk[2]/alias", "")]
