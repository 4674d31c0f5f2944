"""What a hypervisor's driver in libvirt can do, as data: one `Driver` in one file for each.

The data is for planning, which must know before it tries. libvirt's own answer decides: whatever a driver refuses
raises Unsupported. The tables are libvirt's own tables of each driver's functions.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libvirt

if TYPE_CHECKING:
    from collections.abc import Mapping


class Operation(enum.StrEnum):
    """What one driver may have and another not."""

    SHUTDOWN = "shutdown"
    REBOOT = "reboot"
    RESET = "reset"
    SUSPEND = "suspend"
    MANAGED_SAVE = "managedSave"
    AUTOSTART = "autostart"
    METADATA = "metadata"
    RENAME = "rename"
    EVENTS = "events"
    BULK_STATS = "bulkStats"
    DEVICES = "devices"
    """Devices attached and detached, live or in the definition."""
    UPDATE_DEVICE = "updateDevice"
    DETACH_ALIAS = "detachAlias"
    VCPUS = "vcpus"
    MEMORY = "memory"
    PIN_VCPU = "pinVcpu"
    PIN_EMULATOR = "pinEmulator"
    IOTHREADS = "ioThreads"
    SCHEDULER = "scheduler"
    BLKIO = "blkio"
    MEMORY_LIMITS = "memoryLimits"
    NUMA = "numa"
    BLOCK_IOTUNE = "blockIotune"
    INTERFACE_BANDWIDTH = "interfaceBandwidth"
    BLOCK_RESIZE = "blockResize"
    BLOCK_JOBS = "blockJobs"
    SNAPSHOTS = "snapshots"
    CHECKPOINTS = "checkpoints"
    CONSOLE = "console"
    SCREENSHOT = "screenshot"
    GRAPHICS = "graphics"
    SEND_KEY = "sendKey"
    INTERFACE_ADDRESSES = "interfaceAddresses"
    GUEST_AGENT = "guestAgent"
    DOMAIN_CAPABILITIES = "domainCapabilities"


def version(text: str) -> int:
    """Return a version such as 10.2.0 as libvirt counts: 10002000."""
    major, minor, release = (int(part) for part in text.split("."))
    return major * 1_000_000 + minor * 1000 + release


ALWAYS = 0
"""For an operation that every libvirt has which we run with (9.0 and later)."""


@dataclass(frozen=True)
class Driver:
    """One driver. Masks hold the flags that it takes; it would refuse others, so they are left out."""

    name: str
    """As URIs call it: ``qemu``."""
    connection_type: str
    """As libvirt calls it (virConnectGetType), in capitals."""
    guest_types: frozenset[str]
    """What may stand in a domain's ``type``."""
    operations: Mapping[Operation, int] = field(default_factory=dict)
    """Each operation that it has, with the first version of libvirt that has it."""
    undefine_flags: int = 0
    network_xml_flags: int = libvirt.VIR_NETWORK_XML_INACTIVE
    pool_xml_flags: int = libvirt.VIR_STORAGE_XML_INACTIVE
    stats_flags: int = 0
    statistics: int = libvirt.VIR_DOMAIN_STATS_STATE
    """The groups of statistics that it has."""

    def supports(self, operation: Operation, library: int) -> bool:
        """Say whether libvirt in version *library* (as `Connection.library`) has *operation* for this hypervisor."""
        since = self.operations.get(operation)
        return since is not None and library >= since


def always(*operations: Operation) -> dict[Operation, int]:
    """Return these operations as ones that are there in every version."""
    return dict.fromkeys(operations, ALWAYS)
