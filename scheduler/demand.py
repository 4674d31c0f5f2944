"""What a guest asks of a node, read from its object once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from schemas.requests import huge_pages, memory_of, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_TYPE: Final = "kvm"
_HEX: Final = 16


@dataclass(frozen=True)
class Demand:
    """What a guest needs; sizes are bytes, empty is anything.

    ``huge_pages`` are sizes of page, 0 for any, and bytes of them. ``pools`` and ``networks`` are libvirt's names;
    ``pool_refs``, ``network_refs`` and ``disks`` are objects, as (namespace, name). ``devices`` are PCI addresses as
    VirtualMachineNodes have them.
    """

    type: str = ""
    arch: str = ""
    machine: str = ""
    firmware: str = ""
    secure_boot: bool = False
    tpm: bool = False
    cpu_model: str = ""
    cpu_features: frozenset[str] = frozenset()
    vcpus: int = 1
    memory: int = 0
    huge_pages: tuple[tuple[int, int], ...] = ()
    numa_nodes: frozenset[int] = frozenset()
    pools: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    network_refs: frozenset[tuple[str, str]] = frozenset()
    bridges: frozenset[str] = frozenset()
    disks: frozenset[tuple[str, str]] = frozenset()
    devices: frozenset[str] = frozenset()


def demand(guest: Mapping[str, Any]) -> Demand:
    """Return what the VirtualMachine *guest* needs."""
    namespace = str((guest.get("metadata") or {}).get("namespace") or "default")
    domain = (guest.get("spec") or {}).get("domain") or {}
    system, cpu = _map(domain.get("os")), _map(domain.get("cpu"))
    kind = _map(system.get("type"))
    devices = _map(domain.get("devices"))
    return Demand(
        type=str(domain.get("type") or ""),
        arch=str(kind.get("arch") or ""),
        machine=str(kind.get("machine") or ""),
        firmware="efi" if _is_efi(system) else "",
        secure_boot=_map(system.get("loader")).get("secure") is True,
        tpm=any(_map(each.get("backend")).get("type") == "emulator" for each in _list(devices.get("tpms"))),
        cpu_model=str(_map(cpu.get("model")).get("value") or "") if cpu.get("mode", "custom") == "custom" else "",
        cpu_features=frozenset(
            str(each.get("name")) for each in _list(cpu.get("features")) if each.get("policy", "require") == "require"
        ),
        vcpus=_vcpus(domain.get("vcpu")),
        memory=memory_of(domain),
        huge_pages=tuple(sorted(huge_pages(domain).items())),
        numa_nodes=_numa_nodes(_map(domain.get("numatune"))),
        **_reach(devices, namespace),
    )


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _is_efi(system: Mapping[str, Any]) -> bool:
    return system.get("firmware") == "efi" or _map(system.get("loader")).get("type") == "pflash"


def _vcpus(value: Any) -> int:
    most = value.get("value", 1) if isinstance(value, dict) else value
    return int(most) if isinstance(most, int) else 1


def _numa_nodes(tune: Mapping[str, Any]) -> frozenset[int]:
    memory = _map(tune.get("memory"))
    if memory.get("mode", "strict") != "strict":
        return frozenset()
    return frozenset(numbers(str(memory.get("nodeset") or "")))


def _reach(devices: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    pools, disks, networks, refs, bridges, hosts = (set[Any]() for _ in range(6))
    for disk in _list(devices.get("disks")):
        source = _map(disk.get("source"))
        if "diskRef" in source:
            disks.add((namespace, str(_map(source["diskRef"]).get("name"))))
        elif disk.get("type") == "volume" and source.get("pool"):
            pools.add(str(source["pool"]))
    for interface in _list(devices.get("interfaces")):
        source = _map(interface.get("source"))
        if "networkRef" in source:
            ref = _map(source["networkRef"])
            refs.add((str(ref.get("namespace") or namespace), str(ref.get("name"))))
        elif interface.get("type") == "network" and source.get("network"):
            networks.add(str(source["network"]))
        elif interface.get("type") == "bridge" and source.get("bridge"):
            bridges.add(str(source["bridge"]))
    for device in _list(devices.get("hostdevs")):
        address = _map(_map(device.get("source")).get("address"))
        if device.get("type") == "pci" and address:
            hosts.add(_pci(address))
    return {
        "pools": frozenset(pools), "disks": frozenset(disks), "networks": frozenset(networks),
        "network_refs": frozenset(refs), "bridges": frozenset(bridges), "devices": frozenset(hosts),
    }  # fmt: skip


def _pci(address: Mapping[str, Any]) -> str:
    def number(key: str) -> int:
        try:
            return int(str(address.get(key, "0")), _HEX)
        except ValueError:
            return 0

    return f"{number('domain'):04x}:{number('bus'):02x}:{number('slot'):02x}.{number('function'):x}"
