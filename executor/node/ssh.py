"""How a guest is reached by ssh: at which address, and by which command."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from executor.hypervisor.errors import NotFound
from executor.hypervisor.guest import Guest
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from executor.hypervisor.domain import Domain
    from executor.node.screens import Host


def address_of(domain: Domain) -> str:
    """Return the address of the guest *domain*: as its agent says, else of its DHCP lease, else what the node saw.

    Raises NotFound where nobody knows any.
    """
    known = [address for each in Guest(domain).best_addresses() for address in each.addresses]
    best = best_of(known)
    if best is None:
        raise NotFound(
            f"domain {domain.name}: nobody knows an address of it",
            hint="an agent in the guest tells it, or a lease of libvirt's network; --address names one",
        )
    return best


def best_of(known: Iterable[str]) -> str | None:
    """Return the first of *known* that others can reach, IPv4 before IPv6; None where there is none.

    >>> best_of(["127.0.0.1/8", "fe80::1/64", "2001:db8::7/64", "192.0.2.7/24"])
    '192.0.2.7'
    """
    usable = []
    for text in known:
        try:
            address = ipaddress.ip_address(text.partition("/")[0])
        except ValueError:
            continue
        if not (address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast):
            usable.append(address)
    found = min(usable, key=lambda each: each.version, default=None)
    return str(found) if found is not None else None


def command(
    domain: Domain,
    address: str,
    *,
    user: str = "",
    port: int | None = None,
    identity: str = "",
    options: Sequence[str] = (),
    jump: Host | None = None,
    words: Sequence[str] = (),
) -> list[str]:
    """Return ssh's command for the guest *domain* at *address*; *jump* is its node, where that is another machine.

    The guest's key is remembered by its UUID: addresses go from one guest to another. Raises KubevmmError for what ssh
    would take for something else.
    """
    for what, text in (("user", user), ("address", address), ("node", jump.name if jump is not None else "")):
        if text.startswith("-") or not text.isprintable() or any(c.isspace() for c in text):
            raise KubevmmError(f"{text!r} is no {what}")
    out = ["ssh", "-o", f"HostKeyAlias=vm.{domain.uuid}", "-o", "CheckHostIP=no"]
    for option in options:
        out += ["-o", option]
    out += ["-l", user] if user else []
    out += ["-p", str(port)] if port is not None else []
    out += ["-i", identity] if identity else []
    if jump is not None and jump.name:
        name = f"[{jump.name}]" if ":" in jump.name else jump.name
        out += ["-J", f"{jump.user}@{name}" if jump.user else name]
        out[-1] += f":{jump.port}" if jump.port else ""
    return [*out, "--", address, *words]
