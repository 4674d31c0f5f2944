"""VirtualMachineDisk: one volume in a pool."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from schemas.api.common import (
    AGE,
    NAME,
    READY,
    Column,
    Conditions,
    DeletionPolicy,
    Kind,
    NodeName,
    NodeSelector,
    ObservedGeneration,
    Quantity,
    Reference,
    Rule,
    SharedReference,
    Struct,
    doc,
    native,
)


class Blank(Struct):
    """Nothing: the volume is made empty."""


class SnapshotSource(Struct):
    """A disk as a snapshot keeps it."""

    needed = ("name",)

    name: Annotated[str, doc("Name of the VirtualMachineSnapshot.", maxLength=NAME)]
    target: Annotated[
        str | None, doc("Which of the guest's disks, such as vda; the first unless given.", maxLength=64)
    ] = None


class CloneMode(StrEnum):
    """How a volume comes by what it is made from."""

    FULL = "Full"
    LINKED = "Linked"


class DiskSource(Struct):
    """What the volume is made from; one of these."""

    rules = (
        Rule(
            "[has(self.blank), has(self.imageRef), has(self.diskRef), has(self.snapshotRef)].filter(given, "
            "given).size() == 1",
            "give exactly one of blank, imageRef, diskRef and snapshotRef",
        ),
        Rule(
            "!has(self.keepGuestOff) || (has(self.diskRef) && has(self.clone) && self.clone == 'Linked')",
            "keepGuestOff goes with diskRef and clone Linked",
        ),
    )

    blank: Annotated[Blank | None, doc("An empty volume.")] = None
    image_ref: Annotated[SharedReference | None, doc("A VirtualMachineImage.")] = None
    disk_ref: Annotated[Reference | None, doc("Another VirtualMachineDisk, copied as it is at that time.")] = None
    snapshot_ref: Annotated[SnapshotSource | None, doc("A disk as a VirtualMachineSnapshot keeps it.")] = None
    clone: Annotated[
        CloneMode | None,
        doc(
            "Full (the default) copies the data; Linked keeps what it is made from as its backing store, which must "
            "not change from then on, and takes room only for what is written."
        ),
    ] = None
    keep_guest_off: Annotated[
        bool | None,
        doc(
            "Of a linked clone of a disk that a guest writes to: true keeps that guest off for as long as this volume "
            "stands on its disk; otherwise such a one is not made."
        ),
    ] = None


class VirtualMachineDiskSpec(Struct):
    """Which volume, where, and what is in it at first."""

    rules = (
        Rule(
            "!has(oldSelf.source) || (has(self.source) && self.source == oldSelf.source)",
            "source cannot change: it says what the volume was made from; make another VirtualMachineDisk",
        ),
        Rule(
            "!has(oldSelf.poolRef) || (has(self.poolRef) && self.poolRef == oldSelf.poolRef)",
            "poolRef cannot change: a volume stays in its pool; make another VirtualMachineDisk from this one",
        ),
        Rule(
            "!has(self.capacity) || !has(oldSelf.capacity)"
            " || quantity(self.capacity).compareTo(quantity(oldSelf.capacity)) >= 0",
            "capacity cannot shrink: that would cut off data",
        ),
    )

    source: Annotated[
        DiskSource | None,
        doc(
            "What the volume is made from; without one, a volume that is already there is taken as it is, else a "
            "blank one made."
        ),
    ] = None
    pool_ref: Annotated[SharedReference | None, doc("The VirtualMachineStoragePool that the volume is in.")] = None
    capacity: Annotated[
        Quantity | None, doc("Size that the guest sees, such as 20Gi; it may grow. It stands above volume.capacity.")
    ] = None
    volume: Annotated[
        dict[str, Any] | None,
        native("The volume itself: libvirt's storage volume, one to one (libvirt.org/formatstorage.html).", "volume"),
    ] = None
    node_name: Annotated[
        str | None,
        doc("The node that has the volume, where the pool's data differs from node to node.", maxLength=NAME),
    ] = None
    node_selector: Annotated[NodeSelector | None, doc("Labels that a node must have to be given the volume.")] = None
    deletion_policy: Annotated[
        DeletionPolicy | None,
        doc("Deleting this object deletes the volume and its data (Delete, the default) or leaves it (Retain)."),
    ] = None


class User(Struct):
    """An object that uses another."""

    kind: Annotated[str | None, doc("Its kind.")] = None
    name: Annotated[str | None, doc("Its name.")] = None


class VirtualMachineDiskStatus(Struct):
    """How the volume is."""

    observed_generation: ObservedGeneration = None
    phase: Annotated[str | None, doc("Pending, Provisioning, Ready, Resizing, Failed or Terminating.")] = None
    node_name: Annotated[NodeName | None, doc("The node that has the volume, or is to have it.")] = None
    executor_node: Annotated[
        NodeName | None,
        doc("The node whose executor makes the volume, and deletes it, where the pool is shared by several nodes."),
    ] = None
    pool: Annotated[str | None, doc("Name of the pool in libvirt.")] = None
    volume_name: Annotated[str | None, doc("Name of the volume in libvirt.")] = None
    path: Annotated[str | None, doc("Where the volume is on the node.")] = None
    key: Annotated[str | None, doc("The volume's key in libvirt.")] = None
    format: Annotated[str | None, doc("Format, such as qcow2.")] = None
    capacity: Annotated[Quantity | None, doc("Size that the guest sees.")] = None
    allocation: Annotated[Quantity | None, doc("Room that it takes in the pool.")] = None
    progress_percent: Annotated[int | None, doc("How far the filling is.")] = None
    used_by: Annotated[list[User] | None, doc("Guests that have it, and disks and snapshots that are based on it.")] = (
        None
    )
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachineDisk",
    plural="virtualmachinedisks",
    short="vmdisk",
    description="One volume in a pool: blank, or made from an image, a disk or a snapshot.",
    spec=VirtualMachineDiskSpec,
    status=VirtualMachineDiskStatus,
    columns=(
        AGE,
        Column("Phase", ".status.phase"),
        READY,
        Column("Capacity", ".status.capacity"),
        Column("Pool", ".spec.poolRef.name"),
        Column("Node", ".status.nodeName", wide=True),
        Column("Path", ".status.path", wide=True),
    ),
    selectable=(".spec.nodeName", ".status.nodeName", ".status.phase"),
)
