"""A guest's serial console as an ordinary socket: read and write it, wait for it with select, close it.

What the guest says is carried by libvirt's event loop; what is typed by a thread, since libvirt has no way to send that
could not wait (non-blocking streams only receive so). Each console has a connection of its own: when a guest does not
read what is typed, libvirtd stops reading from that whole connection. A side that is slow holds up the other; nothing
is dropped.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import libvirt

from executor.hypervisor.connection import Connection
from executor.hypervisor.domain import Domain
from executor.hypervisor.drivers import Operation
from executor.hypervisor.errors import Unsupported
from executor.hypervisor.streams import PIECE, send_all, stream_of

if TYPE_CHECKING:
    from types import TracebackType

# What the binding returns in place of bytes.
WOULD_BLOCK = -2

# How long to wait for the other end when a console is closed, in seconds.
PATIENCE = 2.0


class Console:
    """A context manager that holds an open console or channel.

    ``socket`` is the caller's end: it reads as ended when the guest stops or somebody else takes the console. Raises
    Conflict when somebody has the console, unless ``force`` takes it away; Unsupported when the guest has none.
    ``device`` is a console's alias (None: the first); with ``channel``, a channel's name in place of a console.
    """

    def __init__(
        self, domain: Domain, device: str | None = None, *, channel: str | None = None, force: bool = False
    ) -> None:
        shared = domain.connection
        if not shared.driver.supports(Operation.CONSOLE, shared.library):
            raise Unsupported(f"domain {domain.name}: {shared.driver.name} has no consoles", operation="openConsole")
        self._lock = threading.Lock()
        self._connection = Connection(shared.uri)
        try:
            self._connection.open()
            raw = self._connection.read("lookupByUUIDString", domain.uuid)
            own = Domain(self._connection, raw, domain.name)
            self._stream: Any = stream_of(self._connection, blocking=False)
            # To look on, and to type, changes nothing that libvirt keeps.
            if channel is None:
                flags = libvirt.VIR_DOMAIN_CONSOLE_FORCE if force else 0
                own.read("openConsole", device, self._stream, flags)
            else:
                flags = libvirt.VIR_DOMAIN_CHANNEL_FORCE if force else 0
                own.read("openChannel", channel, self._stream, flags)
        except BaseException:
            self._connection.close()
            raise
        self.socket, self._ours = socket.socketpair()
        self._to_caller = b""
        self._closed = False
        self._typing = threading.Thread(target=self._type, name="libvirt-console", daemon=True)
        with self._lock:
            # Without anything to wait for, for the time being.
            self._watch = libvirt.virEventAddHandle(self._ours.fileno(), 0, self._on_room, None)
            self._stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE, self._on_output, None)
        self._typing.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the console; the guest goes on. Others can have it when this returns, unless the guest is stuck."""
        with self._lock:
            self._close()
        self.socket.close()
        self._typing.join(PATIENCE)

    def _type(self) -> None:
        """Send what is typed until either side ends, then take leave of the other end."""
        with contextlib.suppress(OSError, libvirt.libvirtError):
            while piece := self._ours.recv(PIECE):
                send_all(self._stream, piece)
        with self._lock:
            self._close()
        # A stream that has ended refuses it. Where the other end is stuck, keepalive ends the connection after a while.
        with contextlib.suppress(libvirt.libvirtError):
            self._stream.abort()
        self._connection.close()
        self._ours.close()

    def _on_output(self, stream: Any, _events: int, _opaque: Any) -> None:
        with self._lock:
            if self._closed or self._to_caller:
                return
            try:
                piece = stream.recv(PIECE)
            except libvirt.libvirtError:
                piece = b""
            if piece == b"":
                self._close()
            elif piece != WOULD_BLOCK:
                self._to_caller = piece
                self._hand_over()

    def _on_room(self, _watch: int, _fd: int, _events: int, _opaque: Any) -> None:
        with self._lock:
            if not self._closed:
                self._hand_over()

    def _hand_over(self) -> None:
        """Give the caller what waits for it, as far as it takes it, then wait for room or for more."""
        try:
            sent = self._ours.send(self._to_caller, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close()
            return
        self._to_caller = self._to_caller[sent:]
        full = bool(self._to_caller)
        libvirt.virEventUpdateHandle(self._watch, libvirt.VIR_EVENT_HANDLE_WRITABLE if full else 0)
        self._stream.eventUpdateCallback(0 if full else libvirt.VIR_STREAM_EVENT_READABLE)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(libvirt.libvirtError):
            libvirt.virEventRemoveHandle(self._watch)
        with contextlib.suppress(libvirt.libvirtError):
            self._stream.eventRemoveCallback()
        # Wakes the thread that types, and tells the caller that this is the end.
        with contextlib.suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
