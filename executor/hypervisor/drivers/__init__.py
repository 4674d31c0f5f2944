"""What differs between hypervisors: one file for each, this one finds it by libvirt's own name for the driver."""

from __future__ import annotations

from typing import Final

from executor.hypervisor.drivers.base import ALWAYS, Driver, Operation
from executor.hypervisor.drivers.bhyve import BHYVE
from executor.hypervisor.drivers.ch import CLOUD_HYPERVISOR
from executor.hypervisor.drivers.lxc import LXC
from executor.hypervisor.drivers.qemu import QEMU
from executor.hypervisor.drivers.test import TEST
from executor.hypervisor.drivers.xen import XEN

DRIVERS: Final = (QEMU, TEST, LXC, XEN, BHYVE, CLOUD_HYPERVISOR)


def driver_of(connection_type: str) -> Driver:
    """Return what is known of the driver that libvirt calls *connection_type*.

    One that has no file here is taken to have every operation and no flag: libvirt will say what it cannot do.
    """
    for driver in DRIVERS:
        if driver.connection_type == connection_type.upper():
            return driver
    name = connection_type.lower()
    return Driver(name, connection_type.upper(), frozenset({name}), dict.fromkeys(Operation, ALWAYS))


__all__ = ["DRIVERS", "Driver", "Operation", "driver_of"]
