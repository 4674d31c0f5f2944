"""What a guest says of itself, through its agent or what the host saw of it: addresses, system, users, file systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import libvirt

from executor.hypervisor.errors import LibvirtError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from executor.hypervisor.domain import Domain

LEASE: Final = "lease"
AGENT: Final = "agent"
ARP: Final = "arp"
SOURCES: Final[Mapping[str, int]] = {
    LEASE: libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
    AGENT: libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
    ARP: libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
}

_ANSWERS: Final[Mapping[str, int]] = {
    "users": libvirt.VIR_DOMAIN_GUEST_INFO_USERS,
    "os": libvirt.VIR_DOMAIN_GUEST_INFO_OS,
    "timezone": libvirt.VIR_DOMAIN_GUEST_INFO_TIMEZONE,
    "hostname": libvirt.VIR_DOMAIN_GUEST_INFO_HOSTNAME,
    "filesystems": libvirt.VIR_DOMAIN_GUEST_INFO_FILESYSTEM,
    "disks": getattr(libvirt, "VIR_DOMAIN_GUEST_INFO_DISKS", 0),
    "interfaces": getattr(libvirt, "VIR_DOMAIN_GUEST_INFO_INTERFACES", 0),
}


@dataclass(frozen=True, slots=True)
class InterfaceAddresses:
    """One of a guest's interfaces: its name (the host's or the guest's own, by source), MAC in lower case, addresses.

    Addresses are as ``192.0.2.7/24``.
    """

    name: str
    mac: str
    addresses: tuple[str, ...]


class Guest:
    """A domain, seen from inside. Raises WrongState where it does not run."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def addresses(self, source: str) -> list[InterfaceAddresses]:
        """Return its addresses as *source* (LEASE, AGENT, ARP) knows them."""
        found = self._domain.read("interfaceAddresses", SOURCES[source], 0)
        return [
            InterfaceAddresses(
                name,
                (entry.get("hwaddr") or "").lower(),
                tuple(f"{each['addr']}/{each['prefix']}" for each in entry.get("addrs") or ()),
            )
            for name, entry in found.items()
        ]

    def best_addresses(self) -> list[InterfaceAddresses]:
        """Return its addresses from the first source that knows any: agent, leases, ARP; none is no error."""
        for source in (AGENT, LEASE, ARP):
            try:
                found = [each for each in self.addresses(source) if each.mac and set(each.mac) - set("0:")]
            except Unavailable:
                raise
            except LibvirtError:
                continue  # no agent, no network of libvirt's own: the next may know
            if any(each.addresses for each in found):
                return found
        return []

    def info(self, *answers: str) -> dict[str, Any]:
        """Return the agent's answers (users, os, timezone, hostname, filesystems, disks, interfaces; none: all).

        By libvirt's own keys: ``os.id``, ``user.0.name``, ``fs.0.mountpoint``.
        """
        flags = 0
        for answer in answers:
            flags |= _ANSWERS[answer]
        return dict(self._domain.read("guestInfo", flags, 0))

    def freeze(self, mountpoints: Sequence[str] | None = None) -> int:
        """Have the guest freeze its file systems (None: all), and return how many it froze."""
        return int(self._domain.change("fsFreeze", list(mountpoints) if mountpoints is not None else None, 0))

    def thaw(self, mountpoints: Sequence[str] | None = None) -> int:
        """Undo `freeze`, and return how many it thawed."""
        return int(self._domain.change("fsThaw", list(mountpoints) if mountpoints is not None else None, 0))

    def trim(self) -> None:
        """Have the guest give back the blocks that its file systems no longer use."""
        self._domain.change("fSTrim", None, 0, 0)

    def set_time(self) -> None:
        """Set the guest's clock from its hardware's, which went on while it was paused or saved."""
        self._domain.change("setTime", None, libvirt.VIR_DOMAIN_TIME_SYNC)

    def set_password(self, user: str, password: str, *, encrypted: bool = False) -> None:
        """Set a user's password in the guest."""
        flags = libvirt.VIR_DOMAIN_PASSWORD_ENCRYPTED if encrypted else 0
        self._domain.change("setUserPassword", user, password, flags)

    def send_keys(self, codes: Sequence[int], *, hold: int = 100) -> None:
        """Press keys together for *hold* milliseconds; Linux key codes."""
        self._domain.change("sendKey", libvirt.VIR_KEYCODE_SET_LINUX, hold, list(codes), len(codes), 0)

    def inject_nmi(self) -> None:
        """Send the guest a non-maskable interrupt."""
        self._domain.change("injectNMI", 0)
