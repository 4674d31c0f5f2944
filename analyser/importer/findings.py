"""What a person has to see to before an imported guest runs elsewhere than it does now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lxml import etree

CODES = {
    "host-device": "has devices of its node passed through",
    "missing-network": "uses a network that is not in the source",
    "missing-pool": "uses a storage pool that is not in the source",
    "disk-outside-pools": "has a disk outside every known pool",
    "backing-chain": "has a disk with a backing chain",
    "secret-value": "needs a libvirt secret, whose value no definition has",
    "password-moved": "had a password in its XML, which is in a Secret now",
    "password-unreferenced": "had a password where nothing can refer to a Secret; it is left out",
    "state-on-node": "has state on its node's disk besides its disks",
    "not-kvm": "does not run on KVM",
    "network-filter": "uses network filters of its node",
    "host-files": "uses files of its node besides disks",
    "block-job": "was copying a disk",
    "running-only": "is known only from a running guest, which has more than was defined",
    "unknown-xml": "has XML that the tables do not know; it is kept as text",
    "no-node": "comes from no known node",
    "same-name": "has the name of another guest of its node",
    "stale-elsewhere": "has a stale definition on another node",
    "fw-cfg": "hands the guest data through firmware, which may be confidential",
}
"""What can be found, in a person's words."""


class Finding(NamedTuple):
    """``code`` is one of CODES; ``detail`` says which."""

    code: str
    detail: str


class References(NamedTuple):
    """What a guest uses by name: networks, pools, and disks as (target, kind, where)."""

    networks: list[str]
    pools: list[str]
    disks: list[tuple[str, str, str]]


def findings(domain: etree._Element) -> tuple[list[Finding], References, dict[str, int]]:
    """Return what a person must see to about *domain*, what it uses, and how many devices of each kind it has."""
    found: list[Finding] = []
    uses = References([], [], [])
    counts: dict[str, int] = {}
    if domain.find("devices/disk/mirror") is not None:
        found.append(Finding("block-job", "a disk was being copied"))
    kind = domain.get("type", "")
    if kind != "kvm":
        found.append(Finding("not-kvm", kind or "no type"))
    devices = domain.find("devices")
    for device in () if devices is None else devices:
        tag = str(device.tag)
        if tag != "emulator":
            counts[tag] = counts.get(tag, 0) + 1
        look = _DEVICES.get(tag)
        if look is not None:
            look(device, found, uses)
    _firmware(domain, found)
    return found, uses, counts


def _disk(disk: etree._Element, found: list[Finding], uses: References) -> None:
    target = disk.find("target")
    name = target.get("dev", "") if target is not None else ""
    source = disk.find("source")
    if source is not None:
        kind = disk.get("type", "file")
        if kind == "volume":
            uses.pools.append(source.get("pool", ""))
        elif kind == "network":
            uses.disks.append((name, source.get("protocol", "network"), source.get("name", "")))
        else:
            place = source.get("file") or source.get("dev") or source.get("dir") or ""
            if place:
                uses.disks.append((name, kind, place))
    backing = disk.find("backingStore")
    if backing is not None and len(backing):
        inner = backing.find("source")
        file = next(iter(inner.values()), "") if inner is not None else ""
        found.append(Finding("backing-chain", f"{name}: {file}" if file else name))
    found += [
        Finding("secret-value", f"{name}: {secret.get('type', '')} {secret.get('uuid') or secret.get('usage')}")
        for secret in disk.iter("secret")
    ]


def _interface(interface: etree._Element, found: list[Finding], uses: References) -> None:
    kind = interface.get("type", "")
    source = interface.find("source")
    if kind == "network" and source is not None and source.get("network"):
        uses.networks.append(source.get("network", ""))
    elif kind in ("hostdev", "vdpa"):
        found.append(Finding("host-device", f"interface {_address(source)}"))
    found += [Finding("network-filter", each.get("filter", "")) for each in interface.iter("filterref")]


def _hostdev(device: etree._Element, found: list[Finding], uses: References) -> None:
    del uses
    source = device.find("source")
    found.append(Finding("host-device", f"{device.get('type', device.get('mode', ''))} {_address(source)}".strip()))


def _address(source: etree._Element | None) -> str:
    if source is None:
        return ""
    address = source.find("address")
    if address is None:
        return " ".join(str(value) for value in source.values())
    if address.get("uuid"):
        return str(address.get("uuid"))
    parts = [str(address.get(name, "0")).removeprefix("0x") for name in ("domain", "bus", "slot", "function")]
    return f"{parts[0].zfill(4)}:{parts[1].zfill(2)}:{parts[2].zfill(2)}.{parts[3]}"


def _tpm(device: etree._Element, found: list[Finding], uses: References) -> None:
    del uses
    backend = device.find("backend")
    if backend is None:
        return
    if backend.get("type") == "emulator":
        found.append(Finding("state-on-node", "TPM"))
    elif backend.get("type") == "passthrough":
        found.append(Finding("host-device", "TPM"))
    found += [Finding("secret-value", f"TPM: {each.get('secret', '')}") for each in backend.iter("encryption")]


def _filesystem(device: etree._Element, found: list[Finding], uses: References) -> None:
    del uses
    source = device.find("source")
    values = source.values() if source is not None else []
    found.append(Finding("host-files", f"filesystem {values[0] if values else ''}".strip()))


def _firmware(domain: etree._Element, found: list[Finding]) -> None:
    system = domain.find("os")
    if system is not None:
        nvram = system.find("nvram")
        if nvram is not None:
            found.append(Finding("state-on-node", f"UEFI variables {(nvram.text or '').strip()}".strip()))
        for name in ("kernel", "initrd", "dtb"):
            file = system.findtext(name)
            if file:
                found.append(Finding("host-files", f"{name} {file}"))
    for info in domain.findall("sysinfo"):
        if info.get("type") == "fwcfg":
            found += [Finding("fw-cfg", entry.get("name", "")) for entry in info.iter("entry")]


_DEVICES = {"disk": _disk, "interface": _interface, "hostdev": _hostdev, "tpm": _tpm, "filesystem": _filesystem}
