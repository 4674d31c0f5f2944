"""Everything that a live hypervisor has defined, as XML, for an import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from analyser.importer.items import Item
from analyser.importer.place import Rank
from analyser.names import object_name
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def estate(uri: str, node: str | None = None) -> Iterator[Item]:
    """Yield the domains, networks, pools, packet filters and secrets behind *uri*, with *node* (None: its host name).

    Domains in their inactive form, which is what would start again; one that has none in the form that runs. Nothing is
    changed there. Raises KubevmmError where *uri* cannot be opened.
    """
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection, flags = _open(uri)
    try:
        name = node or object_name(connection.getHostname()) or None
        for domain in connection.listAllDomains(0):
            running = bool(domain.isActive())
            persistent = bool(domain.isPersistent())
            wanted = flags | (libvirt.VIR_DOMAIN_XML_INACTIVE if persistent else 0)
            rank = Rank.CONFIGURATION if persistent else Rank.STATE
            yield _item(f"{uri}#domain/{domain.UUIDString()}", name, rank, domain.XMLDesc, wanted, running=running)
        for kind, listed, inactive in _others(connection):
            try:
                found = listed(0)
            except libvirt.libvirtError:
                continue  # this driver has none of the kind
            for each in found:
                wanted = inactive if inactive and each.isPersistent() else 0
                yield _item(
                    f"{uri}#{kind}/{each.UUIDString()}", name, Rank.CONFIGURATION, each.XMLDesc, wanted, running=None
                )
    except libvirt.libvirtError as error:
        raise KubevmmError(f"{uri}: {error}") from None
    finally:
        connection.close()


def _open(uri: str) -> tuple[Any, int]:
    """Return a connection and the flags for a domain's XML: a read-only one may not see passwords."""
    try:
        return libvirt.open(uri), libvirt.VIR_DOMAIN_XML_SECURE
    except libvirt.libvirtError as first:
        try:
            return libvirt.openReadOnly(uri), 0
        except libvirt.libvirtError:
            raise KubevmmError(
                f"{uri}: cannot be opened: {first}", hint="is libvirt running there, and may you use it?"
            ) from None


def _others(connection: Any) -> Iterator[tuple[str, Callable[[int], list[Any]], int]]:
    yield "network", connection.listAllNetworks, libvirt.VIR_NETWORK_XML_INACTIVE
    yield "pool", connection.listAllStoragePools, libvirt.VIR_STORAGE_XML_INACTIVE
    yield "nwfilter", connection.listAllNWFilters, 0
    yield "secret", connection.listAllSecrets, 0


def _item(
    name: str, node: str | None, rank: Rank, describe: Callable[[int], str], flags: int, *, running: bool | None
) -> Item:
    try:
        try:
            text = describe(flags)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_INVALID_ARG or not flags:
                raise
            text = describe(0)  # drivers that know one form only refuse to be asked for another
    except libvirt.libvirtError as error:
        # It may have been undefined since it was listed; what remains is imported all the same.
        return Item(name, node, rank, error=InputError(str(error), file=name))
    return Item(name, node, rank, data=text.encode(), running=running)
