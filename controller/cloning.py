"""A guest made from another one, as objects: its disks made from that one's, its identity its own. Pure."""

from __future__ import annotations

import copy
import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from controller.resources import DISKS, GUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LABEL: Final = "kubevmm.io/operation"
"""The uid of the operation that made an object: what bears it is not made again."""

FROM: Final = "kubevmm.io/cloned-from"
"""An annotation: the guest that it was made from."""

_LEFT_OUT: Final = ("running", "nodeName", "deletionPolicy")
"""Of the guest's spec: the clone is off, wherever its disks are, and goes with its object."""

_MEDIA: Final = {"cdrom", "floppy"}
_SHARED: Final = ("readonly", "shareable", "transient")
"""Of disks that a guest does not write to as its own; the clone has the same."""


class Uncloneable(Exception):  # noqa: N818  (named for what it is)
    """Why a guest cannot be cloned; ``reason`` says it in a word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Clone:
    """The objects that it takes: the disks, which are made first, and the guest; what a person should know besides."""

    disks: tuple[dict[str, Any], ...]
    guest: dict[str, Any]
    notes: tuple[str, ...] = ()


def clone(
    guest: Mapping[str, Any], operation: Mapping[str, Any], disk: Callable[[str], Mapping[str, Any] | None]
) -> Clone:
    """Return what *operation* makes of *guest*; *disk* returns a VirtualMachineDisk of its namespace by name.

    The same operation makes the same of the same guest. Raises Uncloneable.
    """
    source, uid = guest["metadata"], operation["metadata"]["uid"]
    target, linked = operation["spec"]["clone"]["target"], operation["spec"]["clone"].get("mode") == "Linked"
    spec = copy.deepcopy({key: value for key, value in (guest.get("spec") or {}).items() if key not in _LEFT_OUT})
    spec["runStrategy"] = "Halted"
    # Of the guest's own name, or else the object's.
    (spec.get("cloudInit") or {}).pop("hostname", None)
    domain = spec.setdefault("domain", {})
    made = list(_disks(domain, target, disk, linked=linked))
    _rename(domain, uid)

    def named(kind: Any, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        metadata = {
            "name": name, "namespace": source["namespace"], "labels": {LABEL: uid},
            "annotations": {FROM: source["name"]},
        }  # fmt: skip
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}

    return Clone(
        tuple(named(DISKS, name, each) for name, each in made),
        named(GUESTS, target, spec),
        tuple(_notes(domain, source["name"], linked=linked and bool(made))),
    )


def _disks(
    domain: dict[str, Any], target: str, disk: Callable[[str], Mapping[str, Any] | None], *, linked: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and spec of each disk to make, and let *domain* have it in the place of the guest's."""
    for each in (domain.get("devices") or {}).get("disks") or ():
        source = each.get("source")
        if not source or each.get("device") in _MEDIA or any(key in each for key in _SHARED):
            continue
        where = str((each.get("target") or {}).get("dev") or "")
        name = str((source.get("diskRef") or {}).get("name") or "")
        if not name:
            raise Uncloneable(
                "NoDiskObject",
                f"its disk {where} is no VirtualMachineDisk, so that no object can be made from it: `virtctl clone` on "
                "its node copies it",
            )
        found = disk(name)
        if found is None or (found.get("status") or {}).get("phase") != "Ready":
            raise Uncloneable("DiskNotReady", f"its disk {where}, the VirtualMachineDisk {name}, is not ready")
        new = f"{target}-{where}"
        each["source"] = {"diskRef": {"name": new}}
        # The disk knows its format, which may be another one by now.
        driver = each.get("driver") or {}
        driver.pop("type", None)
        if not driver:
            each.pop("driver", None)
        yield new, _disk(found.get("spec") or {}, name, linked=linked)


def _disk(spec: Mapping[str, Any], name: str, *, linked: bool) -> dict[str, Any]:
    source: dict[str, Any] = {"diskRef": {"name": name}, "clone": "Linked" if linked else "Full"}
    if linked:
        source["keepGuestOff"] = True
    out = {"source": source, **{key: spec[key] for key in ("poolRef", "capacity") if key in spec}}
    form = ((spec.get("volume") or {}).get("target") or {}).get("format")
    if form and not linked:
        out["volume"] = {"target": {"format": form}}
    return out


def _rename(domain: dict[str, Any], uid: str) -> None:
    """Take from *domain* what no two guests may share; addresses of interfaces are made of the operation's *uid*."""
    for key in ("name", "uuid"):
        domain.pop(key, None)
    for info in domain.get("sysinfos") or ():
        system = info.get("system") or {}
        entries = [each for each in system.get("entries") or () if each.get("name") != "uuid"]
        if entries:
            system["entries"] = entries
        elif system:
            info.pop("system")
    if "genid" in domain:
        domain["genid"] = str(uuid.uuid5(uuid.NAMESPACE_OID, uid))
    nvram = (domain.get("os") or {}).get("nvram")
    if isinstance(nvram, dict):
        for key in ("value", "source", "type"):
            nvram.pop(key, None)
    devices = domain.get("devices") or {}
    for number, interface in enumerate(devices.get("interfaces") or ()):
        if (interface.get("mac") or {}).get("address"):
            interface["mac"] = {"address": _mac(uid, number)}
        interface.pop("target", None)
    for channel in devices.get("channels") or ():
        for source in channel.get("sources") or ():
            if source.get("mode", "bind") == "bind":
                source.pop("path", None)
    for memory in devices.get("memoryDevices") or ():
        memory.pop("uuid", None)


def _mac(uid: str, number: int) -> str:
    """Return an address of the range that QEMU's guests have, the same whenever it is asked for."""
    found = hashlib.sha256(f"{uid}/{number}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x52, 0x54, 0x00, *found[:3]))


def _notes(domain: Mapping[str, Any], name: str, *, linked: bool) -> Iterator[str]:
    devices = domain.get("devices") or {}
    if linked:
        yield f"{name} does not start as long as this clone stands on its disks"
    if (domain.get("os") or {}).get("firmware") == "efi" or "nvram" in (domain.get("os") or {}):
        yield "its firmware starts with fresh variables"
    if devices.get("hostdevs"):
        yield "it has the same host devices: only one of the two can run"
    if any(int(each.get("port") or -1) > 0 for each in devices.get("graphics") or ()):
        yield "its screen has the same port: only one of the two can run"
