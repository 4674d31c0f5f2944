"""A web server on loopback that breaks off, packs, leads elsewhere and lies, as each test asks."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Site:
    """What is served, and how badly."""

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """After how many bytes each of the first answers breaks off."""
    hold: threading.Event = field(default_factory=threading.Event)
    """Until it is set, an answer that breaks off keeps its connection open, where the test clears it first."""
    busy: int = 0
    """How many answers say first that the server is busy."""
    ranges: bool = True
    chunked: bool = False
    etag: str = '"one"'
    etags: list[str] = field(default_factory=list)
    """The validators of the first answers."""
    lies: list[str] = field(default_factory=list)
    """The validators that the first answers name, whichever they go by."""
    authorization: str = ""
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        site = self.site
        site.asked.append((self.path, dict(self.headers)))
        self.close_connection = True
        if self.path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = site.files.get(self.path)
        if content is None or (site.authorization and self.headers.get("Authorization") != site.authorization):
            self.send_error(404 if content is None else 401)
            return
        if site.busy:
            site.busy -= 1
            self.send_error(503)
            return
        etag = site.etags.pop(0) if site.etags else site.etag
        start = 0
        wanted = self.headers.get("Range")
        if wanted and site.ranges and self.headers.get("If-Range") == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        rest = content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if etag:
            self.send_header("ETag", site.lies.pop(0) if site.lies else etag)
        if site.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        cut = site.cuts.pop(0) if site.cuts else len(rest)
        sent = rest[:cut]
        if site.chunked:
            sent = f"{len(sent):x}\r\n".encode() + sent + b"\r\n" + (b"0\r\n\r\n" if cut >= len(rest) else b"")
        self.wfile.write(sent)
        if cut < len(rest):
            self.wfile.flush()
            site.hold.wait()

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[Site]:
    """Serve on a free port until the block ends."""
    site = Site()
    site.hold.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
