"""What a person has to see to before an imported guest runs elsewhere than it does now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


BLOCK_JOB = Finding("block-job", "a disk was being copied")


class Device(NamedTuple):
    """What there is to say of one device: its tag, what a person must see to, and what it uses by name.

    ``uses`` are networks and pools, each with its name, and disks: target, kind, where. It ``may_have`` runtime state
    or a secret, as far as its text was looked at.
    """

    tag: str
    found: tuple[Finding, ...] = ()
    uses: tuple[tuple[str, ...], ...] = ()
    may_have: bool = False


NETWORK, POOL, DISK = "network", "pool", "disk"
"""What a device may use."""


def of_kind(kind: str) -> list[Finding]:
    """Return what there is to say of a domain of type *kind*."""
    return [] if kind == "kvm" else [Finding("not-kvm", kind or "no type")]


def device(element: etree._Element) -> Device:
    """Return what there is to say of the device *element*."""
    tag = str(element.tag)
    look = _DEVICES.get(tag)
    if look is None:
        return Device(tag)
    found: list[Finding] = []
    uses: list[tuple[str, ...]] = []
    look(element, found, uses)
    return Device(tag, tuple(found), tuple(uses))


def _disk(element: etree._Element, found: list[Finding], uses: list[tuple[str, ...]]) -> None:
    target, source = element.find("target"), element.find("source")
    name = target.get("dev", "") if target is not None else ""
    if source is not None:
        uses += disk(element.get("type", "file"), name, {str(key): str(value) for key, value in source.items()})
    backing = element.find("backingStore")
    if backing is not None and len(backing):
        inner = backing.find("source")
        file = next(iter(inner.values()), "") if inner is not None else ""
        found.append(Finding("backing-chain", f"{name}: {file}" if file else name))
    found += [secret(name, {str(key): str(value) for key, value in each.items()}) for each in element.iter("secret")]


def secret(target: str, attributes: Mapping[str, str]) -> Finding:
    """Return what there is to say of a ``<secret>`` with *attributes*, of the disk that the guest has as *target*."""
    of = attributes.get("uuid") or attributes.get("usage")
    return Finding("secret-value", f"{target}: {attributes.get('type', '')} {of}")


def disk(kind: str, target: str, source: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return what a disk of type *kind* uses, which the guest has as *target*, by the attributes of its *source*."""
    if kind == "volume":
        return [(POOL, source.get("pool", ""))]
    if kind == "network":
        return [(DISK, target, source.get("protocol", "network"), source.get("name", ""))]
    place = source.get("file") or source.get("dev") or source.get("dir") or ""
    return [(DISK, target, kind, place)] if place else []


def _interface(element: etree._Element, found: list[Finding], uses: list[tuple[str, ...]]) -> None:
    kind = element.get("type", "")
    source = element.find("source")
    if kind == "network" and source is not None and source.get("network"):
        uses.append((NETWORK, source.get("network", "")))
    elif kind in HOST_INTERFACES:
        found.append(Finding("host-device", f"interface {_address(source)}"))
    found += [Finding("network-filter", each.get("filter", "")) for each in element.iter("filterref")]


def _hostdev(element: etree._Element, found: list[Finding], uses: list[tuple[str, ...]]) -> None:
    del uses
    source = element.find("source")
    kind = element.get("type", element.get("mode", ""))
    found.append(Finding("host-device", f"{kind} {_address(source)}".strip()))


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


def _tpm(element: etree._Element, found: list[Finding], uses: list[tuple[str, ...]]) -> None:
    del uses
    backend = element.find("backend")
    if backend is None:
        return
    if backend.get("type") == "emulator":
        found.append(Finding("state-on-node", "TPM"))
    elif backend.get("type") == "passthrough":
        found.append(Finding("host-device", "TPM"))
    found += [Finding("secret-value", f"TPM: {each.get('secret', '')}") for each in backend.iter("encryption")]


def _filesystem(element: etree._Element, found: list[Finding], uses: list[tuple[str, ...]]) -> None:
    del uses
    source = element.find("source")
    values = source.values() if source is not None else []
    found.append(Finding("host-files", f"filesystem {values[0] if values else ''}".strip()))


def of_part(part: etree._Element) -> Iterable[Finding]:
    """Return what there is to say of a domain's firmware: its ``<os>`` or ``<sysinfo>``."""
    nvram = part.find("nvram")
    if nvram is not None:
        yield Finding("state-on-node", f"UEFI variables {(nvram.text or '').strip()}".strip())
    for name in ("kernel", "initrd", "dtb"):
        file = part.findtext(name)
        if file:
            yield Finding("host-files", f"{name} {file}")
    if part.get("type") == "fwcfg":
        yield from (Finding("fw-cfg", entry.get("name", "")) for entry in part.iter("entry"))


HOST_INTERFACES = ("hostdev", "vdpa")
"""Types of interfaces that are devices of their node."""

LOOKED_AT = frozenset({"disk", "interface", "hostdev", "tpm", "filesystem"})
"""Devices that there may be something to say of."""

_DEVICES = {"disk": _disk, "interface": _interface, "hostdev": _hostdev, "tpm": _tpm, "filesystem": _filesystem}
