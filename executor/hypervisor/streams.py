"""libvirt's streams to and from files, with holes where both ends have them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import libvirt

from executor.hypervisor.calls import translating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from executor.hypervisor.connection import Connection
    from executor.hypervisor.domain import Domain

PIECE: Final = 1 << 18
"""What goes in one call, in bytes: libvirt sends no more in one message."""


def stream_of(connection: Connection, *, blocking: bool = True) -> Any:
    """Return a new stream of the binding's, for a call that wants one."""
    return connection.read("newStream", 0 if blocking else libvirt.VIR_STREAM_NONBLOCK)


def send(
    stream: Any,
    source: BinaryIO,
    *,
    subject: str,
    sparse: bool = False,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Send all that *source* has, then end the stream; return how many bytes went, holes included."""
    done = 0
    with _ended(stream, subject):
        while True:
            if sparse and (hole := _hole(source)):
                stream.sendHole(hole)
                source.seek(hole, os.SEEK_CUR)
                done += hole
            piece = source.read(PIECE if not sparse else min(PIECE, _data(source)))
            if not piece:
                break
            send_all(stream, piece)
            done += len(piece)
            if progress is not None:
                progress(done)
    return done


def send_all(stream: Any, piece: bytes) -> None:
    """Send all of *piece* through a stream of the binding's; raises what the binding does."""
    while piece:
        piece = piece[stream.send(piece) :]


def receive(
    stream: Any,
    target: BinaryIO,
    *,
    subject: str,
    sparse: bool = False,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Write all that comes to *target*, then end the stream; return how many bytes came, holes included."""
    done = 0
    flags = libvirt.VIR_STREAM_RECV_STOP_AT_HOLE if sparse else 0
    with _ended(stream, subject):
        while True:
            piece = stream.recvFlags(PIECE, flags) if sparse else stream.recv(PIECE)
            if piece == b"":
                break
            if isinstance(piece, int):
                # Not data: a hole stands here.
                hole = stream.recvHole()
                target.seek(hole, os.SEEK_CUR)
                done += hole
            else:
                target.write(piece)
                done += len(piece)
            if progress is not None:
                progress(done)
        if sparse:
            # What ends in a hole was only sought to.
            target.truncate(target.tell())
    return done


def screenshot(domain: Domain, target: BinaryIO, *, screen: int = 0) -> str:
    """Write what *screen* shows to *target*, and return its media type, such as ``image/png``."""
    stream = stream_of(domain.connection)
    media_type = str(domain.read("screenshot", stream, screen, 0))
    receive(stream, target, subject=f"domain {domain.name}")
    return media_type


@contextlib.contextmanager
def _ended(stream: Any, subject: str) -> Iterator[None]:
    """End the stream properly after the block, or break it off when the block fails."""
    try:
        with translating(subject, "stream"):
            yield
            stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise


def _hole(source: BinaryIO) -> int:
    """Return how many bytes from here on are a hole in a regular file."""
    here = source.tell()
    try:
        data = os.lseek(source.fileno(), here, os.SEEK_DATA)
    except OSError:
        # There is no more data: all the rest, if any, is one hole.
        data = os.fstat(source.fileno()).st_size
    source.seek(here)
    return max(data - here, 0)


def _data(source: BinaryIO) -> int:
    """Return how many bytes from here to the next hole of a regular file, or its end."""
    here = source.tell()
    try:
        end = os.lseek(source.fileno(), here, os.SEEK_HOLE)
    except OSError:
        end = here
    source.seek(here)
    return end - here
