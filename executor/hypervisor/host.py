"""What a host is and offers: machine, memory, versions, capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from executor.hypervisor.connection import Connection


@dataclass(frozen=True, slots=True)
class Machine:
    """A host's hardware; ``memory`` in bytes (whole MiB), ``mhz`` 0 where unknown."""

    architecture: str
    memory: int
    cpus: int
    mhz: int
    numa_nodes: int
    sockets: int
    cores: int
    threads: int


class Host:
    """The host behind a connection; each call asks it anew."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hostname(self) -> str:
        """Return its name."""
        return str(self._connection.read("getHostname"))

    def machine(self) -> Machine:
        """Return its hardware."""
        architecture, mebibytes, *numbers = self._connection.read("getInfo")
        return Machine(str(architecture), int(mebibytes) << 20, *(int(number) for number in numbers))

    def free_memory(self) -> int:
        """Return how many bytes of memory are free."""
        return int(self._connection.read("getFreeMemory"))

    def free_memory_by_cell(self, first: int = 0, count: int = 64) -> list[int]:
        """Return the free bytes of each NUMA node."""
        # libvirt answers in KiB here, and in bytes above.
        return [int(kib) << 10 for kib in self._connection.read("getCellsFreeMemory", first, count)]

    def libvirt_version(self) -> str:
        """Return libvirt's version there, such as 9.0.0."""
        return dotted(self._connection.library)

    def hypervisor_version(self) -> str:
        """Return the hypervisor's version."""
        return dotted(int(self._connection.read("getVersion")))

    def capabilities(self) -> str:
        """Return the host's capabilities, a document: CPU, NUMA, security models, what guests it can run."""
        return str(self._connection.read("getCapabilities"))

    def domain_capabilities(
        self, *, architecture: str | None = None, machine: str | None = None, guest_type: str | None = None
    ) -> str:
        """Return what a guest may have, a document: firmware, CPU models, devices. None for the usual."""
        return str(self._connection.read("getDomainCapabilities", None, architecture, machine, guest_type, 0))

    def pool_capabilities(self) -> str:
        """Return which kinds of pools there are, a document."""
        return str(self._connection.read("getStoragePoolCapabilities", 0))

    def cpu_map(self) -> list[bool]:
        """Return for each host CPU whether it is online."""
        _count, online, _number = self._connection.read("getCPUMap", 0)
        return [bool(cpu) for cpu in online]

    def memory_statistics(self) -> dict[str, Any]:
        """Return the host's memory by libvirt's keys (total, free, buffers, cached), in KiB."""
        return dict(self._connection.read("getMemoryStats", -1, 0))


def dotted(number: int) -> str:
    """Return a version as people write it: 9.0.0 for 9000000."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
