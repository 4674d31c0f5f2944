"""Cloud Hypervisor. No metadata call, and in older versions no events: its guests must be listed now and then."""

from __future__ import annotations

from executor.hypervisor.drivers.base import Driver, Operation, always, version

CLOUD_HYPERVISOR = Driver(
    name="ch",
    connection_type="CH",
    guest_types=frozenset({"kvm", "hyperv"}),
    operations={
        **always(
            Operation.SHUTDOWN,
            Operation.REBOOT,
            Operation.SUSPEND,
            Operation.PIN_VCPU,
            Operation.PIN_EMULATOR,
            Operation.NUMA,
            Operation.CONSOLE,
        ),
        Operation.MANAGED_SAVE: version("10.2.0"),
    },
)
