"""VirtualMachineSnapshots on a node."""
