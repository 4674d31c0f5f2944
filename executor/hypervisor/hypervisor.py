"""A hypervisor: one connection, and all that is behind it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

from executor.hypervisor.connection import Connection
from executor.hypervisor.domains import Domains
from executor.hypervisor.host import Host

# Each kind of thing is loaded as it is asked for: a list of guests needs few of them, and is wanted at once.
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from executor.hypervisor.definitions import Definitions, Interface, NetworkFilter, NodeDevice, Secret
    from executor.hypervisor.drivers import Operation
    from executor.hypervisor.events import Event, Events, Source
    from executor.hypervisor.networks import Networks
    from executor.hypervisor.pools import Pools


class Hypervisor:
    """A context manager round a `Connection`; see there for *uri*, *readonly*, *keepalive* and *events*.

    *node* is what the machine is called by those who manage it, where that is not its host name.

    >>> with Hypervisor("test:///default") as hypervisor:
    ...     print([summary.domain.name for summary in hypervisor.domains.summaries()])
    ['test']
    """

    def __init__(
        self, uri: str = "", *, readonly: bool = False, keepalive: int = 5, events: bool = True, node: str = ""
    ) -> None:
        self.node = node
        self.connection = Connection(uri, readonly=readonly, keepalive=keepalive, events=events)

    def __enter__(self) -> Self:
        self.connection.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.connection.close()

    def supports(self, operation: Operation) -> bool:
        """Say whether this hypervisor has *operation*, as far as its driver's table knows."""
        return self.connection.driver.supports(operation, self.connection.library)

    def events(self, callback: Callable[[Event], object], *, limit: int | None = None) -> Events:
        """Return a context manager that calls *callback* with each event, in a thread of its own; see `Events`."""
        from executor.hypervisor.events import LIMIT, Events  # noqa: PLC0415

        return Events(self._source, callback, limit=LIMIT if limit is None else limit)

    @cached_property
    def _source(self) -> Source:
        from executor.hypervisor.events import Source  # noqa: PLC0415

        return Source(self.connection)

    @cached_property
    def host(self) -> Host:
        """The machine."""
        return Host(self.connection)

    @cached_property
    def domains(self) -> Domains:
        """Its guests."""
        return Domains(self.connection)

    @cached_property
    def networks(self) -> Networks:
        """Its networks."""
        from executor.hypervisor.networks import Networks  # noqa: PLC0415

        return Networks(self.connection)

    @cached_property
    def pools(self) -> Pools:
        """Its storage pools, and through them its volumes."""
        from executor.hypervisor.pools import Pools  # noqa: PLC0415

        return Pools(self.connection)

    @cached_property
    def nwfilters(self) -> Definitions[NetworkFilter]:
        """Its packet filters."""
        from executor.hypervisor.definitions import Definitions, NetworkFilter  # noqa: PLC0415

        return Definitions(self.connection, NetworkFilter)

    @cached_property
    def secrets(self) -> Definitions[Secret]:
        """Its secrets."""
        from executor.hypervisor.definitions import Definitions, Secret  # noqa: PLC0415

        return Definitions(self.connection, Secret)

    @cached_property
    def interfaces(self) -> Definitions[Interface]:
        """The host's own network interfaces."""
        from executor.hypervisor.definitions import Definitions, Interface  # noqa: PLC0415

        return Definitions(self.connection, Interface)

    @cached_property
    def node_devices(self) -> Definitions[NodeDevice]:
        """The host's devices."""
        from executor.hypervisor.definitions import Definitions, NodeDevice  # noqa: PLC0415

        return Definitions(self.connection, NodeDevice)
