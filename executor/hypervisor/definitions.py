"""What libvirt has besides, each a document under a name: packet filters, secrets, host interfaces, node devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from executor.hypervisor.errors import NotFound
from executor.hypervisor.handle import Handle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.hypervisor.connection import Connection


class Definition(Handle):
    """One of them; ``identity`` is its UUID, or its name where it has none."""

    __slots__ = ("identity",)

    def __init__(self, connection: Connection, raw: Any) -> None:
        super().__init__(connection, raw, raw.name())
        self.identity = self.name

    def xml(self) -> str:
        """Return its document; a secret's value is not in it."""
        return str(self.read("XMLDesc", 0))

    def undefine(self) -> None:
        """Forget it."""
        self.change("undefine")


class NetworkFilter(Definition):
    """One packet filter."""

    kind: ClassVar[str] = "nwfilter"

    __slots__ = ()

    def __init__(self, connection: Connection, raw: Any) -> None:
        super().__init__(connection, raw)
        self.identity = raw.UUIDString()


class Secret(Definition):
    """One secret; it has no name, so its UUID is that too."""

    kind: ClassVar[str] = "secret"

    __slots__ = ()

    def __init__(self, connection: Connection, raw: Any) -> None:
        Handle.__init__(self, connection, raw, raw.UUIDString())
        self.identity = self.name

    def value(self) -> bytes:
        """Return its value, empty where it has none. Raises Denied for a private one."""
        try:
            return bytes(self.read("value", 0))
        except NotFound:
            return b""

    def set_value(self, value: bytes) -> None:
        """Set its value."""
        self.change("setValue", value, 0)


class Interface(Definition):
    """One of the host's network interfaces."""

    kind: ClassVar[str] = "interface"

    __slots__ = ()


class NodeDevice(Definition):
    """One of the host's devices."""

    kind: ClassVar[str] = "nodedev"

    __slots__ = ()


# By class: the binding's calls that list, find and define.
_CALLS: Final[Mapping[type[Definition], tuple[str, str, str]]] = {
    NetworkFilter: ("listAllNWFilters", "nwfilterLookupByName", "nwfilterDefineXMLFlags"),
    Secret: ("listAllSecrets", "secretLookupByUUIDString", "secretDefineXML"),
    Interface: ("listAllInterfaces", "interfaceLookupByName", "interfaceDefineXML"),
    NodeDevice: ("listAllDevices", "nodeDeviceLookupByName", "nodeDeviceDefineXML"),
}

DefinitionT = TypeVar("DefinitionT", bound=Definition)


class Definitions(Generic[DefinitionT]):
    """All of one kind behind a connection."""

    def __init__(self, connection: Connection, kind: type[DefinitionT]) -> None:
        self._connection = connection
        self._kind = kind
        self._all, self._find, self._define = _CALLS[kind]

    def all(self) -> list[DefinitionT]:
        """Return all. Raises Unsupported where the driver knows none of the kind."""
        return [self._kind(self._connection, raw) for raw in self._connection.read(self._all, 0)]

    def find(self, identity: str) -> DefinitionT:
        """Return the one of that name; a secret by its UUID. Raises NotFound."""
        return self._kind(self._connection, self._connection.read(self._find, identity))

    def define(self, xml: str) -> DefinitionT:
        """Define one, or define it anew. Raises Invalid and Conflict."""
        return self._kind(self._connection, self._connection.change(self._define, xml, 0))
