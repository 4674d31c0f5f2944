"""The kinds of ours, as the API server knows them."""

from __future__ import annotations

from typing import Final

from kube.resource import Resource

GUESTS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachine", "virtualmachines")
NETWORKS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineNetwork", "virtualmachinenetworks")
POOLS: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineStoragePool", "virtualmachinestoragepools")
NODES: Final = Resource("kubevmm.io", "v1alpha1", "VirtualMachineNode", "virtualmachinenodes", namespaced=False)

MANAGER: Final = "kubevmm-controller"
"""The field manager."""
