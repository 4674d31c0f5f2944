"""Two spellings of one value are one value; two values are two, however alike they look."""

from __future__ import annotations

from typing import Any

import pytest

from executor.plan.merge import covers_map
from schemas.table import table

DOMAIN = table().roots["domain"].type

SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"memory": "4Gi"}, {"memory": "4194304 KiB"}),
    ({"memory": "4096Mi"}, {"memory": "4Gi"}),
    ({"memory": "1000 MB"}, {"memory": "976563Ki"}),
    ({"memory": "1 (KiB)"}, {"memory": "1Ki"}),
    ({"uuid": "C7A5FDBDEDAF9455926AD65C16DB1809"}, {"uuid": "c7a5fdbd-edaf-9455-926a-d65c16db1809"}),
    ({"vcpu": {"cpuset": "0,1,2,3"}}, {"vcpu": {"cpuset": "0-3"}}),
    ({"vcpu": {"cpuset": "0-4,^4"}}, {"vcpu": {"cpuset": "0-3"}}),
    ({"vcpu": {"value": 4, "current": 4}}, {"vcpu": {"value": 4}}),
    ({"os": {"type": {"machine": "q35"}}}, {"os": {"type": {"machine": "pc-q35-9.2"}}}),
    ({"os": {"type": {"machine": "pc"}}}, {"os": {"type": {"machine": "pc-i440fx-jammy"}}}),
    ({"os": {"type": {"machine": "virt"}}}, {"os": {"type": {"machine": "virt-8.0"}}}),
    ({"title": ""}, {}),
    ({"cputune": {}}, {}),
    ({"devices": {"disks": []}}, {}),
    ({"metadata": ""}, {}),
    (
        {"metadata": '<a:x xmlns:a="http://a/1"><a:y/></a:x>'},
        {"metadata": '<b:x xmlns:b="http://a/1">\n  <b:y/>\n</b:x>'},
    ),
    (
        {"devices": {"interfaces": [{"mac": {"address": "52-54-00-AA-BB-CC"}}]}},
        {"devices": {"interfaces": [{"type": "user", "mac": {"address": "52:54:00:aa:bb:cc"}}]}},
    ),
    (
        {"devices": {"memballoon": {"address": {"type": "pci", "slot": "0x4", "function": 0}}}},
        {"devices": {"memballoon": {"address": {"type": "pci", "slot": "0x04", "function": "0x0"}}}},
    ),
    (
        {"devices": {"memballoon": {"address": {"slot": 16}}}},
        {"devices": {"memballoon": {"address": {"slot": "0x10"}}}},
    ),
    ({"devices": {"graphics": [{"type": "vnc", "port": -1}]}}, {"devices": {"graphics": [{"type": "vnc"}]}}),
    (
        {"devices": {"disks": [{"target": {"dev": "vda"}, "source": {"diskRef": {"name": "root"}}}]}},
        {"devices": {"disks": [{"target": {"dev": "vda"}, "source": {"file": "/images/root"}}]}},
    ),
]  # fmt: skip

OTHER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"memory": "4Gi"}, {"memory": "4G"}),
    ({"name": "010"}, {"name": "10"}),
    ({"name": "0x10"}, {"name": "16"}),
    ({"title": "Web"}, {"title": "web"}),
    ({"vcpu": {"cpuset": "0-3"}}, {"vcpu": {"cpuset": "0-2"}}),
    ({"vcpu": {"value": 4, "current": 2}}, {"vcpu": {"value": 4}}),
    ({"os": {"type": {"machine": "pc"}}}, {"os": {"type": {"machine": "pc-q35-9.2"}}}),
    ({"os": {"type": {"machine": "pc-q35-9.1"}}}, {"os": {"type": {"machine": "pc-q35-9.2"}}}),
    ({"features": {"acpi": {}}}, {"features": {}}),
    ({"features": {"acpi": {}}}, {}),
    ({"memory": "1Gi"}, {}),
    ({"metadata": '<a:x xmlns:a="http://a/1"/>'}, {"metadata": '<a:x xmlns:a="http://a/2"/>'}),
    (
        {"devices": {"disks": [{"target": {"dev": "vda"}, "serial": "0x10"}]}},
        {"devices": {"disks": [{"target": {"dev": "vda"}, "serial": "16"}]}},
    ),
    (
        {"os": {"bootDevices": [{"dev": "hd"}, {"dev": "network"}]}},
        {"os": {"bootDevices": [{"dev": "network"}, {"dev": "hd"}]}},
    ),
]


@pytest.mark.parametrize(("wanted", "found"), SAME)
def test_these_mean_the_same(wanted: dict[str, Any], found: dict[str, Any]) -> None:
    assert covers_map(wanted, found, DOMAIN)


@pytest.mark.parametrize(("wanted", "found"), OTHER)
def test_these_do_not(wanted: dict[str, Any], found: dict[str, Any]) -> None:
    assert not covers_map(wanted, found, DOMAIN)
