"""The drive that a seed lies in, in a guest's document: on a bus that the guest knows, and always the same one."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from executor.plan.actual import Actual

ALIAS: Final = "ua-kubevmm-seed"
"""What the drive is called, so that it is known for ours."""

_PREFIXES: Final = {"ide": "hd", "xen": "xvd", "virtio": "vd"}


def added(domain: Mapping[str, Any], path: str, there: Actual | None) -> dict[str, Any]:
    """Return the document *domain* with a CD drive that has the file *path* in it.

    It is where *there* (the guest as it is) has it, else at the first free place of the bus of the guest's other CD
    drives, or of the bus that its machine comes with.
    """
    devices = dict(domain.get("devices") or {})
    own = [disk for disk in devices.get("disks") or () if not is_ours(disk)]
    actual = _disks(there.inactive) if there is not None else []
    target = next((disk["target"] for disk in actual if is_ours(disk) and disk.get("target")), None)
    wanted = {str(_part(disk, "target").get("dev")) for disk in own}
    if target is None or target.get("dev") in wanted:
        bus = _bus(domain, own, there)
        taken = wanted | {str(_part(disk, "target").get("dev")) for disk in actual if not is_ours(disk)}
        target = {"dev": _free(bus, taken), "bus": bus}
    driver = {"type": "raw"} if domain.get("type") == "xen" else {"name": "qemu", "type": "raw"}
    disk = {
        "type": "file",
        "device": "cdrom",
        "driver": driver,
        # One that has gone keeps no guest from migrating, or from going back to a snapshot.
        "source": {"file": path, "startupPolicy": "requisite"},
        "target": {key: target[key] for key in ("dev", "bus") if key in target},
        "readonly": {},
        "alias": {"name": ALIAS},
    }
    return {**domain, "devices": {**devices, "disks": [*own, disk]}}


def without_seed(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the object without the drive that its ``cloudInit`` stands for."""
    spec = obj.get("spec") or {}
    if spec.get("cloudInit") is None or not spec.get("domain"):
        return obj
    return {**obj, "spec": {**spec, "domain": _without(spec["domain"])}}


def _without(domain: dict[str, Any]) -> dict[str, Any]:
    devices = domain.get("devices") or {}
    left = [disk for disk in devices.get("disks") or () if not is_ours(disk)]
    if len(left) == len(devices.get("disks") or ()):
        return domain
    kept = {key: value for key, value in devices.items() if key != "disks"}
    rest = {**kept, "disks": left} if left else kept
    return {**domain, "devices": rest} if rest else {key: value for key, value in domain.items() if key != "devices"}


def is_ours(disk: Mapping[str, Any]) -> bool:
    """Say whether *disk* is the drive for a seed."""
    return bool(_part(disk, "alias").get("name") == ALIAS)


def sources(domain: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """Yield the paths in the drives of the document *domain* that end in one of *names*."""
    for disk in _disks(domain):
        path = _part(disk, "source").get("file")
        if isinstance(path, str) and path.rpartition("/")[2] in names:
            yield path


def _disks(domain: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((domain.get("devices") or {}).get("disks") or ())


def _part(disk: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = disk.get(key)
    return found if isinstance(found, dict) else {}


def _bus(domain: Mapping[str, Any], disks: list[dict[str, Any]], there: Actual | None) -> str:
    for disk in disks:
        if disk.get("device") == "cdrom" and _part(disk, "target").get("bus"):
            return str(_part(disk, "target")["bus"])
    kind = _part(domain.get("os") or {}, "type")
    known = _part(there.inactive.get("os") or {}, "type") if there is not None else {}
    machine = str(kind.get("machine") or known.get("machine") or "pc")
    arch = str(kind.get("arch") or known.get("arch") or "x86_64")
    if domain.get("type") == "xen":
        return "xen"
    if arch not in ("x86_64", "i686"):
        return "scsi"
    return "sata" if "q35" in machine else "ide"


def _free(bus: str, taken: set[str]) -> str:
    prefix = _PREFIXES.get(bus, "sd")
    return next(name for letter in string.ascii_lowercase if (name := prefix + letter) not in taken)
