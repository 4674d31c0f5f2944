"""What libvirt does with values on its own: data for the merge, by the types of the binding tables."""

from __future__ import annotations

CPU_SETS = frozenset({"cpuset", "nodeset", "cpus", "vcpus", "nodemask", "hostNodes", "iothreads", "nodes"})
"""Keys of sets of numbers: 0-3 and 0,1,2,3 are the same."""

PADDED = frozenset({"wwn"})
"""Keys whose zeros in front say nothing."""

MACHINES = {"pc": ("pc-i440fx-", "pc-0", "pc-1"), "q35": ("pc-q35-",)}
"""Short names of machine types that libvirt replaces by the newest of that name; others get a dash and a version."""

_IOTUNE = (
    "totalBytesSec", "readBytesSec", "writeBytesSec", "totalIopsSec", "readIopsSec", "writeIopsSec",
    "totalBytesSecMax", "readBytesSecMax", "writeBytesSecMax", "totalIopsSecMax", "readIopsSecMax",
    "writeIopsSecMax", "sizeIopsSec", "totalBytesSecMaxLength", "readBytesSecMaxLength", "writeBytesSecMaxLength",
    "totalIopsSecMaxLength", "readIopsSecMaxLength", "writeIopsSecMaxLength",
)  # fmt: skip

NOTHING: dict[tuple[str, str], tuple[object, ...]] = {
    **{("domain/throttlegroups/throttlegroup", key): (0,) for key in _IOTUNE},
    ("domain/devices/graphics", "port"): (-1, 0),
    ("domain/devices/graphics", "tlsPort"): (-1, 0),
    ("domain/devices/disk/boot", "order"): (0,),
    ("domain/cputune", "shares"): (0,),
    ("domain/cputune", "quota"): (0,),
    ("domain/cputune", "period"): (0,),
    ("domain/blkiotune", "weight"): (0,),
    ("domain/devices/memballoon/stats", "period"): (0,),
    ("domain", "id"): (-1,),
    ("domain/devices/disk/address", "domain"): (0,),
    ("domain/devices/disk/address", "multifunction"): (False,),
    ("domain/devices/disk", "snapshot"): ("default",),
    ("domain", "iothreads"): (0,),
    ("domain/resource", "partition"): ("/machine",),
}
"""Values that mean the same as leaving the key out, by type and key."""

EMPTY = frozenset({
    "domain/blkiotune", "domain/memtune", "domain/cputune", "domain/numatune", "domain/memoryBacking", "domain/vcpus",
    "domain/iothreadids", "domain/throttlegroups/throttlegroup", "domain/features", "domain/perf", "domain/devices",
    "domain/idmap", "domain/keywrap", "domain/pm", "domain/cpu/numa", "domain/resource", "domain/throttlegroups",
    "domain/devices/interface/bandwidth", "domain/devices/interface/target", "domain/devices/interface/source",
    "domain/os/nvram/source", "domain/devices/console/source", "domain/devices/disk/address",
    "domain/devices/disk/driver", "domain/devices/interface/driver", "domain/devices/memballoon/stats",
})  # fmt: skip
"""Types whose elements say nothing when they are empty: libvirt drops them. Others say something by being there."""

KEPT: dict[str, frozenset[str]] = {
    "domain": frozenset({"name", "uuid", "type", "memory", "vcpu", "os", "id", "devices"}),
    "domain/os": frozenset({"type"}),
    "domain/os/type": frozenset({"arch", "machine", "value"}),
    "domain/vcpu": frozenset({"value"}),
    "domain/devices": frozenset({"emulator"}),
    "domain/devices/disk/target": frozenset({"dev"}),
    "network": frozenset({"name", "uuid", "mac"}),
    "pool": frozenset({"name", "uuid", "type"}),
}
"""What every document has, or libvirt chooses where nobody does: taken out of the spec, it stays, less what
was said inside of it and need not be there."""

KEPT_EVERYWHERE = frozenset({"address", "mac", "alias"})
"""Keys of addresses: a device whose address is no longer written keeps it, since the guest knows it by that."""

FOLLOWS: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "domain": ((("memory",), ("currentMemory",)), (("iothreads",), ("iothreadids",))),
    "domain/vcpu": ((("value",), ("current",)),),
    "domain/cpu": ((("mode",), ("model", "check", "match", "vendor", "features", "topology", "migratable")),),
    "domain/os": ((("firmware",), ("loader", "nvram", "firmwareFeatures")), (("loader", "value"), ("nvram",))),
    "domain/clock": ((("offset",), ("adjustment", "timezone", "basis", "start")),),
    "domain/devices/disk": (
        (("type",), ("source", "auth", "backingStore")),
        (("source",), ("backingStore",)),
        (("target", "bus"), ("address", "boot")),
    ),
    "domain/os/nvram/source": ((("protocol",), ("hosts", "auth", "name")),),
    "domain/devices/interface": (
        (("type",), ("source", "virtualport", "target", "portForwards")),
        (("source", "network"), ("virtualport",)),
    ),
    "domain/devices/graphics": (
        (("listen",), ("listens",)),
        (("listens",), ("listen",)),
        (("socket",), ("listens",)),
        (("port",), ("autoport",)),
        (("autoport",), ("port", "tlsPort")),
    ),
    "domain/devices/controller": ((("model",), ("address", "deviceModel", "target", "driver")),),
    "domain/devices/input": ((("bus",), ("address",)),),
    "domain/devices/console": ((("type",), ("sources", "protocol")), (("target", "type"), ("address",))),
    "domain/devices/parallel": ((("type",), ("sources", "protocol")), (("target", "type"), ("address",))),
    "domain/devices/channel": ((("type",), ("sources", "protocol")), (("target", "type"), ("address",))),
    "domain/devices/redirdev": ((("type",), ("sources", "protocol")),),
    "domain/devices/rng": ((("model",), ("address",)), (("backend", "model"), ())),
    "domain/devices/video": ((("model", "type"), ("address", "driver")),),
    "domain/devices/video/model": (
        (("type",), ("ram", "vram", "vram64", "vgamem", "heads", "acceleration", "resolution", "blob")),
    ),
    "domain/devices/watchdog": ((("model",), ("address",)),),
    "domain/devices/sound": ((("model",), ("address", "codecs")),),
    "domain/devices/memballoon": ((("model",), ("address", "driver", "stats")),),
    "domain/devices/tpm": ((("model",), ("address",)),),
    "domain/devices/filesystem": ((("type",), ("source",)), (("driver", "type"), ("binary",))),
    "domain/devices/disk/address": (
        (("type",), (
            "domain", "bus", "slot", "function", "multifunction", "controller", "target", "unit", "port", "reg",
            "cssid", "ssid", "devno", "iobase", "irq", "base", "zpci",
        )),
    ),
}  # fmt: skip
"""By type: when the first key changes, what libvirt or somebody else wrote under the others was made for the old value
and goes, unless the spec says it too."""

TWINS = {("domain/vcpu", "current"): "value"}
"""Keys that libvirt leaves out where they say the same as the one beside them."""

DOUBLED = {"domain/devices/graphics": (("listen", "listens"), ("listens", "listen"))}
"""By type: keys that libvirt keeps alike. Where the spec changes the first alone, the second is made anew from it."""

REPORTED = (("cpu",), ("currentMemory",), ("seclabels",), ("devices", "memballoon", "stats"))
"""Where a running guest's XML says what has become of a value and not what was asked for: what is asked for is
compared with the definition instead."""

WORKED_OUT = (
    ("cpu",), ("seclabels",), ("currentMemory",), ("os", "loader"), ("os", "nvram"), ("os", "firmwareFeatures"),
    ("vcpus", "vcpus", "*", "order"), ("devices", "channels", "*", "sources"),
)  # fmt: skip
"""What libvirt works out of a definition when it starts the guest, or the guest since then, so that a running guest's
XML says more than was defined. `*` is any step; a path of one step is worked out as a whole."""

CHOSEN = (("devices", "interfaces", "*", "type"),)
"""What a running guest has by chance of its start, such as the one of a network's host devices that was free: a
definition never gets it."""
