"""Guests that owners of namespaces have: as libvirt prints them, and one as big as they get."""

from __future__ import annotations

from typing import Any, Final

_PCI = "<address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>"

GUESTS: Final = {
    "a server with virtio": f"""
<domain type='kvm'>
  <name>web-1</name>
  <uuid>11111111-1111-4111-8111-111111111111</uuid>
  <title>Shop</title>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://debian.org/debian/12"/>
    </libosinfo:libosinfo>
  </metadata>
  <memory unit='KiB'>4194304</memory>
  <currentMemory unit='KiB'>4194304</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <firmware><feature enabled='yes' name='enrolled-keys'/></firmware>
    <boot dev='hd'/>
  </os>
  <features><acpi/><apic/><vmport state='off'/><smm state='on'/></features>
  <cpu mode='host-passthrough' check='none' migratable='on'/>
  <clock offset='utc'>
    <timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/><timer name='hpet' present='no'/>
  </clock>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='volume' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap'/><source pool='default' volume='web-1'/>
      <target dev='vda' bus='virtio'/>{_PCI}
    </disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>
    <controller type='usb' index='0' model='qemu-xhci' ports='15'>{_PCI}</controller>
    <controller type='pci' index='1' model='pcie-root-port'>
      <model name='pcie-root-port'/><target chassis='1' port='0x10'/>{_PCI}
    </controller>
    <interface type='network'>
      <mac address='52:54:00:aa:bb:cc'/><source network='default'/><model type='virtio'/>{_PCI}
    </interface>
    <serial type='pty'><target type='isa-serial' port='0'><model name='isa-serial'/></target></serial>
    <console type='pty'><target type='serial' port='0'/></console>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
      <address type='virtio-serial' controller='0' bus='0' port='1'/>
    </channel>
    <channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
    <input type='tablet' bus='usb'><address type='usb' bus='0' port='1'/></input>
    <input type='keyboard' bus='ps2'/><input type='mouse' bus='ps2'/>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <graphics type='spice' autoport='yes'><listen type='address'/><image compression='off'/></graphics>
    <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
    <sound model='ich9'>{_PCI}</sound>
    <audio id='1' type='spice'/>
    <video><model type='virtio' heads='1' primary='yes'><acceleration accel3d='no'/></model>{_PCI}</video>
    <redirdev bus='usb' type='spicevmc'><address type='usb' bus='0' port='2'/></redirdev>
    <watchdog model='itco' action='reset'/>
    <memballoon model='virtio'><stats period='5'/>{_PCI}</memballoon>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend>{_PCI}</rng>
  </devices>
</domain>""",
    "a Windows desktop": """
<domain type='kvm'>
  <name>desk-1</name>
  <memory unit='KiB'>8388608</memory>
  <vcpu placement='static' current='2'>4</vcpu>
  <iothreads>2</iothreads>
  <cputune><period>100000</period><quota>150000</quota></cputune>
  <sysinfo type='smbios'>
    <system><entry name='manufacturer'>Shop</entry><entry name='serial'>7</entry></system>
    <oemStrings><entry>a</entry></oemStrings>
  </sysinfo>
  <os><type arch='x86_64' machine='q35'>hvm</type><bootmenu enable='yes' timeout='3000'/><smbios mode='sysinfo'/></os>
  <features>
    <acpi/>
    <hyperv mode='custom'><relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='8191'/>
      <stimer state='on'><direct state='on'/></stimer><vendor_id state='on' value='KVM Hv'/></hyperv>
    <kvm><hidden state='on'/></kvm>
  </features>
  <cpu mode='custom' match='exact'><model fallback='allow'>Skylake-Client</model>
    <topology sockets='1' dies='1' cores='2' threads='2'/><feature policy='require' name='vmx'/>
    <numa><cell id='0' cpus='0-3' memory='8388608' unit='KiB'/></numa></cpu>
  <clock offset='localtime'/>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none' io='native' iothread='1'/><source file='/var/lib/images/desk'/>
      <target dev='sda' bus='scsi'/><serial>42</serial><boot order='1'/>
      <iotune><total_bytes_sec>10000000</total_bytes_sec></iotune>
    </disk>
    <controller type='scsi' index='0' model='virtio-scsi'><driver queues='4' iothread='2'/></controller>
    <interface type='bridge'><source bridge='br0'/><model type='virtio'/>
      <driver name='vhost' queues='4'><host csum='on'/></driver><mtu size='9000'/>
      <bandwidth><inbound average='1000' peak='2000' burst='512'/></bandwidth><boot order='2'/></interface>
  </devices>
</domain>""",
    "one without KVM": """
<domain type='qemu'>
  <name>tiny</name>
  <memory unit='KiB'>65536</memory>
  <os><type>hvm</type></os>
  <devices/>
</domain>""",
}

BIG: Final[dict[str, Any]] = {
    "type": "kvm",
    "memory": "512Gi",
    "vcpu": {"placement": "static", "value": 288},
    "vcpus": {"vcpus": [{"id": n, "enabled": True, "hotpluggable": n > 0, "order": n + 1} for n in range(288)]},
    "cpu": {
        "mode": "custom",
        "features": [{"name": f"feature-{n}", "policy": "require"} for n in range(100)],
        "numa": {
            "cells": [
                {
                    "id": n,
                    "cpus": f"{n}",
                    "memory": "64Gi",
                    "distances": {"siblings": [{"id": m, "value": 20} for m in range(8)]},
                }
                for n in range(8)
            ]
        },
    },
    "devices": {
        "disks": [
            {
                "type": "volume",
                "device": "disk",
                "source": {"diskRef": {"name": f"disk-{n}"}},
                "driver": {
                    "name": "qemu",
                    "cache": "none",
                    "io": "native",
                    "discard": "unmap",
                    "iothreads": {"iothreads": [{"id": m, "queues": [{"id": q} for q in range(2)]} for m in (1, 2)]},
                },
                "target": {"dev": f"sd{n}", "bus": "scsi"},
                "serial": f"{n}",
                "iotune": {"totalIopsSec": 1000, "totalBytesSec": 1000000},
                "alias": {"name": f"ua-{n}"},
                "address": {"type": "drive", "controller": n // 60, "bus": 0, "target": 0, "unit": n % 60},
                "boot": {"order": n + 1},
            }
            for n in range(200)
        ],
        "interfaces": [
            {
                "type": "network",
                "source": {"networkRef": {"name": f"net-{n}", "namespace": "kubevmm-system"}},
                "mac": {"address": f"52:54:00:00:00:{n:02x}"},
                "model": {"type": "virtio"},
                "driver": {"name": "vhost", "queues": 8, "host": {"csum": True, "gso": True}},
                "address": {"type": "pci", "domain": 0, "bus": n, "slot": 0, "function": 0},
            }
            for n in range(60)
        ],
        "controllers": [
            {
                "type": "pci",
                "index": n,
                "model": "pcie-root-port",
                "deviceModel": {"name": "pcie-root-port"},
                "target": {"chassis": n, "port": n},
                "address": {"type": "pci", "domain": 0, "bus": 0, "slot": n % 32, "function": 0},
            }
            for n in range(200)
        ],
        "channels": [
            {"type": "unix", "target": {"type": "virtio", "name": f"port.{n}"}, "alias": {"name": f"ua-c{n}"}}
            for n in range(30)
        ],
        "memoryDevices": [
            {"model": "dimm", "target": {"size": "1Gi", "node": 0}, "address": {"type": "dimm", "base": f"{n}"}}
            for n in range(64)
        ],
    },
}
