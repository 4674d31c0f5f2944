"""QEMU, with KVM or in software: it has everything."""

from __future__ import annotations

import libvirt

from executor.hypervisor.drivers.base import ALWAYS, Driver, Operation

QEMU = Driver(
    name="qemu",
    connection_type="QEMU",
    guest_types=frozenset({"kvm", "qemu", "hvf"}),
    operations=dict.fromkeys(Operation, ALWAYS),
    undefine_flags=(
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
        # Bindings built against an older library lack these two.
        | getattr(libvirt, "VIR_DOMAIN_UNDEFINE_TPM", 0)
        | getattr(libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_TPM", 0)
    ),
    # One guest whose QEMU hangs must not hold up the list of all the others.
    stats_flags=libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
    statistics=(
        libvirt.VIR_DOMAIN_STATS_STATE
        | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
        | libvirt.VIR_DOMAIN_STATS_BALLOON
        | libvirt.VIR_DOMAIN_STATS_VCPU
        | libvirt.VIR_DOMAIN_STATS_INTERFACE
        | libvirt.VIR_DOMAIN_STATS_BLOCK
    ),
)
