"""Pass TCP connections on from another network namespace: ``forward.py PID ADDRESS:PORT ADDRESS:PORT``.

It listens on the first address in the network namespace of the process PID, and connects to the second one in its own.
A node of the tests reaches the API server on this machine's loopback that way, and nothing else of the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
from pathlib import Path

# From <linux/sched.h>.
CLONE_NEWNET = 0x40000000
CHUNK = 1 << 16


def main() -> None:
    """Listen and pass on until a signal ends the process."""
    pid, listen, to = int(sys.argv[1]), _address(sys.argv[2]), _address(sys.argv[3])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_listener_in(pid, listen), to))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _listener_in(pid: int, address: tuple[str, int]) -> socket.socket:
    """Return a listening socket: it stays in the namespace in which it was made, and this process comes back."""
    library = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    other = os.open(Path("/proc", str(pid), "ns", "net"), os.O_RDONLY)
    for number in (other, own):
        if library.setns(number, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        if number == other:
            listener = socket.create_server(address, backlog=256)
        os.close(number)
    return listener


async def _serve(listener: socket.socket, to: tuple[str, int]) -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            try:
                there, back = await asyncio.open_connection(*to)
            except OSError:
                return  # as a server would that is not there: the caller sees the connection end
            with contextlib.closing(back):
                await asyncio.gather(_pump(reader, back), _pump(there, writer))

    server = await asyncio.start_server(accepted, sock=listener)
    await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


if __name__ == "__main__":
    main()
