"""Documents of guests: pretended ones, and real ones that need no disk, since their firmware is enough of a program."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def pretended(name: str, *, devices: str = "") -> str:
    return (
        f"<domain type='test'><name>{name}</name><memory unit='MiB'>64</memory>"
        f"<os><type>hvm</type></os><devices>{devices}</devices></domain>"
    )


def real(name: str, *, devices: str = "") -> str:
    """64 MiB, two vCPUs of which one is plugged, the firmware's messages on the serial line, room to attach devices."""
    return f"""
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <vcpu current='1'>2</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><bios useserial='yes'/></os>
  <devices>
    <controller type='pci' model='pcie-root'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <serial type='pty'/>
    <console type='pty'/>
    <graphics type='vnc' autoport='yes' listen='127.0.0.1'/>
    <video><model type='vga'/></video>
    {devices}
  </devices>
</domain>
"""


def eventually(holds: Callable[[], object], *, what: str, timeout: float = 60.0) -> None:
    """Return when *holds* does; fail after *timeout* seconds, far more than it takes."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {timeout:.0f} s"
        time.sleep(0.05)
