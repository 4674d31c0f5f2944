"""A connection's domains: all with their states in one call, one by UUID or name, a new one from its document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import libvirt

from executor.hypervisor.domain import Domain, DomainState, decoded_state
from executor.hypervisor.drivers import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from executor.hypervisor.connection import Connection

PERSISTENT: Final = libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT
TRANSIENT: Final = libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT
AUTOSTART: Final = libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART
MANAGED_SAVE: Final = libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE


@dataclass(frozen=True, slots=True)
class Summary:
    """One domain as a list shows it."""

    domain: Domain
    state: DomainState
    statistics: Mapping[str, Any] = field(default_factory=dict)
    """By libvirt's keys (virConnectGetAllDomainStats): ``balloon.current`` in KiB, ``cpu.time`` in nanoseconds ..."""


class Domains:
    """All domains behind a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def summaries(self, *, statistics: bool = False) -> list[Summary]:
        """Return all domains with their states in one call, where the driver has it; *statistics* adds the driver's."""
        connection, driver = self._connection, self._connection.driver
        if not driver.supports(Operation.BULK_STATS, connection.library):
            return [Summary(domain, domain.state()) for domain in self.all()]
        groups = driver.statistics if statistics else libvirt.VIR_DOMAIN_STATS_STATE
        found = connection.read("getAllDomainStats", groups, driver.stats_flags)
        return [
            Summary(
                Domain(connection, raw, raw.name()),
                decoded_state(values.get("state.state", 0), values.get("state.reason", 0)),
                values,
            )
            for raw, values in found
        ]

    def all(self, flags: int = 0) -> list[Domain]:
        """Return the domains; *flags* (PERSISTENT, AUTOSTART ..., or'ed) leaves out those of which this is not true."""
        return [Domain(self._connection, raw, raw.name()) for raw in self._connection.read("listAllDomains", flags)]

    def by_uuid(self, uuid: str) -> Domain:
        """Return the domain with that UUID. Raises NotFound."""
        raw = self._connection.read("lookupByUUIDString", uuid)
        return Domain(self._connection, raw, raw.name())

    def by_name(self, name: str) -> Domain:
        """Return the domain of that name. Raises NotFound."""
        raw = self._connection.read("lookupByName", name)
        return Domain(self._connection, raw, raw.name())

    def define(self, xml: str, *, validate: bool = False) -> Domain:
        """Define a domain, or define it anew, by UUID; nothing that runs changes.

        *validate* has libvirt check the document against its grammar first. Raises Invalid, and Conflict when the name
        belongs to another UUID.
        """
        flags = libvirt.VIR_DOMAIN_DEFINE_VALIDATE if validate else 0
        raw = self._connection.change("defineXMLFlags", xml, flags)
        return Domain(self._connection, raw, raw.name())

    def create(self, xml: str, *, paused: bool = False) -> Domain:
        """Start a domain that is gone when it stops."""
        raw = self._connection.change("createXML", xml, libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)
        return Domain(self._connection, raw, raw.name())

    def restore(self, path: str, *, xml: str | None = None, paused: bool | None = None) -> None:
        """Start the domain whose memory `Domain.save` wrote to *path*, on the host; *xml* replaces its document.

        ``paused`` None leaves it as it was when it was saved.
        """
        flags = {None: 0, True: libvirt.VIR_DOMAIN_SAVE_PAUSED, False: libvirt.VIR_DOMAIN_SAVE_RUNNING}[paused]
        self._connection.change("restoreFlags", path, xml, flags)

    def statistics(self, domains: Iterable[Domain], groups: int = 0) -> dict[str, Mapping[str, Any]]:
        """Return the statistics of some domains by UUID; *groups* 0 for all that the driver has."""
        raws = [domain.raw for domain in domains]
        if not raws:
            return {}
        driver = self._connection.driver
        found = self._connection.read("domainListGetStats", raws, groups or driver.statistics, driver.stats_flags)
        return {raw.UUIDString(): values for raw, values in found}
