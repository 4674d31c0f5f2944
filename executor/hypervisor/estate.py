"""Everything that a live hypervisor has defined, as XML, for an import."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

from analyser.importer.items import Item
from analyser.importer.place import Rank
from analyser.names import object_name
from executor.hypervisor.domains import PERSISTENT
from executor.hypervisor.errors import LibvirtError, Unsupported
from executor.hypervisor.hypervisor import Hypervisor
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def estate(uri: str, node: str | None = None) -> Iterator[Item]:
    """Yield the domains, networks, pools, packet filters and secrets behind *uri*, with *node* (None: its host name).

    Domains in their inactive form, which is what would start again; one that has none in the form that runs. Nothing is
    changed there. Raises KubevmmError where *uri* cannot be opened.
    """
    hypervisor = _opened(uri)
    # A read-only connection may not see passwords.
    secure = not hypervisor.connection.readonly
    with hypervisor:
        name = node or object_name(hypervisor.host.hostname()) or None
        found = hypervisor.domains.summaries()
        persistent = {domain.uuid for domain in hypervisor.domains.all(PERSISTENT)}
        for summary in found:
            domain = summary.domain
            kept = domain.uuid in persistent
            yield _item(
                f"{uri}#domain/{domain.uuid}",
                name,
                Rank.CONFIGURATION if kept else Rank.STATE,
                functools.partial(domain.xml, inactive=kept, secure=secure),
                running=summary.state.active,
            )
        for kind, identity, describe in _others(hypervisor):
            yield _item(f"{uri}#{kind}/{identity}", name, Rank.CONFIGURATION, describe, running=None)


def _opened(uri: str) -> Hypervisor:
    """Return an open connection; a read-only one where we may have no other."""
    hypervisor = Hypervisor(uri)
    try:
        hypervisor.connection.open()
    except LibvirtError as first:
        hypervisor = Hypervisor(uri, readonly=True)
        try:
            hypervisor.connection.open()
        except LibvirtError:
            raise first from None
    return hypervisor


def _others(hypervisor: Hypervisor) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Yield kind, UUID and document of all that is no domain; nothing for a kind that the driver does not have."""
    with contextlib.suppress(Unsupported):
        for network in hypervisor.networks.all():
            yield "network", network.uuid, functools.partial(_defined, network.xml, network.persistent)
    with contextlib.suppress(Unsupported):
        for pool in hypervisor.pools.all():
            yield "pool", pool.uuid, functools.partial(_defined, pool.xml, pool.persistent)
    with contextlib.suppress(Unsupported):
        for nwfilter in hypervisor.nwfilters.all():
            yield "nwfilter", nwfilter.identity, nwfilter.xml
    with contextlib.suppress(Unsupported):
        for secret in hypervisor.secrets.all():
            yield "secret", secret.identity, secret.xml


def _defined(xml: Callable[..., str], persistent: bool) -> str:
    """Return the document as it would start; as it is, where there is no other or the driver knows none."""
    if persistent:
        with contextlib.suppress(Unsupported):
            return xml(inactive=True)
    return xml()


def _item(name: str, node: str | None, rank: Rank, describe: Callable[[], str], *, running: bool | None) -> Item:
    try:
        return Item(name, node, rank, data=describe().encode(), running=running)
    except LibvirtError as error:
        # It may have been undefined since it was listed; what remains is imported all the same.
        return Item(name, node, rank, error=InputError(error.message, file=name, hint=error.hint))
