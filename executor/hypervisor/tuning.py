"""What of a running guest can be turned: vCPUs, memory, pinning, shares and limits of CPU, disks and interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import libvirt

from executor.hypervisor.handle import Affect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from executor.hypervisor.domain import Domain

Parameters = dict[str, Any]
"""libvirt's typed parameters: numbers, strings and booleans by libvirt's own names (``cpu_shares`` ...)."""

# By the name of ours: the binding's calls that read and write a group of typed parameters of the whole domain.
_GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    "scheduler": ("schedulerParametersFlags", "setSchedulerParametersFlags"),
    "blkio": ("blkioParameters", "setBlkioParameters"),
    "memory": ("memoryParameters", "setMemoryParameters"),
    "numa": ("numaParameters", "setNumaParameters"),
}


class Tuning:
    """One domain's settings that may change while it runs, each live, in the definition, or both."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def vcpus(self, affect: Affect = Affect.CURRENT, *, maximum: bool = False) -> int:
        """Return how many vCPUs it has, or may have at most."""
        flags = int(affect) | (libvirt.VIR_DOMAIN_VCPU_MAXIMUM if maximum else 0)
        return int(self._domain.read("vcpusFlags", flags))

    def set_vcpus(self, count: int, affect: Affect, *, maximum: bool = False) -> None:
        """Change how many it has; *maximum* (definition only) how many it may have."""
        flags = int(affect) | (libvirt.VIR_DOMAIN_VCPU_MAXIMUM if maximum else 0)
        self._domain.change("setVcpusFlags", count, flags)

    def set_vcpu(self, vcpus: str, enabled: bool, affect: Affect) -> None:
        """Plug or unplug single vCPUs, named as a set: ``1,3-5``."""
        self._domain.change("setVcpu", vcpus, int(enabled), int(affect))

    def set_memory(self, size: int, affect: Affect, *, maximum: bool = False) -> None:
        """Change the memory that the guest has now (the balloon's target), in bytes; *maximum* what it starts with."""
        flags = int(affect) | (libvirt.VIR_DOMAIN_MEM_MAXIMUM if maximum else 0)
        # libvirt counts in KiB; what is left over is rounded up, so that a guest never gets less than it was promised.
        self._domain.change("setMemoryFlags", -(-size // 1024), flags)

    def set_memory_stats_period(self, seconds: int, affect: Affect) -> None:
        """Have the balloon driver tell its figures every *seconds*; 0 never."""
        self._domain.change("setMemoryStatsPeriod", seconds, int(affect))

    def pin_vcpu(self, vcpu: int, cpus: Sequence[bool], affect: Affect) -> None:
        """Bind a vCPU to host CPUs, one truth value for each of the host's."""
        self._domain.change("pinVcpuFlags", vcpu, tuple(cpus), int(affect))

    def pin_emulator(self, cpus: Sequence[bool], affect: Affect) -> None:
        """Bind the emulator's own threads to host CPUs."""
        self._domain.change("pinEmulator", tuple(cpus), int(affect))

    def pin_iothread(self, iothread: int, cpus: Sequence[bool], affect: Affect) -> None:
        """Bind an I/O thread to host CPUs."""
        self._domain.change("pinIOThread", iothread, tuple(cpus), int(affect))

    def add_iothread(self, iothread: int, affect: Affect) -> None:
        """Add an I/O thread with that number."""
        self._domain.change("addIOThread", iothread, int(affect))

    def remove_iothread(self, iothread: int, affect: Affect) -> None:
        """Remove the I/O thread with that number."""
        self._domain.change("delIOThread", iothread, int(affect))

    def parameters(self, group: str, affect: Affect = Affect.CURRENT) -> Parameters:
        """Return a group of parameters: ``scheduler``, ``blkio``, ``memory`` or ``numa``."""
        return dict(self._domain.read(_GROUPS[group][0], int(affect)))

    def set_parameters(self, group: str, values: Parameters, affect: Affect) -> None:
        """Change some of a group of parameters; the others stay."""
        self._domain.change(_GROUPS[group][1], values, int(affect))

    def block_iotune(self, disk: str, affect: Affect = Affect.CURRENT) -> Parameters:
        """Return a disk's limits; bytes and operations for each second, 0 for none."""
        return dict(self._domain.read("blockIoTune", disk, int(affect)))

    def set_block_iotune(self, disk: str, values: Parameters, affect: Affect) -> None:
        """Change a disk's limits."""
        self._domain.change("setBlockIoTune", disk, values, int(affect))

    def interface_bandwidth(self, interface: str, affect: Affect = Affect.CURRENT) -> Parameters:
        """Return an interface's (its MAC's or host device's) ``inbound.average`` ... in KiB for each second."""
        return dict(self._domain.read("interfaceParameters", interface, int(affect)))

    def set_interface_bandwidth(self, interface: str, values: Parameters, affect: Affect) -> None:
        """Change an interface's bandwidth; an average of 0 lifts the limit."""
        self._domain.change("setInterfaceParameters", interface, values, int(affect))

    def set_lifecycle_action(self, event: int, action: int, affect: Affect) -> None:
        """Change what follows poweroff, reboot or crash; libvirt's numbers (VIR_DOMAIN_LIFECYCLE_*)."""
        self._domain.change("setLifecycleAction", event, action, int(affect))
