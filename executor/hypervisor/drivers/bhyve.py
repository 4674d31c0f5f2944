"""bhyve, FreeBSD's hypervisor: guests are defined, started and stopped; nothing changes while they run."""

from __future__ import annotations

from executor.hypervisor.drivers.base import Driver, Operation, always

BHYVE = Driver(
    name="bhyve",
    connection_type="BHYVE",
    guest_types=frozenset({"bhyve"}),
    operations=always(Operation.SHUTDOWN, Operation.AUTOSTART, Operation.METADATA, Operation.EVENTS, Operation.CONSOLE),
)
