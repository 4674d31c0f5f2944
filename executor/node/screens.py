"""A guest's VNC screen as a socket, however it is reached: through libvirt, or else by where it listens."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from executor.hypervisor.errors import Invalid, LibvirtError, NotFound, Unsupported
from executor.node import devices
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.hypervisor.domain import Domain

_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  (what a guest may say)
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Screen:
    """A guest's VNC screen: its number among all of its screens, and where it listens on its node."""

    index: int
    address: str = ""
    port: int | None = None
    socket: str = ""


@dataclass(frozen=True)
class Host:
    """Where libvirt is, as its URI says; ``name`` empty for this machine."""

    name: str = ""
    ssh: bool = False
    user: str = ""
    port: int | None = None
    key: str = ""


def screen_of(domain: Domain) -> Screen:
    """Return the VNC screen of *domain*. Raises NotFound where it has none."""
    for index, element in enumerate(devices.parsed(domain.xml()).iterfind("devices/graphics")):
        if element.get("type") == "vnc":
            listen = element.find("listen")
            address = element.get("listen") or (listen.get("address", "") if listen is not None else "")
            path = element.get("socket") or (listen.get("socket", "") if listen is not None else "")
            port = int(element.get("port") or -1)
            return Screen(index, address, port if port > 0 else None, path)
    raise NotFound(f"domain {domain.name}: it has no VNC screen", hint="`virtctl describe` shows its graphics")


def connect(domain: Domain, screen: Screen) -> socket.socket:
    """Return a new connection to *screen*. Raises KubevmmError where there is no way to it from here."""
    host = host_of(domain.connection.uri)
    if not host.name:
        try:
            return domain.open_graphics(screen.index)
        except (Unsupported, Invalid):
            # Not over every connection, nor by every driver.
            return _local(domain, screen)
        except LibvirtError:
            if not domain.active:
                raise
            return _local(domain, screen)
    if screen.port is None:
        raise Unsupported(f"domain {domain.name}: its screen on {host.name} listens on no port")
    if host.ssh:
        return _tunnel(forwarding(host, _ANY.get(screen.address, screen.address), screen.port))
    if screen.address in _LOOPBACK:
        raise Unsupported(
            f"domain {domain.name}: its screen listens on {host.name} itself alone",
            hint="a URI with ssh (qemu+ssh://...) has a way there",
        )
    return _tcp(host.name, screen.port)


def host_of(uri: str) -> Host:
    """Return where the libvirt at *uri* is.

    >>> host_of("qemu+ssh://root@node-2:2222/system").name
    'node-2'
    """
    parts = urlsplit(uri)
    transport = parts.scheme.partition("+")[2]
    if not parts.hostname or transport == "unix":
        return Host()
    key = (parse_qs(parts.query).get("keyfile") or [""])[0]
    return Host(parts.hostname, transport in ("ssh", "libssh", "libssh2"), parts.username or "", parts.port, key)


def forwarding(host: Host, address: str, port: int) -> list[str]:
    """Return the command that carries its own input and output to *port* of *address*, as *host* sees it."""
    command = ["ssh", "-W", f"[{address}]:{port}" if ":" in address else f"{address}:{port}"]
    command += ["-p", str(host.port)] if host.port else []
    command += ["-l", host.user] if host.user else []
    command += ["-i", host.key] if host.key else []
    return [*command, "--", host.name]


def _local(domain: Domain, screen: Screen) -> socket.socket:
    if screen.socket:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(screen.socket)
        except OSError as error:
            made.close()
            raise KubevmmError(f"{screen.socket}: {error.strerror or error}") from None
        return made
    if screen.port is None:
        raise Unsupported(f"domain {domain.name}: its screen listens nowhere that can be reached from here")
    return _tcp(_ANY.get(screen.address, screen.address), screen.port)


def _tcp(address: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((address, port), timeout=30)
    except OSError as error:
        raise KubevmmError(f"{address}:{port}: {error.strerror or error}") from None


def _tunnel(command: list[str]) -> socket.socket:
    ours, its = socket.socketpair()
    try:
        # It ends when our end of the pair is closed.
        subprocess.Popen(command, stdin=its.fileno(), stdout=its.fileno())
    except OSError as error:
        ours.close()
        raise KubevmmError(f"{command[0]}: {error.strerror or error}", hint="install OpenSSH's client") from None
    finally:
        its.close()
    return ours
