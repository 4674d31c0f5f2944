"""A port on this machine's loopback whose clients are joined, each by a connection of its own, to something else."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Final, Self

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ADDRESS: Final = "127.0.0.1"
_PIECE: Final = 65536


class Proxy:
    """A context manager that listens on *port* (0: any that is free); ``port`` is where. Raises KubevmmError.

    *connect* makes the other end of a client's connection; what it raises goes to *failed*, and the client is let go.
    """

    def __init__(
        self, port: int, connect: Callable[[], socket.socket], failed: Callable[[KubevmmError], object]
    ) -> None:
        self._connect = connect
        self._failed = failed
        try:
            self._listener = socket.create_server((ADDRESS, port))
        except OSError as error:
            raise KubevmmError(
                f"{ADDRESS}:{port}: {os.strerror(error.errno or 0)}", hint="--port 0 takes one that is free"
            ) from None
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()

    def serve(self, *, once: bool = False) -> None:
        """Join clients until an interrupt; with *once* until the first one has left."""
        while True:
            client, _ = self._listener.accept()
            if once:
                # Nobody else is to wait for an answer that never comes.
                self._listener.close()
                self._join(client)
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        with client:
            try:
                other = self._connect()
            except KubevmmError as error:
                self._failed(error)
                return
            with other:
                back = threading.Thread(target=_carry, args=(other, client), daemon=True)
                back.start()
                _carry(client, other)
                back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes from *source* to *target* until either ends, then end both."""
    with contextlib.suppress(OSError):
        source.settimeout(None)
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
