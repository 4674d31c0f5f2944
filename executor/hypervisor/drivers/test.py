"""libvirt's test driver: guests that are pretended, inside this process, for thousands of them without a host."""

from __future__ import annotations

import libvirt

from executor.hypervisor.drivers.base import ALWAYS, Driver, Operation

# What it pretends not even to have.
_LACKS = {
    Operation.DEVICES,
    Operation.UPDATE_DEVICE,
    Operation.DETACH_ALIAS,
    Operation.BLOCK_RESIZE,
    Operation.BLOCK_JOBS,
    Operation.CONSOLE,
    Operation.GRAPHICS,
    Operation.GUEST_AGENT,
    Operation.DOMAIN_CAPABILITIES,
}

TEST = Driver(
    name="test",
    connection_type="TEST",
    guest_types=frozenset({"test"}),
    operations=dict.fromkeys((each for each in Operation if each not in _LACKS), ALWAYS),
    undefine_flags=libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA,
    network_xml_flags=0,
    pool_xml_flags=0,
)
