"""Which values of a running guest libvirt sets by calls of their own, and how: data first, then what is special."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.plan import actions
from executor.plan.identity import value_at
from executor.plan.same import kib

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.table import Field

UNLIMITED = 9007199254740991
"""libvirt's VIR_DOMAIN_MEMORY_PARAM_UNLIMITED, in KiB."""


@dataclass(frozen=True)
class Parameter:
    """One of libvirt's typed parameters: the action that sets it, its name, and what it is when nobody sets it.

    Without ``unset`` it cannot be taken back while the guest runs.
    """

    action: type[actions.Parametric]
    name: str
    unset: int | None = None


_CPU, _MEMORY, _BLKIO, _NUMA = (
    actions.SetSchedulerParameters,
    actions.SetMemoryParameters,
    actions.SetBlkioParameters,
    actions.SetNumaParameters,
)

PARAMETERS: dict[tuple[str, ...], Parameter] = {
    ("cputune", "shares"): Parameter(_CPU, "cpu_shares"),
    ("cputune", "period"): Parameter(_CPU, "vcpu_period", 100_000),
    ("cputune", "quota"): Parameter(_CPU, "vcpu_quota", -1),
    ("cputune", "globalPeriod"): Parameter(_CPU, "global_period", 100_000),
    ("cputune", "globalQuota"): Parameter(_CPU, "global_quota", -1),
    ("cputune", "emulatorPeriod"): Parameter(_CPU, "emulator_period", 100_000),
    ("cputune", "emulatorQuota"): Parameter(_CPU, "emulator_quota", -1),
    ("cputune", "iothreadPeriod"): Parameter(_CPU, "iothread_period", 100_000),
    ("cputune", "iothreadQuota"): Parameter(_CPU, "iothread_quota", -1),
    ("memtune", "hardLimit"): Parameter(_MEMORY, "hard_limit", UNLIMITED),
    ("memtune", "softLimit"): Parameter(_MEMORY, "soft_limit", UNLIMITED),
    ("memtune", "swapHardLimit"): Parameter(_MEMORY, "swap_hard_limit", UNLIMITED),
    ("blkiotune", "weight"): Parameter(_BLKIO, "weight"),
    ("numatune", "memory", "nodeset"): Parameter(_NUMA, "numa_nodeset"),
}
"""Paths whose values are typed parameters."""

LIFECYCLE = {("onPoweroff",): "poweroff", ("onReboot",): "reboot", ("onCrash",): "crash"}

_DEVICE_PARAMETERS = {
    "weight": "device_weight",
    "readIopsSec": "device_read_iops_sec",
    "writeIopsSec": "device_write_iops_sec",
    "readBytesSec": "device_read_bytes_sec",
    "writeBytesSec": "device_write_bytes_sec",
}
_POLL = {"max": "poll_max_ns", "grow": "poll_grow", "shrink": "poll_shrink"}


def parameter(path: tuple[str, ...], value: Any, field: Field | None) -> tuple[Parameter, int | str] | None:
    """Return how *value* (None: no longer wanted) of *path* is set; None if it is no parameter."""
    found = PARAMETERS.get(path)
    if found is None:
        return None
    if value is None:
        return None if found.unset is None else (found, found.unset)
    if field is not None and field.value == "size":
        amount = kib(value, field)
        return None if amount is None else (found, amount)
    return found, value


def scalar(path: tuple[str, ...], value: Any, field: Field | None) -> actions.Action | None:
    """Return the action that gives the running guest *value* (None: none) at *path*; None if there is none."""
    if path == ("title",):
        return actions.SetTitle(value or None)
    if path == ("description",):
        return actions.SetDescription(value or None)
    if value is None:
        return actions.PinEmulator(None) if path == ("cputune", "emulatorpin", "cpuset") else None
    if path == ("currentMemory",) and field is not None:
        amount = kib(value, field)
        return None if amount is None else actions.SetMemory(amount)
    if path == ("vcpu", "current") and value.__class__ is int:
        return actions.SetVcpus(value)
    if path == ("cputune", "emulatorpin", "cpuset"):
        return actions.PinEmulator(str(value))
    if path == ("devices", "memballoon", "stats", "period") and value.__class__ is int:
        return actions.SetMemoryStatsPeriod(value)
    if path in LIFECYCLE:
        return actions.SetLifecycleAction(LIFECYCLE[path], str(value))
    return None


def vcpupin(old: Any, new: Any) -> list[actions.Action] | None:
    """Return how a vCPU is pinned as *new* says (None: not at all)."""
    return _pin(actions.PinVcpu, "vcpu", old, new)


def iothreadpin(old: Any, new: Any) -> list[actions.Action] | None:
    """Return how an I/O thread is pinned as *new* says (None: not at all)."""
    return _pin(actions.PinIOThread, "iothread", old, new)


def _pin(
    action: Callable[[int, str | None], actions.Action], key: str, old: Any, new: Any
) -> list[actions.Action] | None:
    number = (new or old).get(key)
    cpuset = None if new is None else new.get("cpuset")
    return [action(number, cpuset)] if number.__class__ is int else None


def vcpu(old: Any, new: Any) -> list[actions.Action] | None:
    """Return how a single vCPU is switched on or off."""
    if old is None or new is None or {**old, "enabled": new.get("enabled")} != new:
        return None
    return [actions.SetVcpu(new["id"], new["enabled"])] if new.get("enabled").__class__ is bool else None


def iothread(old: Any, new: Any) -> list[actions.Action] | None:
    """Return how an I/O thread is added, removed or told how to poll."""
    number = (new or old).get("id")
    if number.__class__ is not int:
        return None
    if new is None:
        return [actions.DelIOThread(number)]
    before, after = (old or {}).get("poll") or {}, new.get("poll") or {}
    if {**(old or new), "poll": None} != {**new, "poll": None} or before.keys() - after.keys():
        return None
    out: list[actions.Action] = [] if old is not None else [actions.AddIOThread(number)]
    parameters = tuple((_POLL[key], value) for key, value in after.items() if key in _POLL and before.get(key) != value)
    return [*out, actions.SetIOThreadParameters(number, parameters)] if parameters else out


def blkio_device(old: Any, new: Any) -> list[actions.Action] | None:
    """Return how the weight and limits of one of the host's block devices are set; 0 takes them away."""
    path = (new or old).get("path")
    before, after = old or {}, new or {}
    out = tuple(
        (name, f"{path},{after.get(key, 0)}")
        for key, name in _DEVICE_PARAMETERS.items()
        if before.get(key) != after.get(key)
    )
    return [actions.SetBlkioParameters(out)]


def perf_event(old: Any, new: Any) -> list[actions.Action] | None:
    """Return how a performance event is switched."""
    name = (new or old).get("name")
    return [actions.SetPerfEvents(((str(name), int(bool(new and new.get("enabled")))),))]


ENTRIES: dict[tuple[str, ...], Callable[[Any, Any], list[actions.Action] | None]] = {
    ("cputune", "vcpupins"): vcpupin,
    ("cputune", "iothreadpins"): iothreadpin,
    ("vcpus", "vcpus"): vcpu,
    ("iothreadids", "iothreads"): iothread,
    ("blkiotune", "devices"): blkio_device,
    ("perf", "events"): perf_event,
}
"""Lists outside the devices whose entries are set one by one: from the old entry and the new one, or None."""


def block_io_tune(old: dict[str, Any], new: dict[str, Any], fields: dict[str, Field]) -> actions.Action:
    """Return how a disk's I/O limits become those of *new*: libvirt takes 0 for none."""
    wanted, there = new.get("iotune") or {}, old.get("iotune") or {}
    names = [key for key in fields if wanted.get(key, 0) != there.get(key, 0) or key in wanted]
    values = tuple((fields[key].xml, wanted.get(key, 0)) for key in names if key != "groupName" or key in wanted)
    return actions.SetBlockIoTune(str(value_at(new, ("target", "dev"))), values)


def bandwidth(new: dict[str, Any]) -> actions.Action | None:
    """Return how an interface's bandwidth becomes that of *new*: libvirt takes 0 for none."""
    mac = value_at(new, ("mac", "address"))
    if mac is None:
        return None
    values: list[tuple[str, int | str]] = []
    for way in ("inbound", "outbound"):
        limits = value_at(new, ("bandwidth", way)) or {}
        values.append((f"{way}.average", limits.get("average", 0)))
        values += [(f"{way}.{key}", limits[key]) for key in ("peak", "burst", "floor") if key in limits]
    return actions.SetInterfaceParameters(str(mac), tuple(values))
