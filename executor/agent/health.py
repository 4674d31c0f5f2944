"""How the agent is, over HTTP on a unix socket or a loopback port: ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final, Self

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_TEXT: Final = "text/plain; charset=utf-8"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
PATIENCE: Final = 10.0
"""Seconds that a client may take to say what it wants."""


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    answers: dict[str, Callable[[], tuple[int, str, bytes]]]

    def server_bind(self) -> None:
        # HTTPServer's asks the name service for a name that nobody needs.
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no news."""


class _UnixServer(_Server):
    address_family = socket.AF_UNIX

    def get_request(self) -> tuple[Any, Any]:
        """Return the connection, from nobody in particular."""
        request, _ = super().get_request()
        return request, ("local", 0)


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.answers.get(self.path.partition("?")[0])
        status, kind, body = answer() if answer is not None else (404, _TEXT, b"/healthz, /readyz, /metrics\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (as its base names it)
        """Say nothing: probes come every few seconds."""


class Health:
    """A context manager that answers at *listen*: ``unix:PATH``, ``127.0.0.1:PORT`` or ``[::1]:PORT``.

    With *reachable* it may be any other address too, as a Pod's, which its kubelet asks. Entering raises KubevmmError
    where that is not possible, or without *reachable* would be open to other hosts.
    """

    def __init__(
        self,
        listen: str,
        *,
        alive: Callable[[], bool],
        unready: Callable[[], list[str]],
        metrics: Callable[[], bytes],
        reachable: bool = False,
    ) -> None:
        self._listen = listen
        self._reachable = reachable
        self._answers: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/healthz": lambda: (200, _TEXT, b"ok\n") if alive() else (500, _TEXT, b"a worker has ended\n"),
            "/readyz": lambda: _ready(unready()),
            "/metrics": lambda: (200, _METRICS, metrics()),
        }
        self._server: _Server | None = None
        self._path: Path | None = None

    def __enter__(self) -> Self:
        kind, _, rest = self._listen.partition(":")
        try:
            self._server = self._unix(Path(rest)) if kind == "unix" else _tcp(self._listen, self._reachable)
        except OSError as error:
            raise KubevmmError(
                f"{self._listen}: cannot listen there: {error.strerror or error}",
                hint="--listen names another socket (unix:PATH), a loopback port (127.0.0.1:PORT), or none",
            ) from None
        self._server.answers = self._answers
        threading.Thread(target=self._serve, args=(self._server,), name="health", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.server_close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _serve(self, server: _Server) -> None:
        # serve_forever would look twice a second whether it is to end.
        while self._server is server:
            try:
                server.handle_request()
            except (OSError, ValueError):
                return

    def _unix(self, path: Path) -> _Server:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        # What an agent before us left behind; that none runs is certain by its lock.
        if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
        mask = os.umask(0o117)
        try:
            server = _UnixServer(str(path), _Handler)  # type: ignore[arg-type]  # a path is an address here
        finally:
            os.umask(mask)
        self._path = path
        return server


def _tcp(listen: str, reachable: bool) -> _Server:
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        number = int(port)
    except ValueError:
        raise KubevmmError(
            f"{listen}: is neither unix:PATH nor an address and a port", hint="such as 127.0.0.1:9474"
        ) from None
    if not (reachable or address.is_loopback):
        raise KubevmmError(f"{listen}: other hosts could reach it", hint="use 127.0.0.1, [::1] or unix:PATH")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004  (IPv6)
    server = type("_TcpServer", (_Server,), {"address_family": family})
    made: _Server = server((str(address), number), _Handler)
    return made


def _ready(reasons: list[str]) -> tuple[int, str, bytes]:
    return (503, _TEXT, "".join(f"{reason}\n" for reason in reasons).encode()) if reasons else (200, _TEXT, b"ok\n")
