"""Documents of guests that really boot; their kernel and initial RAM disk are those of the demonstration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.guest import guest_files

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["document", "guest_files"]


def document(name: str, kernel: Path, initrd: Path, *, devices: str = "", metadata: str = "", memory: int = 192) -> str:
    """Return a guest's document: *memory* in MiB, one vCPU of two, room to attach devices, a CD drive, a VNC screen."""
    ports = "<controller type='pci' model='pcie-root-port'/>" * 6
    return f"""
<domain type='qemu'>
  <name>{name}</name>
  <metadata>{metadata}</metadata>
  <memory unit='MiB'>{memory}</memory>
  <vcpu current='1'>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 panic=-1 loglevel=3 random.trust_cpu=on</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <devices>
    <controller type='pci' model='pcie-root'/>
    {ports}
    <controller type='scsi' model='virtio-scsi'/>
    <disk type='file' device='cdrom'><target dev='sda' bus='scsi'/><readonly/></disk>
    <serial type='pty'/>
    <console type='pty'/>
    <graphics type='vnc' autoport='yes' listen='127.0.0.1'/>
    <video><model type='vga'/></video>
    {devices}
  </devices>
</domain>
"""
