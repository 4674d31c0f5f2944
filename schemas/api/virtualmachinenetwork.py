"""VirtualMachineNetwork: a libvirt network on the nodes that it selects."""

from __future__ import annotations

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
    Struct,
    doc,
    list_map,
    native,
)


class VirtualMachineNetworkSpec(Struct):
    """Which network, and on which nodes."""

    network: Annotated[
        dict[str, Any] | None,
        native("The network itself: libvirt's network, one to one (libvirt.org/formatnetwork.html).", "network"),
    ] = None
    node_selector: Annotated[
        NodeSelector | None, doc("Labels of the nodes that have the network; without any, every node.")
    ] = None
    node_names: Annotated[
        list[NodeName] | None, doc("The nodes that have it, by name, of those that nodeSelector fits.")
    ] = None
    active: Annotated[bool | None, doc("Whether the network is up; true unless given.")] = None
    autostart: Annotated[
        bool | None, doc("Whether libvirt itself brings it up when the node starts; true unless given.")
    ] = None
    drift_policy: Annotated[DriftPolicy | None, doc(DRIFT)] = None
    deletion_policy: Annotated[
        DeletionPolicy | None,
        doc(
            "Deleting this object takes the network down and undefines it (Delete, the default) or leaves it (Retain)."
        ),
    ] = None


class NetworkNodeState(NodeState):
    """The network on one node."""

    bridge: Annotated[str | None, doc("The bridge that it is on this node.")] = None
    autostart: Annotated[bool | None, doc("Whether libvirt starts it with the node.")] = None


class VirtualMachineNetworkStatus(Struct):
    """Where the network is."""

    observed_generation: ObservedGeneration = None
    nodes_desired: Annotated[int | None, doc("How many nodes should have it.")] = None
    nodes_ready: Annotated[int | None, doc("How many have it as the spec says.")] = None
    nodes: Annotated[list[NetworkNodeState] | None, list_map("The network on each node.", "nodeName")] = None
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachineNetwork",
    plural="virtualmachinenetworks",
    short="vmnet",
    description="A libvirt network on the nodes that it selects.",
    spec=VirtualMachineNetworkSpec,
    status=VirtualMachineNetworkStatus,
    columns=(
        AGE,
        Column("Mode", ".spec.network.forward.mode"),
        READY,
        Column("Nodes", ".status.nodesReady", "integer"),
        Column("Bridge", ".spec.network.bridge.name", wide=True),
        Column("Desired", ".status.nodesDesired", "integer", wide=True),
    ),
)
