"""Which devices QEMU's driver plugs, unplugs and changes while a guest runs: data, by the key of the device's list.

Where libvirt itself says (qemuDomainAttachDeviceLive, qemuDomainDetachDeviceLive, qemuDomainUpdateDeviceLive and what
they check), since its documentation only says that not all can. What stands in no table here needs a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from executor.plan.identity import Key, value_at

When: TypeAlias = tuple[tuple[Key, frozenset[Any]], ...]
"""Keys of the device and the values that they must have; None among them stands for absent."""


@dataclass(frozen=True)
class Update:
    """Keys of a device that libvirt changes in place, where the device is such that ``when`` holds."""

    keys: tuple[Key, ...]
    when: When = ()


@dataclass(frozen=True)
class Hotplug:
    """What can be done to one kind of device; ``plug`` is None where it can be neither plugged nor unplugged."""

    plug: tuple[When, ...] | None = None
    updates: tuple[Update, ...] = ()


def _when(**values: tuple[Any, ...]) -> When:
    return tuple((tuple(key.split("__")), frozenset(allowed)) for key, allowed in values.items())


_ALWAYS: tuple[When, ...] = ((),)
_EJECTABLE = _when(device=("cdrom", "floppy"))

HOTPLUG: dict[str, Hotplug] = {
    "disks": Hotplug(
        plug=(
            _when(device=(None, "disk", "lun"), target__bus=("virtio", "scsi", "usb")),
            _when(device=("cdrom",), target__bus=("scsi", "usb")),
        ),
        updates=(
            Update((("source",), ("type",), ("driver",), ("backingStore",), ("auth",), ("encryption",)), _EJECTABLE),
        ),
    ),
    "interfaces": Hotplug(
        plug=_ALWAYS,
        updates=(
            Update((
                ("link",), ("bandwidth",), ("filterref",), ("vlan",), ("virtualport",), ("coalesce",),
                ("trustGuestRxFilters",), ("source", "bridge"), ("source", "network"), ("source", "portgroup"),
                ("port", "isolated"), ("type",),
            ), _when(type=("network", "bridge", "ethernet"))),
            Update((("link",), ("bandwidth",), ("filterref",), ("coalesce",), ("trustGuestRxFilters",))),
        ),
    ),
    "hostdevs": Hotplug(plug=(_when(mode=("subsystem",)),)),
    "redirdevs": Hotplug(plug=_ALWAYS),
    "rngs": Hotplug(plug=_ALWAYS),
    "watchdogs": Hotplug(plug=(_when(model=("i6300esb",)),)),
    "shmems": Hotplug(plug=(_when(model__type=("ivshmem-plain", "ivshmem-doorbell")),)),
    "inputs": Hotplug(plug=(_when(bus=("usb", "virtio")),)),
    "channels": Hotplug(plug=(_when(target__type=("virtio",)),)),
    "consoles": Hotplug(plug=(_when(target__type=("virtio",)),)),
    "serials": Hotplug(plug=(_when(target__type=("pci-serial", "usb-serial")),)),
    "controllers": Hotplug(plug=(_when(type=("scsi",)),)),
    "filesystems": Hotplug(plug=(_when(driver__type=("virtiofs",)),)),
    "leases": Hotplug(plug=_ALWAYS),
    "vsock": Hotplug(plug=_ALWAYS),
    "memoryDevices": Hotplug(
        plug=_ALWAYS, updates=(Update((("target", "requested"),), _when(model=("virtio-mem",))),)
    ),
    "graphics": Hotplug(
        updates=(
            Update((("passwd",), ("passwdValidTo",), ("connected",)), _when(type=("vnc", "spice"))),
        )
    ),
}  # fmt: skip


KEEPS_VCPUS: frozenset[str] = frozenset({"qemu"})
"""Types of domains whose running guests are asked for no vCPU back.

QEMU's software emulation lets the guest's system give one up, and never tells libvirt, which then counts it for ever;
when libvirt has started anew and plugs in another one, QEMU crashes, and the guest with it (7.2).
"""


def pluggable(kind: str, device: dict[str, Any]) -> bool:
    """Say whether *device*, an entry of the list *kind*, can be plugged and unplugged while the guest runs."""
    plug = HOTPLUG.get(kind, Hotplug()).plug
    return plug is not None and any(_holds(when, device) for when in plug)


def updatable(kind: str, device: dict[str, Any], key: Key) -> bool:
    """Say whether the value at *key* of *device*, an entry of the list *kind*, can change while the guest runs."""
    return any(
        any(key[: len(prefix)] == prefix for prefix in update.keys) and _holds(update.when, device)
        for update in HOTPLUG.get(kind, Hotplug()).updates
    )


def _holds(when: When, device: dict[str, Any]) -> bool:
    return all(value_at(device, key) in allowed for key, allowed in when)
