"""A guest's serial console as an ordinary socket: read and write it, wait for it with select, close it.

libvirt's event loop carries the bytes between the socket and a non-blocking stream, so that nobody is ever stuck in a
call that only the other end could end. A side that is slow holds up the other; nothing is dropped.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import libvirt

from executor.hypervisor.streams import PIECE, stream_of

if TYPE_CHECKING:
    from types import TracebackType

    from executor.hypervisor.domain import Domain

# What libvirt's loop and a stream say of themselves.
READABLE = libvirt.VIR_EVENT_HANDLE_READABLE
WRITABLE = libvirt.VIR_EVENT_HANDLE_WRITABLE
BROKEN = libvirt.VIR_EVENT_HANDLE_ERROR | libvirt.VIR_EVENT_HANDLE_HANGUP
WOULD_BLOCK = -2


class Console:
    """A context manager that holds an open console or channel.

    ``socket`` is the caller's end: it reads as ended when the guest stops or somebody else takes the console. Raises
    Conflict when somebody has the console, unless ``force`` takes it away; Unsupported when the guest has none.
    ``device`` is a console's alias (None: the first); with ``channel``, a channel's name in place of a console.
    """

    def __init__(
        self, domain: Domain, device: str | None = None, *, channel: str | None = None, force: bool = False
    ) -> None:
        self._lock = threading.Lock()
        self._stream: Any = stream_of(domain.connection, blocking=False)
        # To look on, and to type, changes nothing that libvirt keeps.
        if channel is None:
            flags = libvirt.VIR_DOMAIN_CONSOLE_FORCE if force else 0
            domain.read("openConsole", device, self._stream, flags)
        else:
            flags = libvirt.VIR_DOMAIN_CHANNEL_FORCE if force else 0
            domain.read("openChannel", channel, self._stream, flags)
        self.socket, self._ours = socket.socketpair()
        self._ours.setblocking(False)
        self._to_guest = b""
        self._to_caller = b""
        self._ended = False
        self._closed = False
        with self._lock:
            self._watch = libvirt.virEventAddHandle(self._ours.fileno(), READABLE, self._on_socket, None)
            self._stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE, self._on_stream, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the console; the guest goes on."""
        with self._lock:
            self._close()
        self.socket.close()

    def _on_socket(self, _watch: int, _fd: int, events: int, _opaque: Any) -> None:
        with self._lock:
            if self._closed:
                return
            if events & READABLE and not self._to_guest:
                try:
                    self._to_guest = self._ours.recv(PIECE)
                except BlockingIOError:
                    return
                except OSError:
                    self._to_guest = b""
                if not self._to_guest:
                    self._close()
                    return
            elif events & BROKEN:
                self._close()
                return
            self._carry()

    def _on_stream(self, stream: Any, events: int, _opaque: Any) -> None:
        with self._lock:
            if self._closed:
                return
            if not self._to_caller and not self._ended and events & ~libvirt.VIR_STREAM_EVENT_WRITABLE:
                try:
                    piece = stream.recv(PIECE)
                except libvirt.libvirtError:
                    piece = b""
                if piece == b"":
                    self._ended = True
                elif piece != WOULD_BLOCK:
                    self._to_caller = piece
            self._carry()

    def _carry(self) -> None:
        """Pass on what waits, as far as it goes, then ask for what can be done next."""
        try:
            if self._to_guest and (sent := self._stream.send(self._to_guest)) > 0:
                self._to_guest = self._to_guest[sent:]
        except libvirt.libvirtError:
            self._ended = True
        with contextlib.suppress(BlockingIOError):
            try:
                if self._to_caller:
                    self._to_caller = self._to_caller[self._ours.send(self._to_caller) :]
            except BlockingIOError:
                raise
            except OSError:
                self._to_caller = b""
                self._ended = True
        if self._ended and not self._to_caller:
            self._close()
            return
        wanted = 0 if self._to_guest or self._ended else READABLE
        libvirt.virEventUpdateHandle(self._watch, wanted | (WRITABLE if self._to_caller else 0))
        wanted = 0 if self._to_caller or self._ended else libvirt.VIR_STREAM_EVENT_READABLE
        wanted |= libvirt.VIR_STREAM_EVENT_WRITABLE if self._to_guest and not self._ended else 0
        self._stream.eventUpdateCallback(wanted)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(libvirt.libvirtError):
            libvirt.virEventRemoveHandle(self._watch)
        # A stream that has ended refuses all of these.
        for last in (self._stream.eventRemoveCallback, self._stream.abort):
            with contextlib.suppress(libvirt.libvirtError):
                last()
        self._ours.close()
