"""Which list entry is which: what identifies one, and how the spec's entries are paired with those that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from executor.plan.same import identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.table import Field

Key = tuple[str, ...]

WHOLE = "whole"
"""The list is one value: its entries have no life of their own."""

KEYS: dict[str, str | tuple[tuple[Key, ...], ...]] = {
    "domain/devices/disk": ((("target", "dev"),),),
    "domain/devices/controller": ((("type",), ("index",)),),
    "domain/devices/interface": ((("mac", "address"),),),
    "domain/devices/filesystem": ((("target", "dir"),),),
    "domain/devices/input": (),
    "domain/devices/hostdev": (
        (("type",), ("source", "address", "uuid")),
        (("type",), ("source", "vendor", "id"), ("source", "product", "id")),
        (("type",), ("source", "address", "domain"), ("source", "address", "bus"), ("source", "address", "slot"),
         ("source", "address", "function")),
        (("type",), ("source", "adapter", "name"), ("source", "address", "bus"), ("source", "address", "target"),
         ("source", "address", "unit")),
        (("type",), ("source", "address", "bus"), ("source", "address", "device")),
        (("source", "name"),), (("source", "wwpn"),), (("source", "block"),), (("source", "char"),),
        (("source", "interface"),),
    ),
    "domain/devices/graphics": ((("type",),),),
    "domain/devices/audio": ((("id",),),),
    "domain/devices/channel": ((("target", "type"), ("target", "name")), (("target", "address"), ("target", "port"))),
    "domain/devices/console": ((("target", "type"), ("target", "port")),),
    "domain/devices/parallel": ((("target", "port"),),),
    "domain/devices/lease": ((("lockspace",), ("key",)),),
    "domain/devices/shmem": ((("name",),),),
    "domain/devices/memory": (),
    "domain/devices/rng": (),
    "domain/devices/watchdog": (),
    "domain/devices/tpm": (),
    "domain/devices/video": (),
    "domain/devices/sound": (),
    "domain/devices/redirdev": (),
    "domain/devices/redirfilter": WHOLE,
    "domain/devices/redirfilter/usbdev": WHOLE,
    "domain/devices/smartcard": (),
    "domain/devices/hub": (),
    "domain/devices/panic": ((("model",),),),
    "domain/devices/crypto": (),
    "domain/devices/console/source": (),
    "domain/devices/interface/filterref/parameter": WHOLE,
    "domain/devices/interface/vlan/tag": WHOLE,
    "domain/devices/interface/ip": WHOLE,
    "domain/devices/interface/route": WHOLE,
    "domain/devices/interface/portForward": WHOLE,
    "domain/devices/graphics/listen": (),
    "domain/devices/graphics/channel": ((("name",),),),
    "domain/devices/disk/encryption/secret": (),
    "domain/os/nvram/source/host": WHOLE,
    "domain/os/nvram/source/cookies/cookie": ((("name",),),),
    "domain/os/nvram/source/seclabel": ((("model",),),),
    "domain/os/boot": WHOLE,
    "domain/os/acpi/table": ((("type",),),),
    "domain/os/initenv": ((("name",),),),
    "domain/os/firmware/feature": ((("name",),),),
    "domain/idmap/gid": ((("start",),),),
    "domain/sysinfo": ((("type",),),),
    "domain/sysinfo/baseBoard": (),
    "domain/sysinfo/entry": ((("name",),),),
    "domain/sysinfo/bios/entry": ((("name",),),),
    "domain/sysinfo/system/entry": ((("name",),),),
    "domain/sysinfo/baseBoard/entry": ((("name",),),),
    "domain/sysinfo/chassis/entry": ((("name",),),),
    "domain/seclabel": ((("model",),), (("type",),)),
    "domain/cpu/feature": ((("name",),),),
    "domain/cpu/numa/cell": ((("id",),),),
    "domain/cpu/numa/cell/distances/sibling": ((("id",),),),
    "domain/cpu/numa/cell/cache": ((("level",),),),
    "domain/clock/timer": ((("name",),),),
    "domain/perf/event": ((("name",),),),
    "domain/vcpus/vcpu": ((("id",),),),
    "domain/iothreadids/iothread": ((("id",),),),
    "domain/cputune/vcpupin": ((("vcpu",),),),
    "domain/cputune/iothreadpin": ((("iothread",),),),
    "domain/cputune/vcpusched": ((("vcpus",),),),
    "domain/cputune/iothreadsched": ((("iothreads",),),),
    "domain/cputune/cachetune": ((("vcpus",),),),
    "domain/cputune/cachetune/cache": ((("id",), ("level",), ("type",)),),
    "domain/cputune/cachetune/monitor": ((("level",), ("vcpus",)),),
    "domain/cputune/memorytune": ((("vcpus",),),),
    "domain/cputune/memorytune/node": ((("id",),),),
    "domain/cputune/memorytune/monitor": ((("vcpus",),),),
    "domain/numatune/memnode": ((("cellid",),),),
    "domain/blkiotune/device": ((("path",),),),
    "domain/memoryBacking/hugepages/page": ((("size",), ("nodeset",)), (("size",),)),
    "domain/throttlegroups/throttlegroup": ((("groupName",),),),
    "domain/keywrap/cipher": ((("name",),),),
    "domain/devices/disk/driver/iothreads/iothread": ((("id",),),),
    "domain/devices/disk/driver/iothreads/iothread/queue": ((("id",),),),
    "domain/devices/disk/throttlefilters/throttlefilter": WHOLE,
    "domain/qemu:commandline/qemu:arg": WHOLE,
    "domain/qemu:commandline/qemu:env": ((("name",),),),
    "domain/qemu:capabilities/qemu:add": ((("capability",),),),
    "domain/qemu:override/qemu:device": ((("alias",),),),
    "domain/qemu:override/qemu:device/qemu:frontend/qemu:property": ((("name",),),),
    "domain/xen:commandline/xen:arg": WHOLE,
    "domain/bhyve:commandline/bhyve:arg": WHOLE,
    "network/portgroup": ((("name",),),),
    "network/ip": ((("address",),),),
    "network/ip/dhcp/range": ((("start",), ("end",)),),
    "network/dns/txt": ((("name",), ("value",)),),
    "network/dns/srv": ((("service",), ("protocol",), ("domain",), ("target",)), (("service",), ("protocol",))),
    "network/forward/interface": ((("dev",),),),
    "network/forward/pf": ((("dev",),),),
    "network/dns/host": ((("ip",),),),
    "network/ip/dhcp/host": ((("mac",),), (("id",),), (("name",),), (("ip",),)),
}  # fmt: skip
"""What tells the entries of a list apart, by the type of the entries: the first key (of several values) whose last
value an entry has. With none, entries are told apart by what they hold, then by position. A list that is not named here
has its key from the binding tables, else it is WHOLE."""

CLASS: dict[str, tuple[Key, ...]] = {
    "domain/devices/input": (("type",), ("bus",)),
    "domain/devices/redirdev": (("bus",),),
    "domain/devices/memory": (("model",),),
    "domain/devices/graphics/listen": (("type",),),
    "domain/devices/channel": (("target", "type"),),
    "domain/devices/console": (("target", "type"),),
    "domain/devices/hostdev": (("type",), ("mode",)),
    "domain/devices/controller": (("type",),),
    "domain/devices/panic": (("model",),),
}
"""What entries without a key must share to be paired by position."""

LABELS: dict[str, tuple[Key, ...]] = {
    "domain/devices/input": (("type",), ("bus",)),
    "domain/devices/channel": (("target", "name"),),
}
"""How an entry is called in paths, where its key is long; ``#`` and its place where it has no name."""


def keys_of(field: Field) -> str | tuple[tuple[Key, ...], ...]:
    """Return WHOLE, or the keys that identify the entries of the list *field*."""
    if field.value != "map":
        return WHOLE
    found = KEYS.get(field.type.name)
    if found is not None:
        return found
    return (((field.identity,),),) if field.identity else WHOLE


def value_at(entry: Any, key: tuple[str, ...]) -> Any:
    """Return the value under the keys *key* of *entry*, None where there is none."""
    for step in key:
        if entry.__class__ is not dict:
            return None
        entry = entry.get(step)
    return entry


def of(entry: Any, keys: tuple[tuple[Key, ...], ...]) -> tuple[Any, ...] | None:
    """Return what identifies *entry*: the values of the first of *keys* that it has in full, None if it has none."""
    for number, key in enumerate(keys):
        values = [identity(value_at(entry, part)) for part in key]
        if values[-1] is not None:
            # No PCI domain is domain 0.
            return (number, *(0 if v is None and k[-1] == "domain" else v for k, v in zip(key, values, strict=True)))
    return None


def label(entry: Any, field: Field, position: int) -> str:
    """Return how *entry*, the one at *position*, is called in a path: ``[vda]``, ``[52:54:00:00:00:01]``, ``[#0]``."""
    keys = keys_of(field)
    name = field.type.name if field.value == "map" else ""
    if name in LABELS:
        found = [value_at(entry, key) for key in LABELS[name]]
        if all(value is not None for value in found):
            return f"[{'/'.join(map(str, found))}]"
    if not isinstance(keys, str):
        for key in keys:
            values = [value for part in key if (value := value_at(entry, part)) is not None]
            if values and not any(isinstance(value, (dict, list)) for value in values):
                return f"[{'/'.join(map(str, values))}]"
    return f"[#{position}]"


def pair(
    wanted: list[Any],
    found: list[Any],
    field: Field,
    fits: Callable[[Any, Any], bool],
    *,
    free: Callable[[int], bool] = lambda _: True,
) -> list[int | None]:
    """Return for each entry of *wanted* the place of the one in *found* that it is, or None.

    Those with a key are paired by it. The others are paired with the first of the rest that *fits* them as it stands,
    then by position with what is *free* for that, within their class.
    """
    keys = keys_of(field)
    if isinstance(keys, str):
        raise TypeError(f"the entries of {field.key} have no identity")
    pairs: list[int | None] = [None] * len(wanted)
    identities = [of(entry, keys) for entry in found]
    left = dict.fromkeys(range(len(found)))
    names = [of(entry, keys) for entry in wanted]
    for index, name in enumerate(names):
        if name is not None:
            match = next((place for place in left if identities[place] == name), None)
            if match is not None:
                pairs[index] = match
                del left[match]
    # What one side does not say cannot tell two entries apart: an interface without a MAC is some interface.
    for index, entry in enumerate(wanted):
        if pairs[index] is None:
            match = next((p for p in left if _compatible(names[index], identities[p]) and fits(entry, found[p])), None)
            if match is not None:
                pairs[index] = match
                del left[match]
    shared = CLASS.get(field.type.name, ())
    for index, entry in enumerate(wanted):
        if pairs[index] is None:
            match = next(
                (
                    place
                    for place in left
                    if free(place)
                    and _compatible(names[index], identities[place])
                    and all(_alike(value_at(entry, key), value_at(found[place], key)) for key in shared)
                ),
                None,
            )
            if match is not None:
                pairs[index] = match
                del left[match]
    return pairs


def _compatible(left: tuple[Any, ...] | None, right: tuple[Any, ...] | None) -> bool:
    if left is None or right is None:
        return True
    if left[0] != right[0]:
        return False
    return all(one is None or two is None or one == two for one, two in zip(left, right, strict=True))


def _alike(left: Any, right: Any) -> bool:
    return left is None or right is None or left == right
