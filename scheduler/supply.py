"""What a node has, read from its VirtualMachineNode once; nodes that are alike share what is alike about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind of guest that a node can run."""

    arch: str
    types: frozenset[str]
    machines: frozenset[str]
    firmware: frozenset[str]
    secure_boot: bool
    tpm: bool


@dataclass(frozen=True, slots=True)
class Supply:
    """What a node has; sizes are bytes. ``ready`` is empty, or why no guest can come.

    Nodes whose ``alike`` is the same object have the same of all but what stands below it.
    """

    name: str
    ready: str = ""
    offers: tuple[Offer, ...] = ()
    cpu_model: str = ""
    cpu_models: frozenset[str] = frozenset()
    cpu_features: frozenset[str] = frozenset()
    huge_pages: Mapping[int, int] = field(default_factory=dict)
    numa_nodes: frozenset[int] = frozenset()
    pools: frozenset[str] = frozenset()
    """Pools that are up, by libvirt's name."""
    pool_refs: frozenset[tuple[str, str]] = frozenset()
    networks: frozenset[str] = frozenset()
    network_refs: frozenset[tuple[str, str]] = frozenset()
    bridges: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    alike: object = field(default_factory=object, compare=False)
    running: int = 0
    memory: int = 0
    allocated: int = 0


def supply(node: Mapping[str, Any]) -> Supply:
    """Return what the VirtualMachineNode *node* has."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    cpu, allocatable = status.get("cpu") or {}, status.get("allocatable") or {}
    pools, networks = status.get("pools") or [], status.get("networks") or []
    up = [each for each in networks if each.get("active")]
    running = int((status.get("domains") or {}).get("running", 0))
    huge_pages = {
        in_bytes(key.removeprefix("hugepages-")): in_bytes(value)
        for key, value in allocatable.items()
        if key.startswith("hugepages-")
    }
    common: dict[str, Any] = {
        "offers": _one(tuple(_offer(each) for each in status.get("guests") or ())),
        "cpu_model": str(cpu.get("model") or ""),
        "cpu_models": _set(cpu.get("usableModels") or ()),
        "cpu_features": _set(cpu.get("features") or ()),
        "numa_nodes": _one(frozenset(int(each["id"]) for each in status.get("numa") or ())),
        "pools": _set(str(each["name"]) for each in pools if each.get("active")),
        "pool_refs": _one(frozenset(_ref(each) for each in pools if each.get("active") and each.get("objectName"))),
        "networks": _set(str(each["name"]) for each in up),
        "network_refs": _one(frozenset(_ref(each) for each in up if each.get("objectName"))),
        "bridges": _set([*(status.get("bridges") or ()), *(str(each["bridge"]) for each in up if each.get("bridge"))]),
        "devices": _set(
            str(each["address"])
            for each in status.get("devices") or ()
            if each.get("address") and not each.get("usedBy")
        ),
    }
    return Supply(
        name=str(node["metadata"]["name"]),
        ready=_ready(spec, status) or _full(running, spec.get("maxGuests")),
        huge_pages=huge_pages,
        alike=_alike(tuple(huge_pages.items()), *common.values()),
        running=running,
        memory=in_bytes(allocatable.get("memory", 0)),
        allocated=in_bytes((status.get("allocated") or {}).get("memory", 0)),
        **common,
    )


@lru_cache(4096)
def _alike(*_common: object) -> object:
    """Return the same object for the same arguments, as long as it is remembered: forgetting costs time alone."""
    return object()


@lru_cache(4096)
def _one(value: T) -> T:
    """Return one object for all that are equal: of thousands of nodes, each has hundreds of words that all have."""
    return value


def _set(words: Iterable[str]) -> frozenset[str]:
    found: frozenset[str] = _one(frozenset(words))
    return found


def _full(running: int, most: int | None) -> str:
    return f"runs the most guests that it may ({most})" if most is not None and running >= most else ""


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
        _set(guest.get("domainTypes") or ()),
        _set(guest.get("machines") or ()),
        _set(guest.get("firmware") or ()),
        bool(guest.get("secureBoot")),
        bool(guest.get("tpm")),
    )


def _ref(each: Mapping[str, Any]) -> tuple[str, str]:
    return str(each.get("namespace")), str(each["objectName"])
