"""What a node has, read from its VirtualMachineNode once; nodes that are alike share what is alike about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Offer:
    """One kind of guest that a node can run."""

    arch: str
    types: frozenset[str]
    machines: frozenset[str]
    firmware: frozenset[str]
    secure_boot: bool
    tpm: bool


@dataclass(frozen=True)
class Supply:
    """What a node has; sizes are bytes. ``ready`` is empty, or why no guest can come."""

    name: str
    ready: str = ""
    offers: tuple[Offer, ...] = ()
    cpu_model: str = ""
    cpu_models: frozenset[str] = frozenset()
    cpu_features: frozenset[str] = frozenset()
    huge_pages: Mapping[int, int] = field(default_factory=dict)
    numa_nodes: frozenset[int] = frozenset()
    pools: Mapping[str, int] = field(default_factory=dict)
    """Pools that are up, by libvirt's name, with the bytes that are left."""
    pool_refs: frozenset[tuple[str, str]] = frozenset()
    networks: frozenset[str] = frozenset()
    network_refs: frozenset[tuple[str, str]] = frozenset()
    bridges: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    running: int = 0
    max_guests: int | None = None
    memory: int = 0
    allocated: int = 0


def supply(node: Mapping[str, Any]) -> Supply:
    """Return what the VirtualMachineNode *node* has."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    cpu, allocatable = status.get("cpu") or {}, status.get("allocatable") or {}
    pools, networks = status.get("pools") or [], status.get("networks") or []
    up = [each for each in networks if each.get("active")]
    return Supply(
        name=str(node["metadata"]["name"]),
        ready=_ready(spec, status),
        offers=tuple(_offer(each) for each in status.get("guests") or ()),
        cpu_model=str(cpu.get("model") or ""),
        cpu_models=frozenset(cpu.get("usableModels") or ()),
        cpu_features=frozenset(cpu.get("features") or ()),
        huge_pages={
            in_bytes(key.removeprefix("hugepages-")): in_bytes(value)
            for key, value in allocatable.items()
            if key.startswith("hugepages-")
        },
        numa_nodes=frozenset(int(each["id"]) for each in status.get("numa") or ()),
        pools={str(each["name"]): in_bytes(each.get("available", 0)) for each in pools if each.get("active")},
        pool_refs=frozenset(_ref(each) for each in pools if each.get("active") and each.get("objectName")),
        networks=frozenset(str(each["name"]) for each in up),
        network_refs=frozenset(_ref(each) for each in up if each.get("objectName")),
        bridges=frozenset(status.get("bridges") or ()) | {str(each["bridge"]) for each in up if each.get("bridge")},
        devices=frozenset(
            str(each["address"])
            for each in status.get("devices") or ()
            if each.get("address") and not each.get("usedBy")
        ),
        running=int((status.get("domains") or {}).get("running", 0)),
        max_guests=spec.get("maxGuests"),
        memory=in_bytes(allocatable.get("memory", 0)),
        allocated=in_bytes((status.get("allocated") or {}).get("memory", 0)),
    )


def _ready(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if spec.get("unschedulable"):
        return "takes no further guests (unschedulable)"
    ready = next((each for each in status.get("conditions") or () if each.get("type") == "Ready"), None)
    if ready is None or ready.get("status") != "True":
        return "its executor or libvirt does not answer"
    return ""


def _offer(guest: Mapping[str, Any]) -> Offer:
    return Offer(
        str(guest.get("arch") or ""),
        frozenset(guest.get("domainTypes") or ()),
        frozenset(guest.get("machines") or ()),
        frozenset(guest.get("firmware") or ()),
        bool(guest.get("secureBoot")),
        bool(guest.get("tpm")),
    )


def _ref(each: Mapping[str, Any]) -> tuple[str, str]:
    return str(each.get("namespace")), str(each["objectName"])
