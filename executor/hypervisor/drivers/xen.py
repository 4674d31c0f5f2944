"""Xen, through libxl. It has no metadata call: our element changes only as the domain is defined anew."""

from __future__ import annotations

import libvirt

from executor.hypervisor.drivers.base import Driver, Operation, always

XEN = Driver(
    name="xen",
    connection_type="XEN",
    guest_types=frozenset({"xen"}),
    operations=always(
        Operation.SHUTDOWN,
        Operation.REBOOT,
        Operation.SUSPEND,
        Operation.MANAGED_SAVE,
        Operation.AUTOSTART,
        Operation.EVENTS,
        Operation.DEVICES,
        Operation.UPDATE_DEVICE,
        Operation.VCPUS,
        Operation.MEMORY,
        Operation.PIN_VCPU,
        Operation.SCHEDULER,
        Operation.CONSOLE,
        Operation.INTERFACE_ADDRESSES,
        Operation.DOMAIN_CAPABILITIES,
    ),
    undefine_flags=libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE,
)
