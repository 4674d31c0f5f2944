"""What is done to a running guest for the changes that it needs, and what of them has to wait for its next start."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from analyser.codec.encode import encode
from executor.plan import actions, foreign, hotplug, identity, same, tuning
from executor.plan.merge import covers_map, path_text
from schemas.table import table

if TYPE_CHECKING:
    from executor.plan.actual import Actual
    from executor.plan.merge import Change, Merged, Path
    from schemas.table import Field

_STEPS: tuple[type[actions.Action], ...] = (
    actions.DetachDevice, actions.AddIOThread, actions.SetIOThreadParameters, actions.AttachDevice, actions.SetMemory,
    actions.SetVcpus, actions.SetVcpu, actions.UpdateDevice, actions.SetBlockIoTune, actions.SetInterfaceParameters,
    actions.SetSchedulerParameters, actions.SetMemoryParameters, actions.SetBlkioParameters, actions.SetNumaParameters,
    actions.PinVcpu, actions.PinEmulator, actions.PinIOThread, actions.DelIOThread, actions.SetMemoryStatsPeriod,
    actions.SetPerfEvents, actions.SetLifecycleAction, actions.SetTitle, actions.SetDescription, actions.SetMetadata,
)  # fmt: skip
"""The safe order: what frees a place first, then what others stand on, then what only tunes."""


_CONTROLLERS: dict[str, tuple[frozenset[str], str]] = {
    "pci": (frozenset({"pci"}), "bus"),
    "drive": (frozenset({"scsi", "sata", "ide", "fdc"}), "controller"),
    "virtio-serial": (frozenset({"virtio-serial"}), "controller"),
    "ccid": (frozenset({"ccid"}), "controller"),
    "usb": (frozenset({"usb"}), "bus"),
}
"""By an address's type: the controllers that have such places, and the key of their number."""


def plan(live: Merged, config: dict[str, Any], actual: Actual) -> tuple[list[actions.Action], list[Path]]:
    """Return what is done for the changes of *live*, in a safe order, and the paths of those that have to wait.

    *live* is what the running guest shall be, *actual* what there is, *config* what its definition will be.
    """
    run = _Live(live, config, actual)
    for path, changes in _grouped(live.changes).items():
        run.group(path, changes)
    return run.ordered(), run.waiting


def _grouped(changes: list[Change]) -> dict[Path, list[Change]]:
    """Return the changes by what libvirt changes at once: a device, an entry of a list, or a value."""
    out: dict[Path, list[Change]] = {}
    for change in changes:
        path = change.path
        if path[0] == "devices" and len(path) > 1:
            size = 3 if len(path) > 2 and path[2].startswith("[") else 2  # noqa: PLR2004
        elif path[:2] in tuning.ENTRIES:
            size = 3
        else:
            size = len(path)
        out.setdefault(path[:size], []).append(change)
    return out


class _Live:
    def __init__(self, live: Merged, config: dict[str, Any], actual: Actual) -> None:
        self.live = live
        self.config = config
        self.actual = actual.live or {}
        self.guest = actual
        self.found: list[tuple[Path, actions.Action]] = []
        self.parameters: dict[type[actions.Parametric], list[tuple[str, int | str]]] = {}
        self.waiting: list[Path] = []

    def group(self, path: Path, changes: list[Change]) -> None:
        """Plan the *changes* to what is at *path*."""
        if path[0] == "devices" and path in self.live.entries and path != ("devices", "memballoon"):
            self.device(path, changes)
            return
        entry = tuning.ENTRIES.get(path[:2])
        if entry is not None:
            old, new, _ = self.live.entries.get(path, (None, None, None))
            made = entry(old, new) if old or new else None
            if made is None or (self.keeps_vcpus and any(_takes_vcpu(action) for action in made)):
                self.waiting += [change.path for change in changes]
            else:
                for action in made:
                    self.add(path, action)
            return
        for change in changes:
            self.value(change)

    def value(self, change: Change) -> None:
        """Plan a change to one value that belongs to no device."""
        path = change.path
        if path[0] == "metadata":
            self.metadata(change)
            return
        if path in {("vcpu", "value"), ("vcpu", "current")}:
            self.vcpus(change)
            return
        if path == ("iothreads",):
            self.iothreads(change)
            return
        parameter = tuning.parameter(path, change.new, change.field)
        if parameter is not None:
            kind, value = parameter
            self.parameters.setdefault(kind.action, []).append((kind.name, value))
            return
        action = tuning.scalar(path, change.new, change.field)
        if action is None:
            self.waiting.append(path)
        else:
            self.add(path, action)

    def vcpus(self, change: Change) -> None:
        """Plan another number of virtual CPUs: up to the maximum of the running guest at once, the rest later."""
        wanted, most = self.live.node.get("vcpu") or {}, (self.actual.get("vcpu") or {}).get("value")
        count = wanted.get("current", wanted.get("value"))
        if change.path[-1] == "value":
            self.waiting.append(change.path)
        if count.__class__ is int and most.__class__ is int and count <= most:
            now = self.actual["vcpu"].get("current", most)
            if count < now and self.keeps_vcpus:
                self.waiting.append(change.path)
            elif count != now and not any(isinstance(each, actions.SetVcpus) for _, each in self.found):
                self.add(change.path, actions.SetVcpus(count))
        elif change.path[-1] == "current":
            self.waiting.append(change.path)

    @property
    def keeps_vcpus(self) -> bool:
        """Whether the guest is asked for no vCPU back."""
        return self.actual.get("type") in hotplug.KEEPS_VCPUS

    def iothreads(self, change: Change) -> None:
        """Plan another number of I/O threads, unless the spec names them one by one."""
        if any(each.path[0] == "iothreadids" for each in self.live.changes):
            return
        named = (self.actual.get("iothreadids") or {}).get("iothreads") or []
        there = {entry.get("id") for entry in named} or set(range(1, (change.old or 0) + 1))
        count = change.new or 0
        free = (number for number in range(1, count + len(there) + 1) if number not in there)
        for number in islice(free, max(count - len(there), 0)):
            self.add(change.path, actions.AddIOThread(number))
        for number in sorted(there, reverse=True)[: max(len(there) - count, 0)]:
            self.add(change.path, actions.DelIOThread(number))

    def metadata(self, change: Change) -> None:
        name = change.path[-1][1:-1]
        set_by = foreign.settable(change.new) if change.new is not None else ("", None)
        if set_by is None or not (":" in name or "/" in name):
            self.waiting.append(change.path)
            return
        key, xml = set_by
        self.add(change.path, actions.SetMetadata(name, key, xml))

    def device(self, path: Path, changes: list[Change]) -> None:
        old, new, field = self.live.entries[path]
        kind = path[1]
        if old is None or new is None:
            if not hotplug.pluggable(kind, new or old):
                self.waiting.append(path)
            elif new is None:
                self.add(path, actions.DetachDevice(path_text(path), xml(self.whole(old, path), field)))
            else:
                self.add(path, actions.AttachDevice(path_text(path), xml(self.placed(new, field), field)))
            return
        rest = self.tuned(path, old, new, changes)
        if not rest:
            return
        inside = [change.path[len(path) :] for change in rest]
        if all(hotplug.updatable(kind, new, key) for key in inside):
            text = path_text(path)
            paths = tuple(path_text(key) for key in inside)
            self.add(path, actions.UpdateDevice(text, xml(new, field), paths))
        else:
            self.partly(path, old, new, field, rest)

    def partly(self, path: Path, old: Any, new: Any, field: Field, changes: list[Change]) -> None:
        """Change in place what can be, each top-level key whole, and leave the rest of a device as it runs."""
        size = len(path)
        now = [c for c in changes if hotplug.updatable(path[1], new, c.path[size:]) and len(c.path) > size]
        later = [change for change in changes if change not in now]
        blocked = {change.path[size] for change in later}
        now = [change for change in now if change.path[size] not in blocked]
        self.waiting += [change.path for change in changes if change not in now]
        if not now:
            return
        node = dict(old)
        for key in {change.path[size] for change in now}:
            if key in new:
                node[key] = new[key]
            else:
                node.pop(key, None)
        paths = tuple(path_text(change.path[size:]) for change in now)
        self.add(path, actions.UpdateDevice(path_text(path), xml(node, field), paths))

    def tuned(self, path: Path, old: Any, new: Any, changes: list[Change]) -> list[Change]:
        """Plan what has a call of its own; return the other changes."""
        size = len(path)
        key = {"disks": "iotune", "interfaces": "bandwidth"}.get(path[1])
        inside = [change for change in changes if change.path[size : size + 1] == (key,)]
        if not inside:
            return changes
        if key == "iotune":
            fields = table().type("domain/throttlegroups/throttlegroup").by_key
            self.add(path, tuning.block_io_tune(old, new, fields))
            return [change for change in changes if change not in inside]
        if len(inside) < len(changes):
            return changes
        action = tuning.bandwidth(new)
        if action is None:
            return changes
        self.add(path, action)
        return []

    def whole(self, device: dict[str, Any], path: Path) -> dict[str, Any]:
        """Return the running *device* with its runtime state, by which libvirt finds it again."""
        there, raw = ((node.get("devices") or {}).get(path[1]) for node in (self.actual, self.guest.raw))
        if raw.__class__ is dict:
            return dict(raw)
        if not raw or not there or len(raw) != len(there):
            return device
        place = next((place for place, each in enumerate(there) if each is device), None)
        return device if place is None else dict(raw[place])

    def placed(self, new: dict[str, Any], field: Field) -> dict[str, Any]:
        """Return the device *new* as the definition has it, its address too where that is free in the guest.

        So the guest finds it where it is after a restart.
        """
        entries = (self.config.get("devices") or {}).get(field.key)
        if field.many:
            places = identity.pair([new], entries or [], field, lambda one, two: covers_map(one, two, field.type))
            found = entries[places[0]] if entries and places[0] is not None else new
        else:
            found = entries or new
        address = found.get("address")
        if address is None or address == new.get("address"):
            return dict(found)
        if self.free(address):
            return dict(found)
        return {key: value for key, value in found.items() if key != "address"}

    def free(self, address: dict[str, Any]) -> bool:
        """Say whether the running guest has the place *address*, and nothing there."""
        devices = self.actual.get("devices") or {}
        owner, number = _CONTROLLERS.get(address.get("type", ""), (None, ""))
        if owner is not None:
            controllers = [entry for entry in devices.get("controllers") or () if entry.get("type") in owner]
            there = {same.identity(entry.get("index", 0)) for entry in controllers}
            if same.identity(address.get(number, 0)) not in there:
                return False
        taken = (
            device.get("address")
            for entries in devices.values()
            for device in (entries if entries.__class__ is list else [entries])
            if device.__class__ is dict
        )
        return address not in taken

    def add(self, path: Path, action: actions.Action) -> None:
        self.found.append((path, action))

    def ordered(self) -> list[actions.Action]:
        """Return the actions in a safe order."""
        for kind, values in self.parameters.items():
            self.found.append(((), kind(tuple(values))))
        merged: dict[type[actions.Parametric], list[tuple[str, int | str]]] = {}
        out: list[tuple[int, int, actions.Action]] = []
        for path, action in self.found:
            if isinstance(action, actions.Parametric):
                merged.setdefault(type(action), []).extend(action.parameters)
                continue
            controller = path[:2] == ("devices", "controllers")
            detach = isinstance(action, actions.DetachDevice)
            out.append((_STEPS.index(type(action)), (1 if detach else -1) if controller else 0, action))
        out += [(_STEPS.index(kind), 0, kind(_joined(values))) for kind, values in merged.items()]
        return [action for _, _, action in sorted(out, key=lambda each: each[:2])]


def _takes_vcpu(action: actions.Action) -> bool:
    return isinstance(action, actions.SetVcpu) and not action.enabled


def _joined(values: list[tuple[str, int | str]]) -> actions.Parameters:
    """Return the parameters with one value each: those of several devices are one list."""
    out: dict[str, int | str] = {}
    for name, value in values:
        out[name] = f"{out[name]},{value}" if name in out and name.startswith("device_") else value
    return tuple(out.items())


def xml(device: dict[str, Any], field: Field) -> str:
    """Return a device as libvirt's XML."""
    return encode(device, field.type, field.xml, table().namespaces, libvirt_order=True)
