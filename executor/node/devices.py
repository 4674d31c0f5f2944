"""A guest's disks and NICs: listed from its document, found in it, and written for libvirt to attach.

Tables are read from what runs, or from the definition where nothing does.
"""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from analyser.xmlreader import FRAGMENTS
from executor.hypervisor.errors import LibvirtError, NotFound, Unavailable
from executor.hypervisor.handle import Affect
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.domain import Domain

FORMATS: Final = {".qcow2": "qcow2", ".qcow": "qcow", ".vmdk": "vmdk", ".vdi": "vdi", ".vhdx": "vhdx", ".qed": "qed"}
"""What a file's ending says of its format; any other is raw. Its content is not asked: a guest may have written it."""
PREFIXES: Final = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd", "xen": "xvd"}
"""How libvirt calls the disks of a bus."""
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk; sizes in bytes, None where libvirt cannot tell."""

    target: str
    device: str
    bus: str
    type: str
    format: str
    source: str
    readonly: bool
    capacity: int | None = None
    allocation: int | None = None


@dataclass(frozen=True, slots=True)
class Nic:
    """One network interface; ``target`` is the host's end of it, empty when it does not run."""

    mac: str
    type: str
    source: str
    model: str
    target: str
    link: str


def parsed(xml: str) -> Any:
    """Return a document of libvirt's as a tree."""
    return etree.fromstring(xml.encode(), FRAGMENTS)


def disks(domain: Domain, *, sizes: bool = False) -> list[Disk]:
    """Return its disks in their order; *sizes* asks libvirt for each one's."""
    found = []
    for element in parsed(domain.xml()).iterfind("devices/disk"):
        target, driver = element.find("target"), element.find("driver")
        capacity = allocation = None
        name = target.get("dev", "")
        source = source_of(element)
        if sizes and source:
            try:
                capacity, allocation, _ = domain.block_info(name)
            except Unavailable:
                raise
            except LibvirtError:
                pass  # its file is gone, or the driver cannot tell: all else is worth showing
        found.append(
            Disk(
                name,
                element.get("device", "disk"),
                target.get("bus", ""),
                element.get("type", ""),
                driver.get("type", "") if driver is not None else "",
                source,
                element.find("readonly") is not None,
                capacity,
                allocation,
            )
        )
    return found


def nics(domain: Domain) -> list[Nic]:
    """Return its network interfaces in their order."""
    found = []
    for element in parsed(domain.xml()).iterfind("devices/interface"):

        def of(tag: str, key: str, element: Any = element) -> str:
            child = element.find(tag)
            return child.get(key, "") if child is not None else ""

        found.append(
            Nic(
                of("mac", "address").lower(),
                element.get("type", ""),
                of("source", element.get("type", "")) or of("source", "dev"),
                of("model", "type"),
                of("target", "dev"),
                of("link", "state") or "up",
            )
        )
    return found


def source_of(element: Any) -> str:
    """Return where a disk's data is: a path, ``pool/volume``, ``protocol://host/name``; empty for an empty drive."""
    source = element.find("source")
    if source is None:
        return ""
    if source.get("protocol"):
        host = source.find("host")
        where = host.get("name", "") if host is not None else ""
        return f"{source.get('protocol')}://{where}/{source.get('name', '')}"
    if source.get("pool"):
        return f"{source.get('pool')}/{source.get('volume', '')}"
    return str(next((source.get(key) for key in ("file", "dev", "dir") if source.get(key)), ""))


def table(entry: Disk | Nic) -> dict[str, Any]:
    """Return an entry for machines."""
    return asdict(entry)


def affect_of(domain: Domain, *, live: bool = False, config: bool = False) -> Affect:
    """Return what a change is for: what runs, the definition, or as far as they are there, both."""
    if live or config:
        return (Affect.LIVE if live else Affect.CURRENT) | (Affect.CONFIG if config else Affect.CURRENT)
    affect = Affect.LIVE if domain.active else Affect.CURRENT
    return affect | (Affect.CONFIG if domain.persistent else Affect.CURRENT)


def disk_document(
    source: str,
    target: str,
    bus: str,
    *,
    form: str | None = None,
    device: str = "disk",
    readonly: bool = False,
    serial: str | None = None,
    cache: str | None = None,
    block: bool = False,
) -> str:
    """Return the document of a disk: *source* is a path, or ``POOL/VOLUME``; *block* says that it is a block device.

    *form* is its format, else what the ending of its name says, else raw. Raises KubevmmError for any other source.
    """
    pool, slash, volume = source.partition("/")
    kind = "volume" if pool and slash else "block" if block else "file"
    if kind == "volume" and (not volume or "/" in volume or pool in {".", ".."}):
        raise KubevmmError(
            f"{source}: neither an absolute path nor POOL/VOLUME", hint="guests' paths are the node's: begin with /"
        )
    if not slash:
        raise KubevmmError(f"{source}: neither an absolute path nor POOL/VOLUME")
    root = etree.Element("disk", type=kind, device=device)
    driver = {"type": form or format_of(source, block=block)} | ({"cache": cache} if cache else {})
    etree.SubElement(root, "driver", driver)
    keys = {"volume": {"pool": pool, "volume": volume}, "block": {"dev": source}, "file": {"file": source}}
    etree.SubElement(root, "source", keys[kind])
    etree.SubElement(root, "target", dev=target, bus=bus)
    if readonly:
        etree.SubElement(root, "readonly")
    if serial:
        etree.SubElement(root, "serial").text = serial
    return etree.tostring(root, encoding="unicode")


def format_of(source: str, *, block: bool = False) -> str:
    """Return the format that a source's name stands for."""
    name = source.lower()
    return "raw" if block else next((form for end, form in FORMATS.items() if name.endswith(end)), "raw")


def free_target(domain: Domain, bus: str) -> str:
    """Return the first disk name of *bus* that neither what runs nor the definition has."""
    taken = {
        target.get("dev", "") for tree in documents(domain).values() for target in tree.iterfind("devices/disk/target")
    }
    if bus not in PREFIXES:
        raise KubevmmError(f"{bus}: no bus for disks", hint=f"it is one of {', '.join(PREFIXES)}")
    return next(name for name in _names(PREFIXES[bus]) if name not in taken)


def documents(domain: Domain) -> dict[Affect, Any]:
    """Return its documents as trees: what runs (LIVE), and the definition (CONFIG), where it has them."""
    found = {Affect.LIVE: parsed(domain.xml())} if domain.active else {}
    if domain.persistent:
        found[Affect.CONFIG] = parsed(domain.xml(inactive=True))
    return found


def disk_elements(domain: Domain, target: str) -> dict[Affect, Any]:
    """Return the disk called *target* in each document that has it. Raises NotFound."""
    found = {
        affect: element
        for affect, tree in documents(domain).items()
        for element in tree.iterfind("devices/disk")
        if element.find("target").get("dev") == target
    }
    if not found:
        have = ", ".join(disk.target for disk in disks(domain)) or "none"
        raise NotFound(f"domain {domain.name}: it has no disk {target}", hint=f"it has {have}")
    return found


def nic_elements(domain: Domain, name: str) -> dict[Affect, Any]:
    """Return the interface with that MAC, or that end on the host, in each document that has it. Raises NotFound."""
    mac = name.lower()
    if not _MAC.fullmatch(mac):
        mac = next((nic.mac for nic in nics(domain) if nic.target == name), mac)
    found = {
        affect: element
        for affect, tree in documents(domain).items()
        for element in tree.iterfind("devices/interface")
        if (address := element.find("mac")) is not None and address.get("address", "").lower() == mac
    }
    if not found:
        have = ", ".join(nic.mac for nic in nics(domain)) or "none"
        raise NotFound(f"domain {domain.name}: it has no interface {name}", hint=f"it has {have}")
    return found


def nic_document(kind: str, source: str, *, model: str, mac: str | None = None, link: str | None = None) -> str:
    """Return an interface's document; *kind* network, bridge, direct or user. Raises KubevmmError for a bad MAC."""
    mac = (mac or new_mac()).lower()
    if not _MAC.fullmatch(mac):
        raise KubevmmError(f"{mac}: no MAC address", hint="write it as 52:54:00:12:34:56")
    root = etree.Element("interface", type=kind)
    # Of our own making, since libvirt would give what runs and the definition one each.
    etree.SubElement(root, "mac", address=mac)
    if kind == "direct":
        etree.SubElement(root, "source", dev=source, mode="bridge")
    elif source:
        etree.SubElement(root, "source", {kind: source})
    etree.SubElement(root, "model", type=model)
    if link:
        etree.SubElement(root, "link", state=link)
    return etree.tostring(root, encoding="unicode")


def new_mac() -> str:
    """Return an address of the range that QEMU's guests have."""
    return ":".join(f"{octet:02x}" for octet in (0x52, 0x54, 0x00, *secrets.token_bytes(3)))


def _names(prefix: str) -> Iterator[str]:
    for letter in string.ascii_lowercase:
        yield prefix + letter
    for first in string.ascii_lowercase:
        for second in string.ascii_lowercase:
            yield prefix + first + second
