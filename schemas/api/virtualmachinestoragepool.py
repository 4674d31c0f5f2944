"""VirtualMachineStoragePool: a libvirt storage pool on the nodes that it selects."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from schemas.api.common import (
    AGE,
    DRIFT,
    READY,
    Column,
    Conditions,
    DeletionPolicy,
    DriftPolicy,
    Kind,
    NodeName,
    NodeSelector,
    NodeState,
    ObservedGeneration,
    Quantity,
    SecretKey,
    Struct,
    doc,
    list_map,
    native,
)


class BuildPolicy(StrEnum):
    """Whether what lies below a pool is made: a folder, a file system, a volume group."""

    NEVER = "Never"
    IF_MISSING = "IfMissing"


class VirtualMachineStoragePoolSpec(Struct):
    """Which pool, and on which nodes."""

    pool: Annotated[
        dict[str, Any] | None,
        native("The pool itself: libvirt's storage pool, one to one (libvirt.org/formatstorage.html).", "pool"),
    ] = None
    shared: Annotated[
        bool | None,
        doc(
            "Whether all nodes see the same data; known from the type (rbd, netfs, iscsi, gluster ... are) unless "
            "given."
        ),
    ] = None
    secret_ref: Annotated[
        SecretKey | None,
        doc("The key or password for the pool's source; executors give it to libvirt as pool.source.auth.secret."),
    ] = None
    node_selector: Annotated[
        NodeSelector | None, doc("Labels of the nodes that have the pool; without any, every node.")
    ] = None
    node_names: Annotated[
        list[NodeName] | None, doc("The nodes that have it, by name, of those that nodeSelector fits.")
    ] = None
    build_policy: Annotated[
        BuildPolicy | None,
        doc(
            "Whether what lies below the pool, such as its folder, is made where it is missing (IfMissing, the "
            "default) or Never."
        ),
    ] = None
    active: Annotated[bool | None, doc("Whether the pool is up; true unless given.")] = None
    autostart: Annotated[
        bool | None, doc("Whether libvirt itself brings it up when the node starts; true unless given.")
    ] = None
    drift_policy: Annotated[DriftPolicy | None, doc(DRIFT)] = None
    deletion_policy: Annotated[
        DeletionPolicy | None,
        doc(
            "Deleting this object undefines the pool (Delete, the default) or leaves it (Retain); volumes stay "
            "either way."
        ),
    ] = None


class PoolNodeState(NodeState):
    """The pool on one node."""

    capacity: Annotated[Quantity | None, doc("Size of the pool.")] = None
    allocation: Annotated[Quantity | None, doc("Room that is taken.")] = None
    available: Annotated[Quantity | None, doc("Room that is left.")] = None
    autostart: Annotated[bool | None, doc("Whether libvirt starts it with the node.")] = None


class VirtualMachineStoragePoolStatus(Struct):
    """Where the pool is, and how full."""

    observed_generation: ObservedGeneration = None
    nodes_desired: Annotated[int | None, doc("How many nodes should have it.")] = None
    nodes_ready: Annotated[int | None, doc("How many have it as the spec says.")] = None
    executor_node: Annotated[
        NodeName | None,
        doc("The node whose executor does what is done once for all, where the pool is shared by several nodes."),
    ] = None
    capacity: Annotated[Quantity | None, doc("Size of the pool; of all nodes together where it is not shared.")] = None
    available: Annotated[Quantity | None, doc("Room that is left; of all nodes together where it is not shared.")] = (
        None
    )
    nodes: Annotated[list[PoolNodeState] | None, list_map("The pool on each node.", "nodeName")] = None
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachineStoragePool",
    plural="virtualmachinestoragepools",
    short="vmpool",
    description="A libvirt storage pool on the nodes that it selects.",
    spec=VirtualMachineStoragePoolSpec,
    status=VirtualMachineStoragePoolStatus,
    columns=(
        AGE,
        Column("Type", ".spec.pool.type"),
        READY,
        Column("Nodes", ".status.nodesReady", "integer"),
        Column("Capacity", ".status.capacity"),
        Column("Available", ".status.available"),
        Column("Desired", ".status.nodesDesired", "integer", wide=True),
    ),
)
