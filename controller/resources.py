"""The kinds of ours, as the API server knows them."""

from __future__ import annotations

from typing import Final

from kube.resource import Resource

GUESTS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachine", "virtualmachines")
DISKS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineDisk", "virtualmachinedisks")
IMAGES: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineImage", "virtualmachineimages")
SNAPSHOTS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineSnapshot", "virtualmachinesnapshots")
NETWORKS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineNetwork", "virtualmachinenetworks")
POOLS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineStoragePool", "virtualmachinestoragepools")
OPERATIONS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineOperation", "virtualmachineoperations")
REPLICASETS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineReplicaSet", "virtualmachinereplicasets")
NODES: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineNode", "virtualmachinenodes", namespaced=False)

MACHINES: Final = Resource("", "v1", "Node", "nodes", namespaced=False)
"""Kubernetes' own Nodes, for their labels."""

NAMESPACES: Final = Resource("", "v1", "Namespace", "namespaces", namespaced=False)

DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

PODS: Final = Resource("", "v1", "Pod", "pods")

MANAGER: Final = "kubevmm-controller"
"""The field manager."""
