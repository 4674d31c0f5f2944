"""LXC: containers as libvirt's domains. Neither saved, nor migrated, nor snapshotted; shutdown is a signal to init."""

from __future__ import annotations

from executor.hypervisor.drivers.base import Driver, Operation, always

LXC = Driver(
    name="lxc",
    connection_type="LXC",
    guest_types=frozenset({"lxc"}),
    operations=always(
        Operation.SHUTDOWN,
        Operation.REBOOT,
        Operation.SUSPEND,
        Operation.AUTOSTART,
        Operation.METADATA,
        Operation.EVENTS,
        Operation.DEVICES,
        Operation.UPDATE_DEVICE,
        Operation.MEMORY,
        Operation.SCHEDULER,
        Operation.BLKIO,
        Operation.MEMORY_LIMITS,
        Operation.CONSOLE,
    ),
)
