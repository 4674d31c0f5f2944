"""Joins a guest's console to this process's own input and output, with the terminal raw for as long as it lasts."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import time
import tty
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

ESCAPE: Final = b"\x1d"
"""Ctrl-], which leaves."""
_PIECE: Final = 65536
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


def join(console: socket.socket, stdin: int, stdout: int, *, timeout: float | None = None) -> str:
    """Carry bytes both ways until one side ends; return ``left`` (Ctrl-]), ``ended`` (the guest) or ``timeout``.

    Standard input that ends does not end it: what the guest writes is shown until *timeout* seconds are over (None:
    for ever). Only a terminal's Ctrl-] leaves; from elsewhere it is a byte like others.
    """
    interactive = os.isatty(stdin)
    with _raw(stdin) if interactive else contextlib.nullcontext():
        return _carry(console, stdin, stdout, timeout, escapes=interactive)


def _carry(console: socket.socket, stdin: int, stdout: int, timeout: float | None, *, escapes: bool) -> str:
    deadline = None if timeout is None else time.monotonic() + timeout
    console.setblocking(False)
    reading = True
    typed = b""
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return "timeout"
        # What was typed waits for a guest that does not read; Ctrl-] must be seen all the same, so reading goes on.
        sources: list[int | socket.socket] = (
            [console, stdin] if reading and (escapes or len(typed) < _PIECE) else [console]
        )
        readable, writable, _ = select.select(sources, [console] if typed else [], [], left)
        if stdin in readable:
            piece = os.read(stdin, _PIECE)
            before, escape, _ = piece.partition(ESCAPE) if escapes else (piece, b"", b"")
            if len(typed) < _PIECE:
                typed += before
            if escape:
                return "left"
            reading = bool(piece)
        if console in readable:
            try:
                shown = console.recv(_PIECE)
            except ConnectionError:
                shown = b""
            if not shown:
                return "ended"
            _write(stdout, shown)
        if writable:
            try:
                typed = typed[console.send(typed) :]
            except ConnectionError:
                return "ended"


def _write(stdout: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(stdout, view) :]


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Have *terminal* pass on every key as it is; put it back however the block ends, also by a signal to end."""
    before = termios.tcgetattr(terminal)
    handlers = {number: signal.signal(number, _end) for number in _SIGNALS}
    try:
        tty.setraw(terminal, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
