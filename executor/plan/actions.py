"""What libvirt can be asked to do, as plain data: a plan is a list of these, in the order in which they are safe.

Each says in one line what it does (``describe``), and whether it changes anything (``changes``). Passwords never show
in ``describe``; XML that may hold them does not show in ``repr`` either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Parameters: TypeAlias = tuple[tuple[str, int | str], ...]
"""libvirt's typed parameters: names and values, numbers in the parameter's own unit."""


@dataclass(frozen=True)
class Action:
    """One step of a plan; ``paths`` are the keys of the spec that it is for."""

    changes: ClassVar[bool] = True
    live: ClassVar[bool] = True
    """Whether it is for the running guest; its definition is Define's."""

    says: ClassVar[str] = ""
    """What it does, in one line for people, with fields of its own in braces."""

    def describe(self) -> str:
        """Return what this does, in one line for people."""
        shown = {name: _SHOWN.get(name, str)(value) for name, value in vars(self).items()}
        return self.says.format_map(shown)


@dataclass(frozen=True)
class Define(Action):
    """Define the document ``xml`` of ``kind`` (libvirt's root element); ``paths`` are what changes in it."""

    live: ClassVar[bool] = False
    kind: str
    name: str
    xml: str = field(repr=False)
    paths: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return what this does."""
        if not self.paths:
            return f"define {self.kind} {self.name}"
        return f"change the definition of {self.kind} {self.name}: {listed(self.paths)}"


@dataclass(frozen=True)
class Rename(Action):
    """Give the domain, which must not be running, another name."""

    says: ClassVar[str] = "rename {old} to {new}"
    live: ClassVar[bool] = False
    old: str
    new: str


@dataclass(frozen=True)
class _Device(Action):
    path: str
    xml: str = field(repr=False)


@dataclass(frozen=True)
class AttachDevice(_Device):
    """Plug the device ``xml`` into the running guest."""

    says: ClassVar[str] = "attach {path}"


@dataclass(frozen=True)
class DetachDevice(_Device):
    """Unplug the device ``xml`` from the running guest, which must let go of it."""

    says: ClassVar[str] = "detach {path}"


@dataclass(frozen=True)
class UpdateDevice(_Device):
    """Change the device of the running guest that is the one in ``xml`` into that; ``paths`` are what changes."""

    says: ClassVar[str] = "update {path}: {paths}"
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetVcpus(Action):
    """Give the running guest ``count`` virtual CPUs."""

    says: ClassVar[str] = "set the number of vCPUs to {count}"
    count: int


@dataclass(frozen=True)
class SetVcpu(Action):
    """Switch one virtual CPU of the running guest on or off."""

    vcpu: int
    enabled: bool

    def describe(self) -> str:
        """Return what this does."""
        return f"switch vCPU {self.vcpu} {'on' if self.enabled else 'off'}"


@dataclass(frozen=True)
class SetMemory(Action):
    """Give the running guest ``kib`` KiB of memory, within its maximum."""

    says: ClassVar[str] = "set memory to {kib} KiB"
    kib: int


@dataclass(frozen=True)
class SetMemoryStatsPeriod(Action):
    """Have the balloon's statistics collected every ``seconds``; 0 for never."""

    seconds: int

    def describe(self) -> str:
        """Return what this does."""
        return f"collect memory statistics every {self.seconds} s" if self.seconds else "collect no memory statistics"


@dataclass(frozen=True)
class Parametric(Action):
    """Sets some of libvirt's typed parameters."""

    parameters: Parameters


@dataclass(frozen=True)
class SetSchedulerParameters(Parametric):
    """Set shares, periods and quotas of CPU time."""

    says: ClassVar[str] = "set CPU time: {parameters}"


@dataclass(frozen=True)
class SetMemoryParameters(Parametric):
    """Set limits of memory, in KiB."""

    says: ClassVar[str] = "set memory limits: {parameters}"


@dataclass(frozen=True)
class SetBlkioParameters(Parametric):
    """Set weights and limits of block I/O."""

    says: ClassVar[str] = "set block I/O weights: {parameters}"


@dataclass(frozen=True)
class SetNumaParameters(Parametric):
    """Set the host's NUMA nodes that memory comes from."""

    says: ClassVar[str] = "set NUMA placement: {parameters}"


@dataclass(frozen=True)
class SetPerfEvents(Parametric):
    """Switch performance events on (1) or off (0)."""

    says: ClassVar[str] = "set performance events: {parameters}"


@dataclass(frozen=True)
class SetBlockIoTune(Action):
    """Set the I/O limits of the disk whose target is ``disk``; those not named become unlimited."""

    says: ClassVar[str] = "set I/O limits of {disk}: {parameters}"
    disk: str
    parameters: Parameters


@dataclass(frozen=True)
class SetInterfaceParameters(Action):
    """Set the bandwidth of the interface with the address ``mac``: KiB/s and KiB, 0 for no limit."""

    says: ClassVar[str] = "set bandwidth of {mac}: {parameters}"
    mac: str
    parameters: Parameters


@dataclass(frozen=True)
class PinVcpu(Action):
    """Let a virtual CPU run on the host's CPUs ``cpuset``; None for all."""

    says: ClassVar[str] = "pin vCPU {vcpu} to {cpuset}"
    vcpu: int
    cpuset: str | None


@dataclass(frozen=True)
class PinEmulator(Action):
    """Let the emulator's threads run on the host's CPUs ``cpuset``; None for all."""

    says: ClassVar[str] = "pin the emulator to {cpuset}"
    cpuset: str | None


@dataclass(frozen=True)
class PinIOThread(Action):
    """Let an I/O thread run on the host's CPUs ``cpuset``; None for all."""

    says: ClassVar[str] = "pin I/O thread {iothread} to {cpuset}"
    iothread: int
    cpuset: str | None


@dataclass(frozen=True)
class AddIOThread(Action):
    """Start an I/O thread."""

    says: ClassVar[str] = "add I/O thread {iothread}"
    iothread: int


@dataclass(frozen=True)
class DelIOThread(Action):
    """End an I/O thread that no disk uses."""

    says: ClassVar[str] = "remove I/O thread {iothread}"
    iothread: int


@dataclass(frozen=True)
class SetIOThreadParameters(Action):
    """Set how an I/O thread polls."""

    says: ClassVar[str] = "set I/O thread {iothread}: {parameters}"
    iothread: int
    parameters: Parameters


@dataclass(frozen=True)
class SetLifecycleAction(Action):
    """Set what is done when the guest ends: ``event`` is poweroff, reboot or crash."""

    says: ClassVar[str] = "on {event}: {action}"
    event: str
    action: str


@dataclass(frozen=True)
class SetTitle(Action):
    """Set the running guest's title; None for none."""

    text: str | None

    def describe(self) -> str:
        """Return what this does."""
        return "remove the title" if self.text is None else f"set the title: {self.text}"


@dataclass(frozen=True)
class SetDescription(Action):
    """Set the running guest's description; None for none."""

    text: str | None

    def describe(self) -> str:
        """Return what this does."""
        return "remove the description" if self.text is None else "set the description"


@dataclass(frozen=True)
class SetMetadata(Action):
    """Set the metadata element of the namespace ``uri``, in the running guest, its definition, or both.

    ``xml`` is without namespaces, as virDomainSetMetadata takes it, which puts all of it into ``uri`` with the prefix
    ``key``; None removes the element.
    """

    uri: str
    key: str
    xml: str | None = field(repr=False)
    in_live: bool = True
    in_config: bool = False

    def describe(self) -> str:
        """Return what this does."""
        return f"{'remove' if self.xml is None else 'set'} metadata {self.uri}"


@dataclass(frozen=True)
class SetMark(SetMetadata):
    """Note what has been applied in our own metadata element."""

    def describe(self) -> str:
        """Return what this does."""
        return "note what is applied" if self.xml is not None else "remove our note"


@dataclass(frozen=True)
class UpdateNetwork(Action):
    """Change one entry of a running network, as virNetworkUpdate does.

    ``command`` is add, delete or modify; ``section`` is the end of VIR_NETWORK_SECTION_*, in libvirt's spelling;
    ``parent`` the place of the ``<ip>`` that the entry is in, -1 where there is none.
    """

    says: ClassVar[str] = "{command} {path} in the running network"
    command: str
    section: str
    path: str
    xml: str
    parent: int = -1


@dataclass(frozen=True)
class _Named(Action):
    kind: str
    name: str


@dataclass(frozen=True)
class Build(_Named):
    """Make what lies below the pool: its folder, its file system; nothing that is there is overwritten."""

    says: ClassVar[str] = "build {kind} {name}"


@dataclass(frozen=True)
class Start(_Named):
    """Start the network or pool."""

    says: ClassVar[str] = "start {kind} {name}"


@dataclass(frozen=True)
class Stop(_Named):
    """Stop the network or pool."""

    says: ClassVar[str] = "stop {kind} {name}"


@dataclass(frozen=True)
class SetAutostart(_Named):
    """Have libvirt start the network or pool with the node, or not."""

    autostart: bool

    def describe(self) -> str:
        """Return what this does."""
        return f"{'start' if self.autostart else 'do not start'} {self.kind} {self.name} with the node"


@dataclass(frozen=True)
class CreateVolume(Action):
    """Make a volume in the pool ``pool``; ``copied`` is the volume whose data it gets, None for a blank one."""

    pool: str
    name: str
    xml: str = field(repr=False)
    copied: str | None = None

    def describe(self) -> str:
        """Return what this does."""
        of = f" as a copy of {self.copied}" if self.copied is not None else ""
        return f"create volume {self.name} in pool {self.pool}{of}"


@dataclass(frozen=True)
class ResizeVolume(Action):
    """Let the volume hold ``capacity`` bytes; never fewer than before."""

    says: ClassVar[str] = "resize volume {name} in pool {pool} to {capacity} bytes"
    pool: str
    name: str
    capacity: int


@dataclass(frozen=True)
class DeleteVolume(Action):
    """Delete the volume and its data."""

    says: ClassVar[str] = "delete volume {name} in pool {pool} and its data"
    pool: str
    name: str


@dataclass(frozen=True)
class Unchangeable(Action):
    """Nothing can be done: libvirt does not change the values at ``paths`` of what exists."""

    says: ClassVar[str] = "cannot change what exists: {paths}"
    changes: ClassVar[bool] = False
    paths: tuple[str, ...]


@dataclass(frozen=True)
class RestartRequired(Action):
    """Nothing to do: the values at ``paths`` reach the guest when it starts anew."""

    says: ClassVar[str] = "takes effect at the next start: {paths}"
    changes: ClassVar[bool] = False
    paths: tuple[str, ...]


def listed(paths: tuple[str, ...], most: int = 5) -> str:
    """Return *paths* for people, no more than *most* of them."""
    rest = len(paths) - most
    return ", ".join(paths[:most]) + (f" and {rest} more" if rest > 0 else "")


def _assignments(parameters: Parameters) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters)


def _cpus(cpuset: str | None) -> str:
    return "all CPUs" if cpuset is None else f"CPUs {cpuset}"


_SHOWN: Final[Mapping[str, Callable[[Any], str]]] = {"paths": listed, "parameters": _assignments, "cpuset": _cpus}
"""How fields are shown whose values say little to people."""
