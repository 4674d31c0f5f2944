"""A guest as libvirt prints it, defined and running, and what the tests do with it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from executor.plan import actual, domain
from executor.plan import mark as marks

if TYPE_CHECKING:
    from executor.plan.actual import Actual

UUID = "c7a5fdbd-edaf-9455-926a-d65c16db1809"

DEFINITION = f"""\
<domain type='kvm'>
  <name>web-1</name>
  <uuid>{UUID}</uuid>
  <title>Web</title>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:name>web</nova:name>
    </nova:instance>
  </metadata>
  <memory unit='KiB'>4194304</memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static' current='2'>4</vcpu>
  <iothreads>1</iothreads>
  <iothreadids>
    <iothread id='1'/>
  </iothreadids>
  <cputune>
    <shares>1024</shares>
    <vcpupin vcpu='0' cpuset='0-1'/>
  </cputune>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <boot dev='hd'/>
    <boot dev='network'/>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='host-model' check='partial'/>
  <clock offset='utc'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='hpet' present='no'/>
  </clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/images/web-1.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <iotune>
        <total_iops_sec>500</total_iops_sec>
      </iotune>
      <address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='/images/one.iso'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/>
    </disk>
    <controller type='usb' index='0' model='qemu-xhci'>
      <address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>
    </controller>
    <controller type='pci' index='0' model='pcie-root'/>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='default'/>
      <model type='virtio'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:02'/>
      <source bridge='br0'/>
      <bandwidth>
        <inbound average='1000' peak='2000'/>
      </bandwidth>
      <model type='virtio'/>
      <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>
    </interface>
    <serial type='pty'>
      <target type='isa-serial' port='0'>
        <model name='isa-serial'/>
      </target>
    </serial>
    <console type='pty'>
      <target type='serial' port='0'/>
    </console>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
      <address type='virtio-serial' controller='0' bus='0' port='1'/>
    </channel>
    <input type='tablet' bus='usb'>
      <address type='usb' bus='0' port='1'/>
    </input>
    <input type='mouse' bus='ps2'/>
    <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='old-secret'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
    <video>
      <model type='virtio' heads='1' primary='yes'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>
    </video>
    <memballoon model='virtio'>
      <address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>
    </memballoon>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
      <address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x0'/>
    </rng>
  </devices>
</domain>
"""

RUNNING = (
    DEFINITION.replace("<domain type='kvm'>", "<domain type='kvm' id='7'>")
    .replace("<target dev='vda' bus='virtio'/>", "<target dev='vda' bus='virtio'/>\n      <alias name='virtio-disk0'/>")
    .replace("<source network='default'/>", "<source network='default' portid='1' bridge='virbr0'/>")
    .replace("<model type='virtio'/>", "<target dev='vnet0'/>\n      <model type='virtio'/>", 1)
    .replace(
        "<channel type='unix'>",
        "<channel type='unix'>\n      <source mode='bind' path='/run/libvirt/qemu/channel/7/ga'/>",
    )
    .replace("name='org.qemu.guest_agent.0'/>", "name='org.qemu.guest_agent.0' state='connected'/>")
    .replace("<rng model='virtio'>", "<rng model='virtio'>\n      <alias name='rng0'/>")
    .replace("port='-1'", "port='5900'")
    .replace("<cpu mode='host-model' check='partial'/>", "<cpu mode='custom' match='exact' check='full'/>")
)
"""The same, as it prints while it runs."""


def spec(definition: str = DEFINITION) -> dict[str, Any]:
    """Return the guest's spec, as an import makes it."""
    return copy.deepcopy(actual.document(definition)[0])


def mark_of(wanted: dict[str, Any]) -> marks.Mark:
    return marks.make("default", "web-1", "1f", {"spec": {"domain": wanted}})


def ours(definition: str, applied: dict[str, Any], running: str | None = None) -> Actual:
    """Return the guest as it is when *applied* has been applied to it: with our mark."""
    element = mark_of(applied).element()

    def marked(xml: str) -> str:
        return xml.replace("</metadata>", f"{element}</metadata>")

    return actual.read(marked(definition), None if running is None else marked(running))


def changed(*edits: tuple[str, str], running: bool = True) -> tuple[dict[str, Any], Actual, dict[str, Any]]:
    """Return the spec with *edits* of its XML made, the guest as it is, and what was applied last."""
    xml = DEFINITION
    for old, new in edits:
        assert old in xml, old
        xml = xml.replace(old, new, 1)
    return spec(xml), ours(DEFINITION, spec(), RUNNING if running else None), spec()


def plan(wanted: dict[str, Any], there: Actual, last: dict[str, Any] | None, **options: Any) -> list[str]:
    """Return the plan, a line for each action."""
    return [action.describe() for action in domain.plan(wanted, there, last, mark=mark_of(wanted), **options)]
