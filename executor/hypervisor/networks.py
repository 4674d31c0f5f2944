"""libvirt's networks: defined, started, changed while they run, and the leases that they gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import libvirt

from executor.hypervisor.handle import Affect, Identified

if TYPE_CHECKING:
    from executor.hypervisor.connection import Connection

_COMMANDS: Final = {
    "add": libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
    "delete": libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE,
    "modify": libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY,
}


class Network(Identified):
    """One network."""

    kind: ClassVar[str] = "network"

    __slots__ = ()

    def xml(self, *, inactive: bool = False) -> str:
        """Return its document: as it runs, or *inactive* as it would start."""
        flags = libvirt.VIR_NETWORK_XML_INACTIVE if inactive else 0
        return str(self.read("XMLDesc", flags & self.connection.driver.network_xml_flags))

    def start(self) -> None:
        """Start it. Raises WrongState if it runs."""
        self.change("create")

    def destroy(self) -> None:
        """Stop it; guests' interfaces lose their link."""
        self.change("destroy")

    def undefine(self) -> None:
        """Forget the definition."""
        self.change("undefine")

    def update(self, command: str, section: str, xml: str, affect: Affect, *, parent: int = -1) -> None:
        """Add, delete or modify one entry of a section (the end of VIR_NETWORK_SECTION_*), also live.

        ``parent`` is the place of the ``<ip>`` that it is in, -1 where there is none.
        """
        number = getattr(libvirt, f"VIR_NETWORK_SECTION_{section}")
        self.change("update", _COMMANDS[command], number, parent, xml, int(affect))

    def bridge(self) -> str:
        """Return its bridge's name on the host."""
        return str(self.read("bridgeName"))

    def leases(self, mac: str | None = None) -> list[dict[str, Any]]:
        """Return the DHCP leases, of all or of one MAC, by libvirt's keys: ipaddr, prefix, mac, expirytime ..."""
        return [dict(lease) for lease in self.read("DHCPLeases", mac, 0)]


class Networks:
    """All networks behind a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[Network]:
        """Return all networks, running or not."""
        return [self._of(raw) for raw in self._connection.read("listAllNetworks", 0)]

    def by_uuid(self, uuid: str) -> Network:
        """Return the one with that UUID. Raises NotFound."""
        return self._of(self._connection.read("networkLookupByUUIDString", uuid))

    def by_name(self, name: str) -> Network:
        """Return the one of that name. Raises NotFound."""
        return self._of(self._connection.read("networkLookupByName", name))

    def define(self, xml: str) -> Network:
        """Define one, or define it anew, which what runs sees at its next start. Raises Invalid and Conflict."""
        return self._of(self._connection.change("networkDefineXML", xml))

    def create(self, xml: str) -> Network:
        """Start one that is gone when it stops."""
        return self._of(self._connection.change("networkCreateXML", xml))

    def _of(self, raw: Any) -> Network:
        return Network(self._connection, raw, raw.name())
