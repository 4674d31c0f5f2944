"""What is wanted wins, what is no longer said goes, and what only libvirt or somebody else says stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from executor.plan.merge import merge, path_text
from schemas.table import table

DOMAIN = table().roots["domain"].type
FILE = {"type": "file", "source": {"file": "/a"}, "target": {"dev": "vda", "bus": "virtio"}}
NETWORK: dict[str, Any] = {"type": "network", "source": {"network": "default"}}
BLUE: dict[str, Any] = {"type": "network", "source": {"network": "blue"}}
MAC = {"mac": {"address": "52:54:00:00:00:01"}}
OTHER_MAC = {"mac": {"address": "52:54:00:00:00:02"}}


def devices(**lists: list[dict[str, Any]]) -> dict[str, Any]:
    return {"devices": dict(lists)}


Node = dict[str, Any]
# There, said last (None: never), wanted; what becomes of it, and what changes for which reason.
CASES: dict[str, tuple[Node, Node | None, Node, Node, dict[str, str]]] = {
    "what libvirt fills in stays": ({"title": "t", "genid": "g"}, {}, {}, {"title": "t", "genid": "g"}, {}),
    "the spec wins": ({"title": "t"}, {"title": "t"}, {"title": "u"}, {"title": "u"}, {"title": "spec changed"}),
    "drift is undone": ({"title": "x"}, {"title": "t"}, {"title": "t"}, {"title": "t"}, {"title": "changed outside"}),
    "what was taken away is back": ({}, {"title": "t"}, {"title": "t"}, {"title": "t"}, {"title": "changed outside"}),
    "the first time": ({"title": "x"}, None, {"title": "t"}, {"title": "t"}, {"title": "not applied yet"}),
    "no longer said": ({"title": "t"}, {"title": "t"}, {}, {}, {"title": "spec changed"}),
    "a list that is empty now": (
        {"devices": {"disks": [FILE], "emulator": "/e"}},
        {"devices": {"disks": [FILE]}},
        {"devices": {"disks": []}},
        {"devices": {"emulator": "/e"}},
        {"devices.disks[vda]": "spec changed"},
    ),
    "gone by itself": ({}, {"title": "t"}, {}, {}, {}),
    "a presence no longer said": (
        {"features": {"acpi": {}, "apic": {}}},
        {"features": {"acpi": {}, "apic": {}}},
        {"features": {"acpi": {}}},
        {"features": {"acpi": {}}},
        {"features.apic": "spec changed"},
    ),
    "a whole map no longer said": (
        {"cputune": {"shares": 5, "quota": 9}},
        {"cputune": {"shares": 5}},
        {},
        {},
        {"cputune.shares": "spec changed"},
    ),
    "what every guest has stays": (
        {"memory": "1Gi", "name": "n"},
        {"memory": "1Gi"},
        {},
        {"memory": "1Gi", "name": "n"},
        {},
    ),
    "all devices no longer said": (
        devices(disks=[FILE], hubs=[{"type": "usb"}]),
        devices(disks=[FILE]),
        {},
        devices(hubs=[{"type": "usb"}]),
        {"devices.disks[vda]": "spec changed"},
    ),
    "a disk of somebody else's stays": (
        devices(disks=[FILE, {**FILE, "target": {"dev": "vdb"}}]),
        devices(disks=[FILE]),
        devices(disks=[FILE]),
        devices(disks=[FILE, {**FILE, "target": {"dev": "vdb"}}]),
        {},
    ),
    "an address that is no longer said stays": (
        devices(disks=[{**FILE, "address": {"slot": "0x04"}}]),
        devices(disks=[{**FILE, "address": {"slot": "0x04"}}]),
        devices(disks=[FILE]),
        devices(disks=[{**FILE, "address": {"slot": "0x04"}}]),
        {},
    ),
    "another type takes its source along": (
        devices(disks=[{**FILE, "backingStore": {"type": "file"}}]),
        None,
        devices(disks=[{"type": "block", "source": {"dev": "/dev/x"}, "target": {"dev": "vda"}}]),
        devices(disks=[{"type": "block", "source": {"dev": "/dev/x"}, "target": {"dev": "vda", "bus": "virtio"}}]),
        {"devices.disks[vda].type": "not applied yet", "devices.disks[vda].source.dev": "not applied yet"},
    ),
    "an interface without an address is the one that is like it": (
        devices(interfaces=[{**NETWORK, **MAC}, {**BLUE, **OTHER_MAC}]),
        devices(interfaces=[NETWORK, BLUE]),
        devices(interfaces=[BLUE]),
        devices(interfaces=[{**BLUE, **OTHER_MAC}]),
        {"devices.interfaces[52:54:00:00:00:01]": "spec changed"},
    ),
    "an interface without an address that changes is the next one": (
        devices(interfaces=[{**NETWORK, **MAC}, {**BLUE, **OTHER_MAC}]),
        devices(interfaces=[NETWORK, BLUE]),
        devices(interfaces=[{"type": "network", "source": {"network": "red"}}, BLUE]),
        devices(interfaces=[{**NETWORK, **MAC, "source": {"network": "red"}}, {**BLUE, **OTHER_MAC}]),
        {"devices.interfaces[52:54:00:00:00:01].source.network": "spec changed"},
    ),
    "a new interface is not somebody else's": (
        devices(interfaces=[{**BLUE, **MAC}]),
        devices(interfaces=[]),
        devices(interfaces=[NETWORK]),
        devices(interfaces=[{**BLUE, **MAC}, NETWORK]),
        {"devices.interfaces[#1]": "spec changed"},
    ),
    "metadata of other owners stays": (
        {"metadata": '<a xmlns="http://a"/>\n<b xmlns="http://b"/>'},
        {"metadata": '<a xmlns="http://a"/>'},
        {"metadata": '<a xmlns="http://a">1</a>'},
        {"metadata": '<a xmlns="http://a">1</a>\n<b xmlns="http://b"/>'},
        {"metadata[http://a]": "spec changed"},
    ),
    "memory that only libvirt counted follows": (
        {"memory": "1Gi", "currentMemory": "1Gi"},
        {"memory": "1Gi"},
        {"memory": "2Gi"},
        {"memory": "2Gi"},
        {"memory": "spec changed"},
    ),
    "memory that the spec counts does not": (
        {"memory": "1Gi", "currentMemory": "1Gi"},
        {"memory": "1Gi", "currentMemory": "1Gi"},
        {"memory": "2Gi", "currentMemory": "1Gi"},
        {"memory": "2Gi", "currentMemory": "1Gi"},
        {"memory": "spec changed"},
    ),
    "where it listens is said twice by libvirt and once by people": (
        devices(graphics=[{"type": "vnc", "listen": "::1", "listens": [{"type": "address", "address": "::1"}]}]),
        devices(graphics=[{"type": "vnc", "listen": "::1", "listens": [{"type": "address", "address": "::1"}]}]),
        devices(graphics=[{"type": "vnc", "listen": "::", "listens": [{"type": "address", "address": "::1"}]}]),
        devices(graphics=[{"type": "vnc", "listen": "::"}]),
        {"devices.graphics[vnc].listen": "spec changed"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_merge(case: str) -> None:
    there, last, wanted, expected, changes = CASES[case]
    given = copy.deepcopy((there, last, wanted))
    merged = merge(there, wanted, last, DOMAIN)
    assert merged.node == expected
    assert {path_text(change.path): change.cause.value for change in merged.changes} == changes
    assert (there, last, wanted) == given


def test_drift_stays_where_it_is_only_reported() -> None:
    there = {"title": "x", "description": "old"}
    last = {"title": "t", "description": "old"}
    merged = merge(there, {"title": "t", "description": "new"}, last, DOMAIN, repair=False)
    assert merged.node == {"title": "x", "description": "new"}
