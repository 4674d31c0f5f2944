"""Which nodes can run a guest, and why the others cannot: a row for each reason."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from scheduler.demand import demand
from scheduler.filters import refusal
from scheduler.places import Place, Places
from scheduler.scorers import BEST, score
from scheduler.supply import supply
from schemas.quantities import in_bytes
from schemas.requests import numbers

GUEST: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "domain": {
            "type": "kvm",
            "memory": "4Gi",
            "vcpu": {"value": 2},
            "os": {"type": {"arch": "x86_64", "machine": "pc-q35-7.2", "value": "hvm"}},
            "cpu": {"mode": "custom", "model": {"value": "Skylake-Server-IBRS"}},
            "devices": {},
        }
    },
}

NODE: dict[str, Any] = {
    "metadata": {"name": "n1"},
    "spec": {},
    "status": {
        "guests": [
            {
                "arch": "x86_64",
                "domainTypes": ["kvm", "qemu"],
                "machines": ["pc-q35-7.2", "q35"],
                "firmware": ["bios", "efi"],
                "secureBoot": False,
                "tpm": True,
            }
        ],
        "cpu": {
            "model": "Cascadelake-Server",
            "features": ["vmx", "avx512f"],
            "usableModels": ["Skylake-Server-IBRS", "qemu64"],
        },
        "numa": [{"id": 0}, {"id": 1}],
        "allocatable": {"cpu": "16", "memory": "64Gi", "hugepages-2Mi": "8Gi"},
        "allocated": {"memory": "16Gi"},
        "pools": [
            {"name": "images", "active": True, "available": "100Gi", "namespace": "infra", "objectName": "images"},
            {"name": "down", "active": False},
        ],
        "networks": [
            {"name": "default", "active": True, "bridge": "virbr0", "namespace": "infra", "objectName": "lan"}
        ],
        "bridges": ["br-ex"],
        "devices": [
            {"name": "pci_0000_3b_00_0", "address": "0000:3b:00.0"},
            {"name": "pci_0000_3b_00_1", "address": "0000:3b:00.1", "usedBy": "shop/other"},
        ],
        "domains": {"running": 3},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}

PLACES = Places(
    {
        ("shop", "here"): Place("n1", ("infra", "images")),
        ("shop", "there"): Place("n2", ("infra", "images")),
        ("shop", "shared"): Place("", ("infra", "images")),
        ("shop", "elsewhere"): Place("", ("infra", "ceph")),
    }
)


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return *document* with *value* at the dotted *path*."""
    out = copy.deepcopy(document)
    node = out
    *steps, last = path.split(".")
    for step in steps:
        node = node.setdefault(step, {})
    node[last] = value
    return out


def hostdev(function: str) -> list[dict[str, Any]]:
    address = {"domain": "0x0000", "bus": "0x3b", "slot": "0x00", "function": function}
    return [{"mode": "subsystem", "type": "pci", "source": {"address": address}}]


def disk(name: str) -> list[dict[str, Any]]:
    return [{"type": "volume", "source": {"diskRef": {"name": name}}}]


DOMAIN = "spec.domain."
FITS: dict[str, tuple[str, Any]] = {
    "as it is": (DOMAIN + "title", "x"),
    "a machine type by its alias": (DOMAIN + "os.type.machine", "q35"),
    "no machine type": (DOMAIN + "os.type", {"arch": "x86_64"}),
    "UEFI": (DOMAIN + "os.firmware", "efi"),
    "UEFI by its loader": (DOMAIN + "os.loader", {"type": "pflash", "value": "/usr/share/OVMF/OVMF_CODE.fd"}),
    "a TPM": (DOMAIN + "devices.tpms", [{"backend": {"type": "emulator"}}]),
    "the host's own model": (DOMAIN + "cpu.model.value", "Cascadelake-Server"),
    "a feature of the host": (DOMAIN + "cpu", {"mode": "host-model", "features": [{"name": "vmx"}]}),
    "a feature that it must not have": (DOMAIN + "cpu", {"features": [{"name": "sgx", "policy": "disable"}]}),
    "an emulated processor": (DOMAIN + "type", "qemu"),
    "its network": (DOMAIN + "devices.interfaces", [{"type": "network", "source": {"network": "default"}}]),
    "an object's network": (
        DOMAIN + "devices.interfaces",
        [{"type": "network", "source": {"networkRef": {"name": "lan", "namespace": "infra"}}}],
    ),
    "a bridge": (DOMAIN + "devices.interfaces", [{"type": "bridge", "source": {"bridge": "br-ex"}}]),
    "a network's bridge": (DOMAIN + "devices.interfaces", [{"type": "bridge", "source": {"bridge": "virbr0"}}]),
    "its pool": (DOMAIN + "devices.disks", [{"type": "volume", "source": {"pool": "images", "volume": "a"}}]),
    "a disk of this node": (DOMAIN + "devices.disks", disk("here")),
    "a disk that all nodes reach": (DOMAIN + "devices.disks", disk("shared")),
    "a free device": (DOMAIN + "devices.hostdevs", hostdev("0x0")),
    "huge pages": (DOMAIN + "memoryBacking", {"hugepages": {"pages": [{"size": "2Mi"}]}}),
    "huge pages of any size": (DOMAIN + "memoryBacking", {"hugepages": {}}),
    "a NUMA node": (DOMAIN + "numatune", {"memory": {"mode": "strict", "nodeset": "0-1"}}),
    "a preferred NUMA node that is not there": (DOMAIN + "numatune", {"memory": {"mode": "preferred", "nodeset": "7"}}),
}

REFUSED: dict[str, tuple[str, Any, str]] = {
    "another processor": (DOMAIN + "os.type.arch", "aarch64", "cannot run guests for aarch64"),
    "another type": (DOMAIN + "type", "xen", "cannot run guests of the type xen"),
    "an unknown machine": (DOMAIN + "os.type.machine", "pc-q35-9.9", "does not know the machine type pc-q35-9.9"),
    "a newer model": (DOMAIN + "cpu.model.value", "SapphireRapids", "its processor cannot be a SapphireRapids"),
    "a missing feature": (
        DOMAIN + "cpu", {"mode": "host-model", "features": [{"name": "sgx"}]}, "its processor lacks sgx",
    ),
    "secure boot": (DOMAIN + "os.loader", {"secure": True}, "has no firmware with secure boot"),
    "a missing network": (
        DOMAIN + "devices.interfaces", [{"type": "network", "source": {"network": "dmz"}}], "has no network dmz",
    ),
    "a missing object's network": (
        DOMAIN + "devices.interfaces", [{"type": "network", "source": {"networkRef": {"name": "lan"}}}],
        "has no network lan",
    ),
    "a missing bridge": (
        DOMAIN + "devices.interfaces", [{"type": "bridge", "source": {"bridge": "br9"}}], "has no bridge br9",
    ),
    "a pool that is down": (
        DOMAIN + "devices.disks", [{"type": "volume", "source": {"pool": "down", "volume": "a"}}],
        "no storage pool down",
    ),
    "another node's disk": (DOMAIN + "devices.disks", disk("there"), "the disk there is on another node"),
    "a disk in a pool that it lacks": (DOMAIN + "devices.disks", disk("elsewhere"), "not have the storage pool ceph"),
    "a disk that is not made": (DOMAIN + "devices.disks", disk("missing"), "the disk missing is not there yet"),
    "a taken device": (DOMAIN + "devices.hostdevs", hostdev("0x1"), "has no free device at 0000:3b:00.1"),
    "pages of another size": (
        DOMAIN + "memoryBacking", {"hugepages": {"pages": [{"size": "1Gi"}]}},
        "has not enough huge pages of 1048576 KiB",
    ),
    "a missing NUMA node": (
        DOMAIN + "numatune", {"memory": {"mode": "strict", "nodeset": "2"}}, "has no NUMA node 2",
    ),
}  # fmt: skip

NODES_THAT_REFUSE: dict[str, tuple[str, Any, str]] = {
    "cordoned": ("spec.unschedulable", True, "takes no further guests"),
    "full": ("spec.maxGuests", 3, "runs the most guests that it may (3)"),
    "not ready": ("status.conditions", [{"type": "Ready", "status": "Unknown"}], "does not answer"),
    "silent": ("status", {}, "does not answer"),
}


@pytest.mark.parametrize(("path", "value"), FITS.values(), ids=list(FITS))
def test_a_node_takes_what_it_can_run(path: str, value: Any) -> None:
    assert refusal(demand(changed(GUEST, path, value)), supply(NODE), PLACES) == ""


@pytest.mark.parametrize(("path", "value", "why"), REFUSED.values(), ids=list(REFUSED))
def test_a_node_refuses_what_it_cannot_run_and_says_why(path: str, value: Any, why: str) -> None:
    assert why in refusal(demand(changed(GUEST, path, value)), supply(NODE), PLACES)


@pytest.mark.parametrize(("path", "value", "why"), NODES_THAT_REFUSE.values(), ids=list(NODES_THAT_REFUSE))
def test_a_node_that_takes_nobody_says_why(path: str, value: Any, why: str) -> None:
    assert why in refusal(demand(GUEST), supply(changed(NODE, path, value)), PLACES)


def test_a_guest_is_better_off_where_its_disks_are_and_where_there_is_room() -> None:
    here, there = supply(NODE), supply(changed(NODE, "metadata.name", "n3"))
    wanted = demand(changed(GUEST, DOMAIN + "devices.disks", disk("here")))
    assert score(wanted, here, PLACES) > score(wanted, there, PLACES)
    full = supply(changed(NODE, "status.allocated.memory", "60Gi"))
    assert score(demand(GUEST), here, PLACES) > score(demand(GUEST), full, PLACES)
    crowded = supply(changed(NODE, "status.domains.running", 100))
    assert score(demand(GUEST), here, PLACES) > score(demand(GUEST), crowded, PLACES)
    assert 0 <= score(wanted, full, PLACES) <= BEST


@pytest.mark.parametrize(
    ("text", "found"), [("0-3", [0, 1, 2, 3]), ("0-3,^2", [0, 1, 3]), ("5", [5]), ("", []), ("x", []), ("3-1", [])]
)
def test_sets_of_numbers_are_libvirts(text: str, found: list[int]) -> None:
    assert list(numbers(text)) == found


def test_a_set_of_numbers_without_end_takes_no_time() -> None:
    assert len(list(numbers("0-99999999999"))) < 10_000


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("4Gi", 4 << 30), ("512 MiB", 512 << 20), ("4194304 (KiB)", 4 << 30), (1024, 1024), ("1M", 10**6),
        ("1 M", 1 << 20), ("1 MB", 10**6), ("7", 7), ("much", 0), ("3 ells", 0), ("", 0),
    ],
)  # fmt: skip
def test_sizes_are_read_as_objects_have_them(value: object, found: int) -> None:
    assert in_bytes(value) == found
