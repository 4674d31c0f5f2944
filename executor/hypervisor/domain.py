"""One domain: its state and documents, its life from start to destroy, its devices, its metadata."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import libvirt

from executor.hypervisor.errors import NotFound
from executor.hypervisor.handle import Affect, Identified
from executor.hypervisor.words import word, words

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping


class State(enum.StrEnum):
    """libvirt's domain states."""

    NOSTATE = "nostate"
    RUNNING = "running"
    BLOCKED = "blocked"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    """It is on its way down."""
    SHUTOFF = "shutoff"
    CRASHED = "crashed"
    PMSUSPENDED = "pmsuspended"


@dataclass(frozen=True, slots=True)
class DomainState:
    """A state, and libvirt's word for how it came to be (``booted``, ``user``, ``ioerror``, ``destroyed`` ...)."""

    state: State
    reason: str

    @property
    def active(self) -> bool:
        """Whether a hypervisor runs it, paused or not; what crashed and was kept counts."""
        return self.state is not State.SHUTOFF and not (self.state is State.CRASHED and self.reason == "unknown")


_STATES: Final[Mapping[int, State]] = {getattr(libvirt, f"VIR_DOMAIN_{state.name}"): state for state in State}
_REASONS: Final = {state: words(f"VIR_DOMAIN_{state.name}_") for state in State if state is not State.SHUTDOWN} | {
    # Named like how a domain is asked to shut down.
    State.SHUTDOWN: {libvirt.VIR_DOMAIN_SHUTDOWN_UNKNOWN: "unknown", libvirt.VIR_DOMAIN_SHUTDOWN_USER: "user"}
}


def decoded_state(state: int, reason: int) -> DomainState:
    """Return libvirt's two numbers as words."""
    named = _STATES.get(state, State.NOSTATE)
    return DomainState(named, word(_REASONS[named], reason))


class Via(enum.IntFlag):
    """How a guest is asked to shut down or reboot; or'ed, libvirt tries one after the other."""

    DEFAULT = 0
    ACPI = libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
    AGENT = libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT
    INITCTL = libvirt.VIR_DOMAIN_SHUTDOWN_INITCTL
    SIGNAL = libvirt.VIR_DOMAIN_SHUTDOWN_SIGNAL
    PARAVIRT = libvirt.VIR_DOMAIN_SHUTDOWN_PARAVIRT


class Domain(Identified):
    """One domain. What it is when a guest is asked for is for libvirt to say: all calls go to it."""

    kind: ClassVar[str] = "domain"

    __slots__ = ()

    @property
    def uuid(self) -> str:
        """Return the UUID, in lower case with hyphens; costs no call to the other end."""
        if not self._uuid:
            self._uuid = self.raw.UUIDString()
        return self._uuid

    def state(self) -> DomainState:
        """Return its state now."""
        state, reason = self.read("state", 0)
        return decoded_state(state, reason)

    def xml(self, *, inactive: bool = False, secure: bool = False, migratable: bool = False) -> str:
        """Return its document: as it runs, or *inactive* as it would start; *secure* with its passwords."""
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
        flags |= libvirt.VIR_DOMAIN_XML_SECURE if secure else 0
        flags |= libvirt.VIR_DOMAIN_XML_MIGRATABLE if migratable else 0
        return str(self.read("XMLDesc", flags))

    def has_managed_save(self) -> bool:
        """Say whether its memory waits on disk for the next start."""
        return bool(self.read("hasManagedSaveImage", 0))

    # Life

    def start(self, *, paused: bool = False, forget_saved: bool = False) -> None:
        """Start it, from its managed save if there is one, unless *forget_saved*. Raises WrongState if it runs."""
        flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
        flags |= libvirt.VIR_DOMAIN_START_FORCE_BOOT if forget_saved else 0
        self.change("createWithFlags", flags)

    def shutdown(self, via: Via = Via.DEFAULT) -> None:
        """Ask the guest to shut down, and do not wait. It may ignore it."""
        if via:
            self.change("shutdownFlags", int(via))
        else:
            self.change("shutdown")

    def destroy(self, *, graceful: bool = False) -> None:
        """Stop it now, as by pulling the plug; *graceful* never kills a QEMU that does not end in time."""
        if graceful:
            self.change("destroyFlags", libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
        else:
            self.change("destroy")

    def reboot(self, via: Via = Via.DEFAULT) -> None:
        """Ask the guest to reboot."""
        self.change("reboot", int(via))

    def reset(self) -> None:
        """Reset it as by the button: the guest is not asked."""
        self.change("reset", 0)

    def suspend(self) -> None:
        """Pause it: memory stays, the guest's clock stops."""
        self.change("suspend")

    def resume(self) -> None:
        """Let it run on after `suspend`."""
        self.change("resume")

    def managed_save(self, *, paused: bool | None = None) -> None:
        """Write its memory to libvirt's own file and stop it; the next start goes on there.

        ``paused`` says how it then starts; None for as it is now.
        """
        flags = {None: 0, True: libvirt.VIR_DOMAIN_SAVE_PAUSED, False: libvirt.VIR_DOMAIN_SAVE_RUNNING}[paused]
        self.change("managedSave", flags)

    def forget_managed_save(self) -> None:
        """Remove the memory that `managed_save` wrote: the next start boots."""
        self.change("managedSaveRemove", 0)

    def save(self, path: str) -> None:
        """Write its memory to *path*, on the host, and stop it; see `Domains.restore`."""
        self.change("save", path)

    def rename(self, name: str) -> None:
        """Give it another name; only while it does not run."""
        self.change("rename", name, 0)
        self.name = name

    def undefine(
        self,
        *,
        nvram: Literal["keep", "delete"] = "keep",
        tpm: Literal["keep", "delete"] = "keep",
        managed_save: bool = True,
        snapshots: bool = True,
    ) -> None:
        """Forget the definition; what runs goes on, and is gone when it stops. Disks stay as they are.

        Firmware variables and TPM state stay unless told otherwise; the managed save is removed, and what libvirt
        knows of snapshots and checkpoints (never the data). Raises WrongState where one stays that libvirt will not
        leave behind.
        """
        flags = _NVRAM[nvram] | _TPM[tpm]
        flags |= libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE if managed_save else 0
        flags |= _UNDEFINE_SNAPSHOTS if snapshots else 0
        flags &= self.connection.driver.undefine_flags
        if flags:
            self.change("undefineFlags", flags)
        else:
            self.change("undefine")

    # Devices

    def attach_device(self, xml: str, affect: Affect) -> None:
        """Add the device of this document, such as ``<disk ...>``."""
        self.change("attachDeviceFlags", xml, int(affect))

    def detach_device(self, xml: str, affect: Affect) -> None:
        """Take out the device that this document describes.

        Live, the guest must agree: it is gone when DEVICE_REMOVED tells so, or the live document no longer has it.
        """
        self.change("detachDeviceFlags", xml, int(affect))

    def detach_alias(self, alias: str, affect: Affect) -> None:
        """Take out the device with that alias; else as `detach_device`, but only asked for, never waited for."""
        self.change("detachDeviceAlias", alias, int(affect))

    def update_device(self, xml: str, affect: Affect, *, force: bool = False) -> None:
        """Change the device to what this document says: media, link state, a password; *force* opens a tray."""
        self.change("updateDeviceFlags", xml, int(affect) | (libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE if force else 0))

    def block_resize(self, disk: str, size: int) -> None:
        """Tell the guest that *disk* (its target, or its source's path) has *size* bytes, and make it so."""
        self.change("blockResize", disk, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

    def block_info(self, disk: str) -> tuple[int, int, int]:
        """Return capacity, allocation and physical size of *disk*, in bytes."""
        capacity, allocation, physical = self.read("blockInfo", disk, 0)
        return int(capacity), int(allocation), int(physical)

    def open_graphics(self, index: int) -> socket.socket:
        """Return a socket joined to its graphical screen number *index*, as if a client had connected to it.

        Wherever the screen listens; only where libvirtd is on this machine. Raises Unsupported elsewhere.
        """
        import socket  # noqa: PLC0415  (what lists guests needs none)

        return socket.socket(fileno=self.change("openGraphicsFD", index, 0))

    # What it says of itself

    def metadata(self, namespace: str, affect: Affect = Affect.CURRENT) -> str | None:
        """Return the metadata element of *namespace* as XML text; None when there is none."""
        try:
            return str(self.read("metadata", libvirt.VIR_DOMAIN_METADATA_ELEMENT, namespace, int(affect)))
        except NotFound as error:
            if error.code == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
                return None
            raise

    def set_metadata(self, xml: str | None, *, namespace: str, prefix: str, affect: Affect) -> None:
        """Replace the metadata element of *namespace* by *xml* (None: remove it).

        *xml* is one element without the namespace, which libvirt adds under *prefix*.
        """
        self.change("setMetadata", libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml, prefix, namespace, int(affect))

    def set_title(self, title: str | None, affect: Affect) -> None:
        """Change its title, one line; None removes it."""
        self.change("setMetadata", libvirt.VIR_DOMAIN_METADATA_TITLE, title, None, None, int(affect))

    def set_description(self, text: str | None, affect: Affect) -> None:
        """Change its description; None removes it."""
        self.change("setMetadata", libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text, None, None, int(affect))


_NVRAM: Final = {"keep": libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM, "delete": libvirt.VIR_DOMAIN_UNDEFINE_NVRAM}
_TPM: Final = {
    "keep": getattr(libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_TPM", 0),
    "delete": getattr(libvirt, "VIR_DOMAIN_UNDEFINE_TPM", 0),
}
_UNDEFINE_SNAPSHOTS: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
)
