"""What tenants try: a kind, a spec, and what the API server says of it."""

from __future__ import annotations

from typing import Any

Attempt = tuple[str, dict[str, Any], str]


def devices(**found: Any) -> dict[str, Any]:
    """Return the spec of a guest with these devices."""
    return {"domain": {"type": "kvm", "devices": found}}


def domain(**found: Any) -> dict[str, Any]:
    """Return the spec of a guest that says this."""
    return {"domain": found}


def template(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a replica set of guests like this."""
    labels = {"app": "web"}
    return {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}


def _disk(**found: Any) -> Attempt:
    said = found.pop("said")
    return "VirtualMachine", devices(disks=[{"target": {"dev": "vda"}, **found}]), f"spec.domain.devices.disks: {said}"


def _source(said: str, **found: Any) -> Attempt:
    return _disk(source=found, said=f"source.{said}")


def _guest(said: str, **found: Any) -> Attempt:
    return "VirtualMachine", domain(**found), said


def _device(said: str, **found: Any) -> Attempt:
    return "VirtualMachine", devices(**found), said


DISKS: list[Attempt] = [
    _source("file", file="/etc/shadow"),
    _source("dev", dev="/dev/sda"),
    _source("dir", dir="/root"),
    _source("pool", pool="default"),
    _source("volume", volume="others"),
    _source("protocol", protocol="nbd"),
    _source("name", name="x"),
    _source("hosts", hosts=[{"transport": "unix", "socket": "/run/other.sock"}]),
    _source("path", path="/run/vhost.sock"),
    _source("fdgroup", fdgroup="other"),
    _source("dataStore", diskRef={"name": "a"}, dataStore={"type": "file", "source": {"file": "/etc/shadow"}}),
    _source("knownHosts", knownHosts={"path": "/root/.ssh/known_hosts"}),
    _source("identity", identity={"keyfile": "/root/.ssh/id_rsa"}),
    _source("config", config={"file": "/etc/ceph/ceph.conf"}),
    _source("reservations", reservations={"managed": True}),
    _source("encryption", encryption={"format": "luks", "secrets": [{"type": "passphrase", "uuid": "x"}]}),
    _source("auth", auth={"username": "admin", "secret": {"type": "ceph", "usage": "admin"}}),
    _source("seclabels", seclabels=[{"relabel": False}]),
    _source("extraXML", extraXML="<future file='/etc/shadow'/>"),
    _disk(type="vhostuser", said="type: vhostuser"),
    _disk(type="nvme", said="type: nvme"),
    _disk(type="dir", said="type: dir"),
    _disk(device="lun", said="device: lun"),
    _disk(sgio="unfiltered", said="sgio"),
    _disk(rawio=True, said="rawio"),
    _disk(driver={"type": "qcow2"}, said="driver.type: qcow2"),
    _disk(mirror={"type": "file", "source": {"file": "/etc/shadow"}}, said="mirror"),
    _disk(mirror={"file": "/etc/shadow"}, said="mirror"),
    _disk(backingStore={"type": "file", "source": {"file": "/etc/shadow"}}, said="backingStore"),
    _disk(backingStore={"backingStore": {"source": {"file": "/etc/shadow"}}}, said="backingStore"),
    _disk(encryption={"format": "luks"}, said="encryption"),
    _disk(auth={"username": "admin"}, said="auth"),
    _disk(extraXML="<source file='/etc/shadow'/>", said="extraXML"),
]

BOOT: list[Attempt] = [
    _guest("spec.domain.os: kernel", os={"kernel": "/boot/vmlinuz"}),
    _guest("spec.domain.os: initrd", os={"initrd": "/etc/shadow"}),
    _guest("spec.domain.os: dtb", os={"dtb": "/etc/shadow"}),
    _guest("spec.domain.os: shim", os={"shim": "/etc/shadow"}),
    _guest("spec.domain.os: loader.value", os={"loader": {"value": "/etc/shadow"}}),
    _guest("spec.domain.os: nvram.value", os={"nvram": {"value": "/etc/shadow"}}),
    _guest("spec.domain.os: nvram.template", os={"nvram": {"template": "/etc/shadow"}}),
    _guest("spec.domain.os: nvram.source", os={"nvram": {"source": {"file": "/etc/shadow"}}}),
    _guest("spec.domain.os: acpi", os={"acpi": {"tables": [{"type": "slic", "value": "/etc/shadow"}]}}),
    _guest("spec.domain.os: init", os={"init": "/bin/sh"}),
    _guest("spec.domain.os: smbios.mode: host", os={"smbios": {"mode": "host"}}),
    _guest("spec.domain.os: extraXML", os={"extraXML": "<kernel2>/etc/shadow</kernel2>"}),
    _guest("spec.domain: bootloader", bootloader="/usr/bin/pygrub"),
]

DOMAIN: list[Attempt] = [
    _guest("spec.domain: qemuCommandline", qemuCommandline={"args": [{"value": "-fw_cfg"}]}),
    _guest("spec.domain: qemuOverride", qemuOverride={"devices": [{"alias": "ua-a"}]}),
    _guest("spec.domain: qemuCapabilities", qemuCapabilities={"add": [{"capability": "x"}]}),
    _guest("spec.domain: qemuDeprecation", qemuDeprecation={"behavior": "none"}),
    _guest("spec.domain: lxcNamespace", lxcNamespace={"sharenet": {"type": "pid", "value": "1"}}),
    _guest("spec.domain: xenCommandline", xenCommandline={"args": [{"value": "x"}]}),
    _guest("spec.domain: bhyveCommandline", bhyveCommandline={"args": [{"value": "x"}]}),
    _guest("type: lxc", type="lxc"),
    _guest("name: office_web", name="office_web"),
    _guest("spec.domain: uuid", uuid="11111111-1111-4111-8111-111111111111"),
    _guest("name: instance-00000001", name="instance-00000001"),
    _guest("metadata with kubevmm.io", metadata="<o xmlns='https://kubevmm.io/object/1'>{}</o>"),
    _guest("spec.domain: seclabels", seclabels=[{"type": "none"}]),
    _guest("spec.domain: extraXML", extraXML="<qemu:commandline2/>"),
    _guest("spec.domain: resource", resource={"partition": "/system.slice"}),
    _guest("spec.domain: idmap", idmap={"uids": [{"start": 0, "target": 0, "count": 1}]}),
    _guest("spec.domain: blkiotune", blkiotune={"devices": [{"path": "/dev/sda", "weight": 1000}]}),
    _guest("spec.domain: perf", perf={"events": [{"name": "cmt", "enabled": True}]}),
    _guest("spec.domain: numatune", numatune={"memory": {"mode": "strict", "nodeset": "0"}}),
    _guest("onCrash: coredump-destroy", onCrash="coredump-destroy"),
    _guest("spec.domain.vcpu: cpuset", vcpu={"cpuset": "0-3", "value": 2}),
    _guest("vcpupins", cputune={"vcpupins": [{"vcpu": 0, "cpuset": "0"}]}),
    _guest("vcpuscheds", cputune={"vcpuscheds": [{"vcpus": "0", "scheduler": "fifo", "priority": 99}]}),
    _guest("spec.domain.cputune: shares", cputune={"shares": 262144}),
    _guest("spec.domain.memoryBacking: locked", memoryBacking={"locked": {}}),
    _guest("source.type: file", memoryBacking={"source": {"type": "file"}}),
    _guest("entries.file", sysinfos=[{"type": "fwcfg", "entries": [{"name": "opt/a", "file": "/etc/shadow"}]}]),
    _guest("spec.domain.features: capabilities", features={"capabilities": {"mknod": {"state": True}}}),
    _guest("spec.domain.features: privnet", features={"privnet": {}}),
    _guest("iothreads: 100000", iothreads=100000),
    _guest("iothreadids.iothreads.threadPoolMax: 9999", iothreadids={"iothreads": [{"id": 1, "threadPoolMax": 9999}]}),
    _guest("more than 64 iothreadids.iothreads", iothreadids={"iothreads": [{"id": n} for n in range(1, 99)]}),
    _guest("allocation.threads: 5000", memoryBacking={"allocation": {"threads": 5000}}),
]

DEVICES: list[Attempt] = [
    _device("emulator: /tmp/evil", emulator="/tmp/evil"),  # noqa: S108 -- what a tenant may try
    _device("hostdevs", hostdevs=[{"type": "pci", "mode": "subsystem"}]),
    _device("hostdevs", hostdevs=[{"type": "mdev", "mode": "subsystem", "source": {"address": {"uuid": "x"}}}]),
    _device("filesystems", filesystems=[{"type": "mount", "source": {"dir": "/"}, "target": {"dir": "host"}}]),
    _device("leases", leases=[{"lockspace": "a", "target": {"path": "/etc/shadow"}}]),
    _device("shmems", shmems=[{"name": "others"}]),
    _device("vsock", vsock={"cid": {"address": "7"}}),
    _device("type: hostdev", interfaces=[{"type": "hostdev", "source": {"address": {"bus": 1}}}]),
    _device("type: direct", interfaces=[{"type": "direct", "source": {"dev": "eth0", "mode": "bridge"}}]),
    _device("type: vdpa", interfaces=[{"type": "vdpa", "source": {"dev": "/dev/vhost-vdpa-0"}}]),
    _device("type: bridge", interfaces=[{"type": "bridge", "source": {"bridge": "br-mgmt"}}]),
    _device("type: ethernet", interfaces=[{"type": "ethernet", "target": {"dev": "tap7"}}]),
    _device("type: user", interfaces=[{"type": "user"}]),
    _device("type: vhostuser", interfaces=[{"type": "vhostuser", "source": {"path": "/run/ovs.sock"}}]),
    _device("source.network", interfaces=[{"type": "network", "source": {"network": "management"}}]),
    _device("source.networkRef.namespace: office",
            interfaces=[{"type": "network", "source": {"networkRef": {"name": "a", "namespace": "office"}}}]),
    _device("source.portgroup", interfaces=[{"type": "network", "source": {"portgroup": "trunk"}}]),
    _device("trustGuestRxFilters", interfaces=[{"type": "network", "trustGuestRxFilters": True}]),
    _device("script", interfaces=[{"type": "network", "script": {"path": "/tmp/up"}}]),  # noqa: S108 -- the same
    _device("backend", interfaces=[{"type": "network", "backend": {"tap": "/dev/net/tun2"}}]),
    _device("rom.file", interfaces=[{"type": "network", "rom": {"file": "/etc/shadow"}}]),
    _device("vlan", interfaces=[{"type": "network", "vlan": {"trunk": "yes", "tags": [{"id": 4}]}}]),
    _device("virtualport", interfaces=[{"type": "network", "virtualport": {"type": "openvswitch"}}]),
    _device("filterref", interfaces=[{"type": "network", "filterref": {"filter": "allow-all"}}]),
    _device("spec.domain.devices.serials: type: file", serials=[{"type": "file", "sources": [{"mode": "bind"}]}]),
    _device("sources.path", serials=[{"type": "pty", "sources": [{"path": "/root/.ssh/authorized_keys"}]}]),
    _device("type: dev", parallels=[{"type": "dev", "sources": [{"path": "/dev/mem"}]}]),
    _device("type: tcp", consoles=[{"type": "tcp", "sources": [{"mode": "bind", "host": "0.0.0.0"}]}]),  # noqa: S104 -- the same
    _device("sources.path", channels=[{"type": "unix", "sources": [{"path": "/run/docker.sock"}]}]),
    _device("sources.mode: connect", channels=[{"type": "unix", "sources": [{"mode": "connect"}]}]),
    _device("target.type: guestfwd", channels=[{"type": "unix", "target": {"type": "guestfwd"}}]),
    _device("spec.domain.devices.serials: log", serials=[{"type": "pty", "log": {"file": "/etc/cron.d/x"}}]),
    _device("type: tcp", redirdevs=[{"bus": "usb", "type": "tcp"}]),
    _device("mode: host", smartcards=[{"mode": "host"}]),
    _device("type: passthrough", inputs=[{"type": "passthrough", "source": {"evdev": "/dev/input/event1"}}]),
    _device("source", inputs=[{"type": "keyboard", "source": {"dev": "/dev/input/event1"}}]),
    _device("type: sdl", graphics=[{"type": "sdl"}]),
    _device("socket", graphics=[{"type": "vnc", "socket": "/run/vnc.sock"}]),
    _device("port: 22", graphics=[{"type": "vnc", "port": 22}]),
    _device("listen: 0.0.0.0", graphics=[{"type": "vnc", "listen": "0.0.0.0"}]),  # noqa: S104 -- the same
    _device("gl.rendernode", graphics=[{"type": "spice", "gl": {"rendernode": "/dev/dri/renderD128"}}]),
    _device("driver.name: vhostuser", videos=[{"driver": {"name": "vhostuser"}}]),
    _device("model.acceleration", videos=[{"model": {"type": "virtio", "acceleration": {"rendernode": "/dev/a"}}}]),
    _device("type: alsa", audios=[{"id": 1, "type": "alsa"}]),
    _device("path", audios=[{"id": 1, "type": "file", "path": "/etc/cron.d/x"}]),
    _device("backend.value: /dev/mem", rngs=[{"backend": {"model": "random", "value": "/dev/mem"}}]),
    _device("backend.model: egd", rngs=[{"backend": {"model": "egd", "type": "tcp"}}]),
    _device("backend.type: passthrough", tpms=[{"backend": {"type": "passthrough", "device": {"path": "/dev/tpm0"}}}]),
    _device("backend.source", tpms=[{"backend": {"type": "emulator", "source": {"type": "dir", "path": "/etc"}}}]),
    _device("backend.encryption", tpms=[{"backend": {"type": "emulator", "encryption": {"secret": "x"}}}]),
    _device("model: nvdimm", memoryDevices=[{"model": "nvdimm", "source": {"path": "/etc/shadow"}}]),
    _device("action: dump", watchdogs=[{"model": "i6300esb", "action": "dump"}]),
    _device("pstore", pstore={"backend": "acpi-erst", "size": "1Gi"}),
    _device("spec.domain.devices: extraXML", extraXML="<hostdev2/>"),
    _device("controllers.extraXML", controllers=[{"type": "pci", "extraXML": "<x/>"}]),
]  # fmt: skip

OTHERS: list[Attempt] = [
    ("VirtualMachine", {"nodeName": "node-1"}, "spec: nodeName: nodeName goes past the scheduler"),
    (
        "VirtualMachine",
        {"cloudInit": {"poolRef": {"name": "a", "namespace": "office"}}},
        "spec: cloudInit.poolRef.namespace: office",
    ),
    (
        "VirtualMachineReplicaSet",
        template(domain(os={"kernel": "/etc/shadow"})),
        "spec.template.spec.domain.os: kernel",
    ),
    ("VirtualMachineReplicaSet", template({"nodeName": "node-1"}), "spec.template.spec: nodeName"),
    ("VirtualMachineDisk", {"poolRef": {"name": "fast"}}, "spec: source is missing"),
    ("VirtualMachineDisk", {}, "spec: source is missing"),
    (
        "VirtualMachineDisk",
        {"source": {"blank": {}}, "poolRef": {"name": "fast", "namespace": "office"}},
        "spec: poolRef.namespace: office",
    ),
    (
        "VirtualMachineDisk",
        {"source": {"imageRef": {"name": "golden", "namespace": "office"}}},
        "spec: source.imageRef.namespace: office",
    ),
    (
        "VirtualMachineDisk",
        {"source": {"blank": {}}, "volume": {"target": {"path": "/etc/shadow"}}},
        "spec.volume: target.path",
    ),
    (
        "VirtualMachineDisk",
        {"source": {"blank": {}}, "volume": {"backingStore": {"path": "/etc/shadow"}}},
        "spec.volume: backingStore",
    ),
    (
        "VirtualMachineDisk",
        {"source": {"blank": {}}, "volume": {"target": {"format": {"type": "vmdk"}}}},
        "spec.volume: target.format.type: vmdk",
    ),
    (
        "VirtualMachineDisk",
        {"source": {"blank": {}}, "volume": {"target": {"permissions": {"mode": "0666"}}}},
        "spec.volume: target.permissions",
    ),
    ("VirtualMachineDisk", {"source": {"blank": {}}, "volume": {"key": "/etc/shadow"}}, "spec.volume: key"),
    (
        "VirtualMachineDisk",
        {"source": {"blank": {}}, "volume": {"source": {"devices": [{"path": "/dev/sda"}]}}},
        "spec.volume: source",
    ),
    ("VirtualMachineImage", {"source": {"file": {"path": "/etc/shadow"}}}, "spec: source.file"),
    ("VirtualMachineImage", {"format": "raw"}, "spec: source is missing"),
    (
        "VirtualMachineImage",
        {"source": {"upload": {}}, "poolRefs": [{"name": "a"}, {"name": "b", "namespace": "office"}]},
        "spec: poolRefs.namespace: office",
    ),
    (
        "VirtualMachineSnapshot",
        {"domainSnapshot": {"memory": {"snapshot": "external", "file": "/etc/cron.d/x"}}},
        "spec.domainSnapshot: memory.file",
    ),
    (
        "VirtualMachineSnapshot",
        {"domainSnapshot": {"disks": {"disks": [{"name": "vda", "source": {"file": "/etc/x"}}]}}},
        "spec.domainSnapshot: disks.disks.source.file",
    ),
    ("VirtualMachineSnapshot", {"domainSnapshot": {"domain": {"a": "b"}}}, "spec.domainSnapshot: domain"),
    ("VirtualMachine", {"deletionPolicy": "Retain"}, "spec: deletionPolicy: Retain"),
    ("VirtualMachineReplicaSet", template({"deletionPolicy": "Retain"}), "spec.template.spec: deletionPolicy: Retain"),
    ("VirtualMachineDisk", {"source": {"blank": {}}, "deletionPolicy": "Retain"}, "spec: deletionPolicy: Retain"),
    ("VirtualMachineImage", {"source": {"upload": {}}, "deletionPolicy": "Retain"}, "spec: deletionPolicy: Retain"),
    ("VirtualMachineSnapshot", {"deletionPolicy": "Retain"}, "spec: deletionPolicy: Retain"),
]

ATTEMPTS: list[Attempt] = [*DISKS, *BOOT, *DOMAIN, *DEVICES, *OTHERS]
