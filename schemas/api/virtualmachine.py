"""VirtualMachine: one libvirt domain and how it should run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from schemas.api.common import (
    AGE,
    DRIFT,
    NAME,
    READY,
    Column,
    Conditions,
    DeletionPolicy,
    DriftPolicy,
    Kind,
    NodeName,
    NodeSelector,
    ObservedGeneration,
    Quantity,
    Reference,
    Rule,
    SharedReference,
    Struct,
    Time,
    doc,
    list_map,
    native,
)
from schemas.api.scheduling import Affinity, SpreadConstraint, Toleration  # noqa: TC001  (msgspec reads the hints)


class RunStrategy(StrEnum):
    """When a guest should be running."""

    ALWAYS = "Always"
    RERUN_ON_FAILURE = "RerunOnFailure"
    ONCE = "Once"
    MANUAL = "Manual"
    HALTED = "Halted"


class UpdateStrategy(StrEnum):
    """When a change of the spec reaches a running guest."""

    LIVE = "Live"
    ON_RESTART = "OnRestart"


class EvictionStrategy(StrEnum):
    """What happens to a running guest whose node is drained."""

    LIVE_MIGRATE = "LiveMigrate"
    SHUTDOWN = "Shutdown"
    NONE = "None"


class PrintableStatus(StrEnum):
    """The words of ``status.printableStatus``, as KubeVirt has them; readers must bear words that they do not know."""

    STOPPED = "Stopped"
    PROVISIONING = "Provisioning"
    SCHEDULING = "Scheduling"
    STARTING = "Starting"
    RUNNING = "Running"
    PAUSED = "Paused"
    MIGRATING = "Migrating"
    STOPPING = "Stopping"
    TERMINATING = "Terminating"
    CRASH_LOOP_BACK_OFF = "CrashLoopBackOff"
    ERROR_UNSCHEDULABLE = "ErrorUnschedulable"
    UNKNOWN = "Unknown"


class CloudInitSource(StrEnum):
    """How cloud-init in the guest finds its data."""

    NO_CLOUD = "NoCloud"
    CONFIG_DRIVE = "ConfigDrive"


class CloudInit(Struct):
    """What cloud-init in the guest is told, on a small disk made for it."""

    datasource: Annotated[CloudInitSource | None, doc("Form of the disk: NoCloud (the default) or ConfigDrive.")] = None
    user_data: Annotated[
        str | None, doc("User data, such as a #cloud-config document; what is secret belongs in a Secret.")
    ] = None
    network_data: Annotated[str | None, doc("Network configuration, version 1 or 2.")] = None
    meta_data: Annotated[str | None, doc("Metadata; instance-id and local-hostname are made where it has none.")] = None
    hostname: Annotated[
        str | None, doc("The guest's host name; the object's own name where neither this nor the metadata says it.")
    ] = None
    ssh_authorized_keys: Annotated[
        list[str] | None,
        doc("Public keys, a line each as in authorized_keys, for the user that the guest begins with."),
    ] = None
    secret_ref: Annotated[
        Reference | None,
        doc(
            "A Secret whose keys userData, networkData, metaData and sshAuthorizedKeys stand in for those not given "
            "here."
        ),
    ] = None
    pool_ref: Annotated[
        SharedReference | None,
        doc(
            "The VirtualMachineStoragePool, of files, in which the disk is made; without one, the node's own "
            "kubevmm-seeds."
        ),
    ] = None


class VirtualMachineSpec(Struct):
    """How the guest is made and how it should run."""

    rules = (
        Rule("!(has(self.running) && has(self.runStrategy))", "give either running or runStrategy, not both"),
        Rule(
            "!has(oldSelf.domain) || !has(oldSelf.domain.uuid) || !has(self.domain)"
            " || (has(self.domain.uuid) && self.domain.uuid == oldSelf.domain.uuid)",
            "domain.uuid cannot change once it is set: it is what the guest is known by; make another VirtualMachine",
        ),
    )

    run_strategy: Annotated[
        RunStrategy | None,
        doc(
            "When the guest should run: Always (started again whenever it ends), RerunOnFailure (unless it shut "
            "itself down), "
            "Once, Halted, or Manual (only operations start and stop it; the default)."
        ),
    ] = None
    running: Annotated[bool | None, doc("In place of runStrategy: true means Always, false means Halted.")] = None
    domain: Annotated[
        dict[str, Any] | None,
        native("The guest itself: libvirt's domain, one to one (libvirt.org/formatdomain.html).", "domain"),
    ] = None
    node_name: Annotated[
        str | None,
        doc(
            "The node to run on, past the scheduler; taken away, the scheduler may place the guest anew.",
            maxLength=NAME,
        ),
    ] = None
    node_selector: Annotated[NodeSelector | None, doc("Labels that a node must have to run the guest.")] = None
    affinity: Annotated[
        Affinity | None, doc("Which nodes and which company the guest needs or prefers, as for a Pod.")
    ] = None
    tolerations: Annotated[
        list[Toleration] | None, doc("Taints of nodes that do not keep the guest away, as for a Pod.")
    ] = None
    topology_spread_constraints: Annotated[
        list[SpreadConstraint] | None, doc("How evenly it is spread over the nodes with others, as for a Pod.")
    ] = None
    priority_class_name: Annotated[
        str | None,
        doc("PriorityClass: who goes first, and who may push whom aside, when room is short.", maxLength=NAME),
    ] = None
    cloud_init: Annotated[CloudInit | None, doc("What cloud-init in the guest is told at its first start.")] = None
    update_strategy: Annotated[
        UpdateStrategy | None,
        doc(
            "Whether a change reaches the running guest where libvirt can do that (Live, the default) or waits for "
            "its next start."
        ),
    ] = None
    eviction_strategy: Annotated[
        EvictionStrategy | None,
        doc(
            "What a drain of the node does to the running guest: LiveMigrate (the default), Shutdown, or None (the "
            "drain waits)."
        ),
    ] = None
    drift_policy: Annotated[DriftPolicy | None, doc(DRIFT)] = None
    deletion_policy: Annotated[
        DeletionPolicy | None,
        doc(
            "Deleting this object stops and undefines the guest (Delete, the default) or lets it run on unmanaged "
            "(Retain)."
        ),
    ] = None
    termination_grace_period_seconds: Annotated[
        int | None, doc("How long the guest has to shut down before its power is cut; 180 unless given.", minimum=0)
    ] = None


class DomainStatus(Struct):
    """The domain as libvirt on the node has it."""

    name: Annotated[str | None, doc("The domain's name in libvirt.")] = None
    uuid: Annotated[str | None, doc("The domain's UUID.")] = None
    state: Annotated[
        str | None, doc("libvirt's own word: running, blocked, paused, shutdown, shutoff, crashed, pmsuspended.")
    ] = None
    reason: Annotated[str | None, doc("libvirt's reason for it, such as booted, migrated, ioerror.")] = None


class InterfaceStatus(Struct):
    """An interface of the guest, as the host and the guest's agent see it."""

    mac: Annotated[str | None, doc("MAC address.")] = None
    name: Annotated[str | None, doc("Name inside the guest, such as eth0.")] = None
    device: Annotated[str | None, doc("Name on the node, such as vnet3.")] = None
    network: Annotated[str | None, doc("The network or bridge that it is attached to.")] = None
    ip_address: Annotated[str | None, doc("Its first address.")] = None
    ip_addresses: Annotated[list[str] | None, doc("All of its addresses.")] = None
    source: Annotated[str | None, doc("Who knows the addresses: agent, lease or arp.")] = None


class DiskStatus(Struct):
    """A disk of the guest."""

    needed = ("target",)

    target: Annotated[str, doc("The disk's name in the guest's bus, such as vda.")]
    disk_ref: Annotated[Reference | None, doc("The VirtualMachineDisk that it is.")] = None
    path: Annotated[str | None, doc("Where its data is on the node.")] = None
    capacity: Annotated[Quantity | None, doc("Its size, as the guest sees it.")] = None
    allocation: Annotated[Quantity | None, doc("The room that it takes.")] = None


class GraphicsStatus(Struct):
    """Where a graphical console listens."""

    type: Annotated[str | None, doc("vnc, spice or rdp.")] = None
    address: Annotated[str | None, doc("Address on the node.")] = None
    port: Annotated[int | None, doc("Port.")] = None
    tls_port: Annotated[int | None, doc("Port for TLS.")] = None
    socket: Annotated[str | None, doc("Path of a UNIX socket, in place of address and port.")] = None


class GuestStatus(Struct):
    """What the agent inside the guest says."""

    agent_connected: Annotated[bool | None, doc("Whether the agent answers.")] = None
    hostname: Annotated[str | None, doc("The guest's own host name.")] = None
    os_name: Annotated[str | None, doc("Operating system, for people.")] = None
    os_id: Annotated[str | None, doc("Operating system, for programs, such as debian.")] = None
    os_version: Annotated[str | None, doc("Its version.")] = None
    kernel: Annotated[str | None, doc("Release of its kernel.")] = None
    timezone: Annotated[str | None, doc("Its time zone.")] = None


class MigrationStatus(Struct):
    """The migration that goes on, or the last one."""

    operation: Annotated[str | None, doc("Name of the VirtualMachineOperation.")] = None
    phase: Annotated[str | None, doc("Pending, Preparing, Running, Succeeded, Failed or Cancelled.")] = None
    source_node: Annotated[str | None, doc("Where it comes from.")] = None
    target_node: Annotated[str | None, doc("Where it goes.")] = None
    start_time: Annotated[Time | None, doc("When it began.")] = None
    completion_time: Annotated[Time | None, doc("When it ended.")] = None
    progress_percent: Annotated[int | None, doc("How far it is.")] = None
    message: Annotated[str | None, doc("What went wrong, if anything.")] = None


class OperationStatus(Struct):
    """The operation that was acted on last; with its uid, none is acted on twice."""

    name: Annotated[str | None, doc("Name of the VirtualMachineOperation.")] = None
    uid: Annotated[str | None, doc("Its uid.")] = None
    type: Annotated[str | None, doc("Its type.")] = None
    completion_time: Annotated[Time | None, doc("When it was done.")] = None


class VirtualMachineStatus(Struct):
    """How the guest runs."""

    observed_generation: ObservedGeneration = None
    node_name: Annotated[NodeName | None, doc("The node that the guest is on, or is to be on.")] = None
    printable_status: Annotated[
        str | None,
        doc(
            "In one word: Stopped, Provisioning, Scheduling, Starting, Running, Paused, Migrating, Stopping, "
            "Terminating, "
            "CrashLoopBackOff, ErrorUnschedulable or Unknown."
        ),
    ] = None
    created: Annotated[bool | None, doc("Whether the domain is defined on its node.")] = None
    ready: Annotated[bool | None, doc("Whether the guest runs and everything about it is as the spec says.")] = None
    start_time: Annotated[Time | None, doc("When the guest was last started.")] = None
    domain: Annotated[DomainStatus | None, doc("The domain as libvirt has it.")] = None
    interfaces: Annotated[list[InterfaceStatus] | None, doc("The guest's interfaces and addresses.")] = None
    disks: Annotated[list[DiskStatus] | None, list_map("The guest's disks.", "target")] = None
    graphics: Annotated[list[GraphicsStatus] | None, doc("Where its graphical consoles listen.")] = None
    guest: Annotated[GuestStatus | None, doc("What the agent inside the guest says.")] = None
    vcpus: Annotated[int | None, doc("Virtual CPUs that are on line.")] = None
    memory: Annotated[Quantity | None, doc("Memory that the guest has now.")] = None
    restart_required: Annotated[bool | None, doc("Whether changes wait for the guest's next start.")] = None
    pending_changes: Annotated[list[str] | None, doc("The paths below spec.domain that wait for it.")] = None
    drift: Annotated[list[str] | None, doc("The paths below spec.domain in which the node differs from the spec.")] = (
        None
    )
    migration: Annotated[MigrationStatus | None, doc("The migration that goes on, or the last one.")] = None
    last_operation: Annotated[OperationStatus | None, doc("The operation that was acted on last.")] = None
    restart_count: Annotated[int | None, doc("How often in a row the guest was started again after it failed.")] = None
    next_start_time: Annotated[Time | None, doc("When it is started again, while it waits (CrashLoopBackOff).")] = None
    evacuation_node_name: Annotated[
        NodeName | None, doc("The node that the guest is to leave: it is drained, and the guest is placed anew.")
    ] = None
    placement_pod: Annotated[str | None, doc("The Pod that holds the guest's place on the node.")] = None
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachine",
    plural="virtualmachines",
    short="vm",
    description="One libvirt domain and how it should run.",
    spec=VirtualMachineSpec,
    status=VirtualMachineStatus,
    columns=(
        AGE,
        Column("Status", ".status.printableStatus"),
        READY,
        Column("Node", ".status.nodeName", wide=True),
        Column("IP", ".status.interfaces[*].ipAddress", wide=True),
        Column("CPU", ".spec.domain.vcpu.value", wide=True),
        Column("Memory", ".spec.domain.memory", wide=True),
    ),
    selectable=(".spec.nodeName", ".status.nodeName", ".status.printableStatus"),
)
