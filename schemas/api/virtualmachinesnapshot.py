"""VirtualMachineSnapshot: a snapshot of a guest."""

from __future__ import annotations

from typing import Annotated, Any

from schemas.api.common import (
    AGE,
    READY,
    Column,
    Conditions,
    DeletionPolicy,
    Kind,
    NodeName,
    ObservedGeneration,
    Quantity,
    Reference,
    Rule,
    Struct,
    Time,
    doc,
    list_map,
    native,
)


class VirtualMachineSnapshotSpec(Struct):
    """Of which guest, and how."""

    rules = (
        Rule(
            "!has(oldSelf.virtualMachineRef)"
            " || (has(self.virtualMachineRef) && self.virtualMachineRef == oldSelf.virtualMachineRef)",
            "virtualMachineRef cannot change: a snapshot is of one guest",
        ),
    )

    virtual_machine_ref: Annotated[Reference | None, doc("The VirtualMachine to take a snapshot of.")] = None
    quiesce: Annotated[
        bool | None, doc("Whether the agent inside the guest holds its file systems still meanwhile.")
    ] = None
    domain_snapshot: Annotated[
        dict[str, Any] | None,
        native(
            "The snapshot itself: libvirt's domain snapshot, one to one (libvirt.org/formatsnapshot.html).",
            "domainsnapshot",
        ),
    ] = None
    deadline_seconds: Annotated[
        int | None, doc("How long it may take before it counts as failed; 300 unless given.", minimum=1)
    ] = None
    deletion_policy: Annotated[
        DeletionPolicy | None,
        doc(
            "Deleting this object deletes the snapshot (Delete, the default; later ones stay whole) or leaves it "
            "(Retain)."
        ),
    ] = None


class SnapshotDiskStatus(Struct):
    """A disk as the snapshot keeps it."""

    needed = ("target",)

    target: Annotated[str, doc("The disk's name in the guest's bus, such as vda.")]
    snapshot: Annotated[str | None, doc("internal, external or no.")] = None
    path: Annotated[str | None, doc("Where the state is kept.")] = None
    disk_ref: Annotated[Reference | None, doc("The VirtualMachineDisk that it is of.")] = None
    size: Annotated[Quantity | None, doc("Room that it takes.")] = None


class VirtualMachineSnapshotStatus(Struct):
    """What became of it."""

    observed_generation: ObservedGeneration = None
    phase: Annotated[str | None, doc("Pending, InProgress, Ready, Failed or Terminating.")] = None
    ready_to_use: Annotated[bool | None, doc("Whether the guest can be restored to it.")] = None
    node_name: Annotated[NodeName | None, doc("The node that has it.")] = None
    name: Annotated[str | None, doc("The snapshot's name in libvirt.")] = None
    domain_uuid: Annotated[str | None, doc("UUID of the domain that it is of.")] = None
    creation_time: Annotated[Time | None, doc("The moment that it shows.")] = None
    state: Annotated[
        str | None, doc("State of the guest at that moment, such as running, shutoff or disk-snapshot.")
    ] = None
    current: Annotated[bool | None, doc("Whether the guest goes on from this one.")] = None
    parent: Annotated[str | None, doc("The snapshot before it, by its name in libvirt.")] = None
    disks: Annotated[list[SnapshotDiskStatus] | None, list_map("The disks as it keeps them.", "target")] = None
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachineSnapshot",
    plural="virtualmachinesnapshots",
    short="vmsnapshot",
    description="A snapshot of a guest: its disks, and its memory too if it ran.",
    spec=VirtualMachineSnapshotSpec,
    status=VirtualMachineSnapshotStatus,
    columns=(
        AGE,
        Column("VM", ".spec.virtualMachineRef.name"),
        Column("Phase", ".status.phase"),
        READY,
        Column("Taken", ".status.creationTime", "date", wide=True),
        Column("State", ".status.state", wide=True),
        Column("Node", ".status.nodeName", wide=True),
    ),
    selectable=(".spec.virtualMachineRef.name", ".status.nodeName", ".status.phase"),
)
