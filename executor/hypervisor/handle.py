"""What a domain, volume, pool, network ... of ours has in common: libvirt's handle, a name, and how calls are made."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, ClassVar

import libvirt

from executor.hypervisor.calls import invoke

if TYPE_CHECKING:
    from executor.hypervisor.connection import Connection


class Affect(enum.IntFlag):
    """What a change is for: what runs now, the definition that the next start reads, or both."""

    CURRENT = libvirt.VIR_DOMAIN_AFFECT_CURRENT
    LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
    CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    BOTH = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG


class Handle:
    """One object of libvirt's. Good for as long as the connection that it came by; look it up again after that."""

    kind: ClassVar[str] = "object"

    __slots__ = ("connection", "name", "raw")

    def __init__(self, connection: Connection, raw: Any, name: str) -> None:
        self.connection = connection
        self.raw = raw
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    def read(self, method: str, *args: Any) -> Any:
        """Make a call that changes nothing."""
        return invoke(self.raw, method, *args, kind=self.kind, target=self.name, mutating=False)

    def change(self, method: str, *args: Any) -> Any:
        """Make a call that changes something."""
        return invoke(self.raw, method, *args, kind=self.kind, target=self.name, mutating=True)


class Identified(Handle):
    """What has a UUID, can be defined, and runs or not: domains, networks, pools."""

    __slots__ = ("_uuid",)

    def __init__(self, connection: Connection, raw: Any, name: str, uuid: str = "") -> None:
        super().__init__(connection, raw, name)
        self._uuid = uuid

    @property
    def uuid(self) -> str:
        """Return the UUID, in lower case with hyphens."""
        if not self._uuid:
            self._uuid = str(self.read("UUIDString"))
        return self._uuid

    @property
    def active(self) -> bool:
        """Whether it runs now."""
        return bool(self.read("isActive"))

    @property
    def persistent(self) -> bool:
        """Whether it is defined; if not, it ceases to exist when it stops."""
        return bool(self.read("isPersistent"))

    @property
    def autostart(self) -> bool:
        """Whether libvirt starts it by itself when the host does."""
        return bool(self.read("autostart"))

    def set_autostart(self, wanted: bool) -> None:
        """Let libvirt start it by itself when the host does, or not."""
        self.change("setAutostart", int(wanted))
