"""VirtualMachineNode: what the node is, what guests can have of it, its pools, networks and devices, by libvirt."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from analyser import xmlreader
from analyser.names import GROUP
from executor.engine import definitions, state, store
from executor.engine.guests import now
from executor.engine.nodename import node_name
from executor.hypervisor.errors import LibvirtError
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lxml import etree

    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.networks import Network
    from executor.hypervisor.pools import Pool

_BRIDGE: Final = "0x06"
"""What the class of a PCI device that is a bridge starts with: no guest gets one."""


def node(hypervisor: Hypervisor, *, detail: bool = True) -> dict[str, Any]:
    """Return the node as an object; without *detail* less, by few calls."""
    machine = hypervisor.host.machine()
    capacity = {"cpu": str(machine.cpus), "memory": _size(machine.memory)}
    hypervisor_status: dict[str, Any] = {
        "type": hypervisor.connection.driver.connection_type,
        "libvirtVersion": hypervisor.host.libvirt_version(),
    }
    with contextlib.suppress(LibvirtError):
        hypervisor_status["version"] = hypervisor.host.hypervisor_version()
    status: dict[str, Any] = {
        "hostname": hypervisor.host.hostname(),
        "agent": {"libvirtUri": hypervisor.connection.uri},
        "hypervisor": hypervisor_status,
        "arch": machine.architecture,
        "cpu": {"sockets": machine.sockets, "cores": machine.cores, "threads": machine.threads},
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [
            # libvirt answers, as of now.
            {"type": "Ready", "status": "True", "reason": "Connected", "message": "", "lastTransitionTime": now()}
        ],
    }
    host = _document(hypervisor.host.capabilities)
    if host is not None:
        _of_capabilities(status, host)
    status["domains"], status["allocated"] = _domains(hypervisor)
    if detail:
        offered = _document(hypervisor.host.domain_capabilities)
        if offered is not None:
            _of_offered(status, offered)
        status["pools"] = [_pool(hypervisor, each) for each in _all(hypervisor.pools.all)]
        status["networks"] = [_network(hypervisor, each) for each in _all(hypervisor.networks.all)]
        status["bridges"] = sorted(_bridges(hypervisor))
        status["devices"] = list(_devices(hypervisor))
    status = {key: value for key, value in status.items() if value not in ([], {}, None)}
    name = node_name(hypervisor)
    return {
        "apiVersion": GROUP,
        "kind": "VirtualMachineNode",
        "metadata": {"name": name},
        "spec": {},
        "status": status,
    }


def _document(ask: Callable[[], str]) -> Any:
    """Return the root of the document that *ask* asks libvirt for, None where it has none."""
    try:
        (root,) = xmlreader.parse(ask().encode())
    except (LibvirtError, InputError):
        return None
    return root


def _all(ask: Callable[[], list[Any]]) -> list[Any]:
    try:
        return sorted(ask(), key=lambda each: str(each.name))
    except LibvirtError:
        return []


def _of_capabilities(status: dict[str, Any], root: etree._Element) -> None:
    cpu = status["cpu"]
    for key in ("model", "vendor"):
        if found := root.findtext(f"host/cpu/{key}"):
            cpu[key] = found
    cpu["features"] = [str(each.get("name")) for each in root.iterfind("host/cpu/feature")]
    status["uuid"] = root.findtext("host/uuid")
    iommu = root.find("host/iommu")
    status["iommu"] = iommu.get("support") == "yes" if iommu is not None else None
    status["migrationTransports"] = [
        str(each.text) for each in root.iterfind("host/migration_features/uri_transports/uri_transport")
    ]
    status["numa"] = [_cell(each) for each in root.iterfind("host/topology/cells/cell")]
    status["guests"] = [_guest(each) for each in root.iterfind("guest")]
    types = {kind for guest in status["guests"] for kind in guest["domainTypes"]}
    status["hypervisor"]["kvm"] = "kvm" in types
    pages = _huge(root.iterfind("host/topology/cells/cell/pages"))
    if pages:
        status["capacity"] = {
            **status["capacity"],
            **{f"hugepages-{size}": _pages(size, n) for size, n in pages.items()},
        }
        taken = sum(_bytes(size) * count for size, count in pages.items())
        memory = max(_bytes(str(status["capacity"]["memory"])) - taken, 0)
        status["allocatable"] = {**status["capacity"], "memory": _size(memory)}


def _cell(cell: etree._Element) -> dict[str, Any]:
    memory = cell.find("memory")
    out: dict[str, Any] = {"id": int(cell.get("id", "0"))}
    numbers = sorted(int(str(cpu.get("id"))) for cpu in cell.iterfind("cpus/cpu"))
    if numbers:
        out["cpus"] = ranges(numbers)
    if memory is not None and memory.text:
        out["memory"] = _size(int(memory.text) << 10)
    if pages := _huge(cell.iterfind("pages")):
        out["hugePages"] = {size: str(count) for size, count in pages.items()}
    return out


def _huge(found: Iterator[etree._Element]) -> dict[str, int]:
    """Return how many huge pages there are by size."""
    out: dict[str, int] = {}
    for pages in found:
        kib, count = int(pages.get("size", "0")), int(pages.text or 0)
        if kib >= 1024 and count:  # noqa: PLR2004  (a mebibyte in KiB: smaller ones are no huge pages)
            out[_size(kib << 10)] = out.get(_size(kib << 10), 0) + count
    return out


def _guest(guest: etree._Element) -> dict[str, Any]:
    arch = guest.find("arch")
    if arch is None:
        return {"domainTypes": []}
    names = {str(each.get("type")) for each in arch.iterfind("domain")}
    machines = {str(each.text) for each in arch.iterfind("machine")}
    return {
        "arch": str(arch.get("name")),
        "domainTypes": sorted(names),
        "emulator": arch.findtext("emulator"),
        "machines": sorted(machines),
    }


def _of_offered(status: dict[str, Any], root: etree._Element) -> None:
    """Add what a guest of the host's own kind may have."""
    models = root.iterfind("cpu/mode[@name='custom']/model")
    status["cpu"]["usableModels"] = sorted(str(each.text) for each in models if each.get("usable") == "yes")
    arch = root.findtext("arch")
    for guest in status.get("guests") or ():
        if guest.get("arch") == arch:
            firmware = [str(each.text) for each in root.iterfind("os/enum[@name='firmware']/value")]
            secure = [each.text for each in root.iterfind("os/loader/enum[@name='secure']/value")]
            guest |= {"firmware": firmware, "secureBoot": "yes" in secure, "tpm": _emulated_tpm(root)}


def _emulated_tpm(root: etree._Element) -> bool:
    return any(each.text == "emulator" for each in root.iterfind("devices/tpm/enum[@name='backendModel']/value"))


def _domains(hypervisor: Hypervisor) -> tuple[dict[str, int], dict[str, str]]:
    counts = {"managed": 0, "unmanaged": 0, "running": 0}
    cpus = memory = 0
    for guest, summary in store.guests(hypervisor):
        counts["managed" if guest.mark is not None else "unmanaged"] += 1
        if summary.state.active:
            counts["running"] += 1
            with contextlib.suppress(LibvirtError):
                _, most, _, number, _ = guest.domain.read("info")
                cpus += int(number)
                memory += int(most) << 10
    return counts, {"cpu": str(cpus), "memory": _size(memory)}


def _owner(hypervisor: Hypervisor, kind: str, uuid: str) -> dict[str, str]:
    kept = state.load(hypervisor, kind, uuid)
    return {"namespace": kept.ref.namespace, "objectName": kept.ref.name} if kept is not None else {}


def _pool(hypervisor: Hypervisor, pool: Pool) -> dict[str, Any]:
    owner = _owner(hypervisor, "VirtualMachineStoragePool", pool.uuid)
    out: dict[str, Any] = {"name": pool.name, **owner, "uuid": pool.uuid, "active": pool.active}
    with contextlib.suppress(LibvirtError, InputError):
        document = definitions.observe(pool).inactive
        out["type"] = document.get("type")
        if path := (document.get("target") or {}).get("path"):
            out["path"] = path
        if out["active"]:
            info = pool.info()
            out |= {"capacity": _size(info.capacity), "available": _size(info.available)}
    return out


def _network(hypervisor: Hypervisor, network: Network) -> dict[str, Any]:
    owner = _owner(hypervisor, "VirtualMachineNetwork", network.uuid)
    out: dict[str, Any] = {"name": network.name, **owner, "uuid": network.uuid, "active": network.active}
    with contextlib.suppress(LibvirtError, InputError):
        document = definitions.observe(network).inactive
        forward = document.get("forward")
        out["mode"] = forward.get("mode", "nat") if isinstance(forward, dict) else "isolated"
        if bridge := (document.get("bridge") or {}).get("name"):
            out["bridge"] = bridge
    return out


def _bridges(hypervisor: Hypervisor) -> Iterator[str]:
    for each in _all(hypervisor.interfaces.all):
        root = _document(each.xml)
        if root is not None and root.get("type") == "bridge":
            yield each.name


def _devices(hypervisor: Hypervisor) -> Iterator[dict[str, Any]]:
    for each in _all(hypervisor.node_devices.all):
        kind = next((kind for kind in ("pci", "usb", "mdev") if each.name.startswith(f"{kind}_")), None)
        root = _document(each.xml) if kind is not None else None
        if root is None:
            continue
        capability = next((c for c in root.iterfind("capability") if str(c.get("type")).startswith(str(kind))), None)
        if capability is not None and not (capability.findtext("class") or "").startswith(_BRIDGE):
            found = _device(root, capability)
            yield {"name": each.name, "type": kind} | {key: value for key, value in found.items() if value is not None}


def _device(root: etree._Element, capability: etree._Element) -> dict[str, Any]:
    out: dict[str, Any] = {"driver": root.findtext("driver/name")}
    for key in ("vendor", "product"):
        found = capability.find(key)
        out[key] = found.get("id") if found is not None else None
    place = [capability.findtext(key) for key in ("domain", "bus", "slot", "function")]
    if all(place):
        domain, bus, slot, function = (int(str(part)) for part in place)
        out["address"] = f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"
    elif capability.get("type") == "usb_device":
        out["address"] = f"{capability.findtext('bus')}:{capability.findtext('device')}"
    group, numa = capability.find("iommuGroup"), capability.find("numa")
    out["iommuGroup"] = int(group.get("number", "0")) if group is not None else None
    out["numaNode"] = int(numa.get("node", "0")) if numa is not None else None
    functions = capability.find("capability[@type='virt_functions']")
    if functions is not None:
        out["virtualFunctions"] = int(functions.get("maxCount") or len(functions.findall("address")))
    return out


def _size(number: int) -> str:
    """Return *number* bytes as a quantity: the largest binary unit that is exact, none below Ki."""
    for shift, unit in ((40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
        if number and number % (1 << shift) == 0:
            return f"{number >> shift}{unit}"
    return str(number)


def _bytes(size: str) -> int:
    shifts = {"Ti": 40, "Gi": 30, "Mi": 20, "Ki": 10}
    return int(size[:-2]) << shifts[size[-2:]] if size[-2:] in shifts else int(size)


def _pages(size: str, count: int) -> str:
    return _size(_bytes(size) * count)


def ranges(numbers: list[int]) -> str:
    """Return *numbers*, which are sorted, as ``0-3,8``."""
    out: list[list[int]] = []
    for number in numbers:
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in out)
