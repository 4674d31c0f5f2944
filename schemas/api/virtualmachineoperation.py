"""VirtualMachineOperation: one imperative act on a guest, done exactly once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from schemas.api.common import (
    AGE,
    NAME,
    Column,
    Conditions,
    Kind,
    NodeName,
    ObservedGeneration,
    Quantity,
    Reference,
    Rule,
    Struct,
    Time,
    doc,
)
from schemas.api.virtualmachinedisk import CloneMode  # noqa: TC001  (msgspec reads the hints at run time)


class OperationType(StrEnum):
    """What can be done."""

    START = "Start"
    STOP = "Stop"
    POWER_OFF = "PowerOff"
    RESTART = "Restart"
    RESET = "Reset"
    SOFT_REBOOT = "SoftReboot"
    PAUSE = "Pause"
    RESUME = "Resume"
    SAVE = "Save"
    RESTORE = "Restore"
    CLONE = "Clone"
    MIGRATE = "Migrate"
    DUMP = "Dump"
    INJECT_NMI = "InjectNMI"


class OperationTarget(Struct):
    """The guest that it is done to."""

    needed = ("name",)

    name: Annotated[str, doc("Name of the VirtualMachine.", maxLength=NAME)]
    uid: Annotated[str | None, doc("Its uid, to be sure that it is the one that was meant.", maxLength=64)] = None


class ShutdownMode(StrEnum):
    """How a guest is asked to shut down."""

    ACPI = "ACPI"
    AGENT = "Agent"
    INITCTL = "InitCtl"
    SIGNAL = "Signal"


class StopParameters(Struct):
    """How to stop, for Stop and Restart."""

    grace_period_seconds: Annotated[
        int | None,
        doc("How long the guest has before its power is cut; its own grace period unless given.", minimum=0),
    ] = None
    mode: Annotated[
        ShutdownMode | None, doc("How it is asked: ACPI, Agent, InitCtl or Signal; what answers first unless given.")
    ] = None


class CopyStorage(StrEnum):
    """Which of a guest's storage moves with it."""

    NONE = "None"
    ALL = "All"
    INCREMENTAL = "Incremental"


class MigrateParameters(Struct):
    """Where to migrate to, and how."""

    node_name: Annotated[str | None, doc("The node to go to; the scheduler chooses unless given.", maxLength=NAME)] = (
        None
    )
    offline: Annotated[bool | None, doc("Whether a guest that is off is moved too; false unless given.")] = None
    copy_storage: Annotated[
        CopyStorage | None,
        doc(
            "What moves of disks that the nodes do not share: None (the default), All, or Incremental (what differs "
            "from the image)."
        ),
    ] = None
    post_copy: Annotated[bool | None, doc("Whether it may run on the new node before all memory is there.")] = None
    auto_converge: Annotated[bool | None, doc("Whether the guest may be slowed down so that it comes to an end.")] = (
        None
    )
    compressed: Annotated[bool | None, doc("Whether memory is compressed on its way.")] = None
    tls: Annotated[bool | None, doc("Whether it must be encrypted.")] = None
    parallel_connections: Annotated[int | None, doc("Over how many connections memory goes.", minimum=1)] = None
    bandwidth: Annotated[Quantity | None, doc("The most that it may take in a second, such as 500Mi.")] = None
    max_downtime_milliseconds: Annotated[int | None, doc("For how long the guest may stand still.", minimum=1)] = None


class RestoreParameters(Struct):
    """What to go back to."""

    needed = ("snapshotRef",)

    snapshot_ref: Annotated[Reference, doc("The VirtualMachineSnapshot.")]
    state: Annotated[RestoreState | None, doc("Running or Paused afterwards; as the snapshot was unless given.")] = None


class RestoreState(StrEnum):
    """How a guest is after it was restored."""

    RUNNING = "Running"
    PAUSED = "Paused"


class CloneParameters(Struct):
    """What to make of the guest."""

    needed = ("target",)

    target: Annotated[str, doc("Name of the VirtualMachine to make, in the guest's namespace.", maxLength=200)]
    mode: Annotated[
        CloneMode | None,
        doc(
            "Full (the default): its disks are copies; Linked: they stand on the guest's, which is kept off for as "
            "long as they do."
        ),
    ] = None


class DumpParameters(Struct):
    """Where the guest's memory is written to."""

    needed = ("poolRef",)

    pool_ref: Annotated[Reference, doc("The VirtualMachineStoragePool to write it to.")]
    memory_only: Annotated[
        bool | None, doc("Whether devices' state is left out, for crash and gdb; true unless given.")
    ] = None


class VirtualMachineOperationSpec(Struct):
    """What to do, and to which guest."""

    needed = ("type", "virtualMachineRef")
    rules = (
        Rule(
            "self == oldSelf",
            "the spec of an operation cannot change: it is done once; make another VirtualMachineOperation",
        ),
        Rule("self.type in ['Stop', 'Restart'] || !has(self.stop)", "stop goes with type Stop or Restart"),
        Rule("self.type == 'Migrate' || !has(self.migrate)", "migrate goes with type Migrate"),
        Rule(
            "self.type == 'Restore' || !has(self.restore)",
            "restore goes with type Restore",
        ),
        Rule("(self.type == 'Clone') == has(self.clone)", "type Clone needs clone, with target; no other has it"),
        Rule("(self.type == 'Dump') == has(self.dump)", "type Dump needs dump, with poolRef; no other has it"),
    )

    type: Annotated[
        OperationType,
        doc(
            "What to do: Start, Stop (ask the guest to shut down), PowerOff (cut its power), Restart (stop and "
            "start), Reset (as its button), SoftReboot (ask its system to reboot), Pause, Resume, Save (its memory to "
            "disk, and off), Restore (go on from saved memory, or go back to a snapshot), Clone (make another guest of "
            "it, which is off), Migrate, Dump (its memory) or InjectNMI. The last three are refused for now."
        ),
    ]
    virtual_machine_ref: Annotated[OperationTarget, doc("The VirtualMachine that it is done to.")]
    stop: Annotated[StopParameters | None, doc("How to stop, for Stop and Restart.")] = None
    migrate: Annotated[MigrateParameters | None, doc("Where to and how, for Migrate.")] = None
    restore: Annotated[
        RestoreParameters | None,
        doc("The snapshot to go back to, for Restore; without it, on from saved memory."),
    ] = None
    clone: Annotated[CloneParameters | None, doc("What to make of it, for Clone.")] = None
    dump: Annotated[DumpParameters | None, doc("Where to write it, for Dump.")] = None
    active_deadline_seconds: Annotated[
        int | None, doc("From its creation on, how long it may take before it is given up.", minimum=1)
    ] = None
    ttl_seconds_after_finished: Annotated[
        int | None, doc("How long after its end this object is deleted; a day unless given.", minimum=0)
    ] = None


class VirtualMachineOperationStatus(Struct):
    """How far it is, and how it ended."""

    observed_generation: ObservedGeneration = None
    phase: Annotated[str | None, doc("Pending, Running, Succeeded or Failed.")] = None
    node_name: Annotated[NodeName | None, doc("The node whose executor does it: the one that the guest is on.")] = None
    target_node_name: Annotated[NodeName | None, doc("Where a migration goes.")] = None
    start_time: Annotated[Time | None, doc("When it was begun.")] = None
    completion_time: Annotated[Time | None, doc("When it ended.")] = None
    progress_percent: Annotated[int | None, doc("How far it is.")] = None
    message: Annotated[str | None, doc("What it does, or what went wrong.")] = None
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachineOperation",
    plural="virtualmachineoperations",
    short="vmop",
    description="One imperative act on a guest, done exactly once.",
    spec=VirtualMachineOperationSpec,
    status=VirtualMachineOperationStatus,
    columns=(
        AGE,
        Column("Type", ".spec.type"),
        Column("VM", ".spec.virtualMachineRef.name"),
        Column("Phase", ".status.phase"),
        Column("Node", ".status.nodeName", wide=True),
        Column("Message", ".status.message", wide=True),
    ),
    selectable=(".spec.virtualMachineRef.name", ".status.nodeName", ".status.targetNodeName", ".status.phase"),
    needs_spec=True,
)
