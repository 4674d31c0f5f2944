"""VirtualMachineNode: what an executor reports of its node, and how the node may be used."""

from __future__ import annotations

from typing import Annotated

from schemas.api.common import (
    AGE,
    READY,
    Amounts,
    Column,
    Conditions,
    Kind,
    ObservedGeneration,
    Quantity,
    Struct,
    Time,
    doc,
    list_map,
)


class Overcommit(Struct):
    """How much more than it has a node may promise, in percent: 100 is no more than it has."""

    cpu_percent: Annotated[int | None, doc("Virtual CPUs for 100 processors; 100 unless given.", minimum=100)] = None
    memory_percent: Annotated[
        int | None, doc("Memory of guests for 100 of the node's own; 100 unless given.", minimum=100)
    ] = None


class VirtualMachineNodeSpec(Struct):
    """How the node may be used; its name is that of the Kubernetes Node."""

    unschedulable: Annotated[
        bool | None, doc("Whether no further guest is to come here; those that are here stay.")
    ] = None
    migration_address: Annotated[
        str | None,
        doc("Address, or host name, that guests migrate to this node by; the node's own unless given.", maxLength=253),
    ] = None
    reserved: Annotated[
        Amounts | None, doc("What is kept from guests, such as cpu and memory for the host itself.")
    ] = None
    overcommit: Annotated[Overcommit | None, doc("How much more than it has the node may promise.")] = None
    max_guests: Annotated[int | None, doc("The most guests that may run here.", minimum=0)] = None


class AgentStatus(Struct):
    """The executor on the node."""

    version: Annotated[str | None, doc("Its version.")] = None
    start_time: Annotated[Time | None, doc("When it was started.")] = None
    libvirt_uri: Annotated[str | None, doc("The libvirt that it speaks to, such as qemu:///system.")] = None


class HypervisorStatus(Struct):
    """What runs the guests."""

    type: Annotated[str | None, doc("libvirt's driver, such as QEMU.")] = None
    version: Annotated[str | None, doc("Version of the hypervisor.")] = None
    libvirt_version: Annotated[str | None, doc("Version of libvirt.")] = None
    kvm: Annotated[bool | None, doc("Whether guests can use the processor's own virtualization.")] = None


class CPUStatus(Struct):
    """The node's processors."""

    model: Annotated[str | None, doc("libvirt's name for the model, such as Skylake-Server-IBRS.")] = None
    vendor: Annotated[str | None, doc("Their maker.")] = None
    features: Annotated[list[str] | None, doc("Features beyond those of the model.")] = None
    sockets: Annotated[int | None, doc("Sockets.")] = None
    cores: Annotated[int | None, doc("Cores of a socket.")] = None
    threads: Annotated[int | None, doc("Threads of a core.")] = None
    usable_models: Annotated[list[str] | None, doc("Models that a guest here can be given.")] = None


class NUMAStatus(Struct):
    """One NUMA node of the machine."""

    needed = ("id",)

    id: Annotated[int, doc("Its number.")]
    cpus: Annotated[str | None, doc("Its processors, such as 0-15,32-47.")] = None
    memory: Annotated[Quantity | None, doc("Its memory.")] = None
    huge_pages: Annotated[Amounts | None, doc("Its huge pages by size, such as 2Mi: 1024.")] = None


class GuestType(Struct):
    """A kind of guest that the node can run."""

    arch: Annotated[str | None, doc("Processor, such as x86_64.")] = None
    domain_types: Annotated[list[str] | None, doc("Values of spec.domain.type, such as kvm and qemu.")] = None
    emulator: Annotated[str | None, doc("The emulator.")] = None
    machines: Annotated[list[str] | None, doc("Machine types, such as q35.")] = None
    firmware: Annotated[list[str] | None, doc("Firmware that libvirt can choose: bios, efi.")] = None
    secure_boot: Annotated[bool | None, doc("Whether it can check signatures at boot.")] = None
    tpm: Annotated[bool | None, doc("Whether guests can have an emulated TPM.")] = None


class NodePool(Struct):
    """A storage pool on the node, with or without an object of ours."""

    needed = ("name",)

    name: Annotated[str, doc("Its name in libvirt.")]
    namespace: Annotated[str | None, doc("Namespace of the VirtualMachineStoragePool that it is, if any.")] = None
    object_name: Annotated[str | None, doc("Name of that object.")] = None
    type: Annotated[str | None, doc("Its type, such as dir or rbd.")] = None
    uuid: Annotated[str | None, doc("Its UUID.")] = None
    active: Annotated[bool | None, doc("Whether it is up.")] = None
    path: Annotated[str | None, doc("Where it is on the node.")] = None
    capacity: Annotated[Quantity | None, doc("Its size.")] = None
    available: Annotated[Quantity | None, doc("Room that is left.")] = None


class NodeNetwork(Struct):
    """A network on the node, with or without an object of ours."""

    needed = ("name",)

    name: Annotated[str, doc("Its name in libvirt.")]
    namespace: Annotated[str | None, doc("Namespace of the VirtualMachineNetwork that it is, if any.")] = None
    object_name: Annotated[str | None, doc("Name of that object.")] = None
    uuid: Annotated[str | None, doc("Its UUID.")] = None
    active: Annotated[bool | None, doc("Whether it is up.")] = None
    bridge: Annotated[str | None, doc("Its bridge.")] = None
    mode: Annotated[str | None, doc("How it forwards, such as nat or bridge; isolated where it does not.")] = None


class NodeDevice(Struct):
    """A device of the host that a guest can be given whole."""

    needed = ("name",)

    name: Annotated[str, doc("Its name in libvirt, such as pci_0000_3b_00_0.")]
    type: Annotated[str | None, doc("pci, usb or mdev.")] = None
    address: Annotated[str | None, doc("Where it is, such as 0000:3b:00.0.")] = None
    vendor: Annotated[str | None, doc("Its maker's number.")] = None
    product: Annotated[str | None, doc("Its product number.")] = None
    driver: Annotated[str | None, doc("The driver that has it now.")] = None
    iommu_group: Annotated[int | None, doc("Devices of one group go to one guest.")] = None
    numa_node: Annotated[int | None, doc("The NUMA node that it is at.")] = None
    virtual_functions: Annotated[int | None, doc("How many virtual functions it has (SR-IOV).")] = None
    used_by: Annotated[str | None, doc("The guest that has it, as namespace/name.")] = None


class DomainCounts(Struct):
    """The domains on the node."""

    managed: Annotated[int | None, doc("Those that have an object.")] = None
    unmanaged: Annotated[int | None, doc("Those that have none; they are never touched.")] = None
    running: Annotated[int | None, doc("Those that run.")] = None


class VirtualMachineNodeStatus(Struct):
    """What the node is and has."""

    observed_generation: ObservedGeneration = None
    hostname: Annotated[str | None, doc("The host's own name.")] = None
    uuid: Annotated[str | None, doc("The host's UUID, by which libvirt tells hosts apart in a migration.")] = None
    addresses: Annotated[list[str] | None, doc("Addresses that other nodes reach it by.")] = None
    agent: Annotated[AgentStatus | None, doc("The executor on the node.")] = None
    hypervisor: Annotated[HypervisorStatus | None, doc("What runs the guests.")] = None
    arch: Annotated[str | None, doc("The host's processor, such as x86_64.")] = None
    cpu: Annotated[CPUStatus | None, doc("The host's processors.")] = None
    numa: Annotated[list[NUMAStatus] | None, list_map("The host's NUMA nodes.", "id")] = None
    iommu: Annotated[bool | None, doc("Whether devices can be given to guests whole.")] = None
    migration_transports: Annotated[list[str] | None, doc("How guests can migrate, such as tcp and tls.")] = None
    guests: Annotated[list[GuestType] | None, doc("The kinds of guests that it can run.")] = None
    capacity: Annotated[Amounts | None, doc("What the node has: cpu, memory, hugepages-*.")] = None
    allocatable: Annotated[
        Amounts | None, doc("What guests may have of it: capacity less what is reserved, times overcommit.")
    ] = None
    allocated: Annotated[Amounts | None, doc("What the guests here have of it.")] = None
    pools: Annotated[list[NodePool] | None, list_map("Its storage pools.", "name")] = None
    networks: Annotated[list[NodeNetwork] | None, list_map("Its networks.", "name")] = None
    bridges: Annotated[list[str] | None, doc("Bridges of the host that guests can be attached to.")] = None
    devices: Annotated[list[NodeDevice] | None, list_map("Devices that guests can be given whole.", "name")] = None
    domains: Annotated[DomainCounts | None, doc("The domains on the node.")] = None
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachineNode",
    plural="virtualmachinenodes",
    short="vmnode",
    description="What an executor reports of its node: capabilities, pools, networks, what is left of it.",
    spec=VirtualMachineNodeSpec,
    status=VirtualMachineNodeStatus,
    namespaced=False,
    columns=(
        AGE,
        READY,
        Column("CPU", ".status.allocatable.cpu"),
        Column("Memory", ".status.allocatable.memory"),
        Column("Guests", ".status.domains.running", "integer"),
        Column("Unschedulable", ".spec.unschedulable", "boolean", wide=True),
        Column("Hypervisor", ".status.hypervisor.version", wide=True),
        Column("Libvirt", ".status.hypervisor.libvirtVersion", wide=True),
        Column("Model", ".status.cpu.model", wide=True),
    ),
    selectable=(".spec.unschedulable",),
)
