"""An HTTP proxy on loopback in front of a real API server that does to its client what networks and servers do.

Which fault comes when is drawn from a seed, so that a run that failed can be had again (as far as the requests come in
the same order). It runs on the event loop of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import aiohttp
from aiohttp import web
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CHANGES: Final = frozenset({"PUT", "PATCH"})
"""What may be refused since the object is another one by now."""

STATUSES: Final = {
    "gone": (410, "Expired", "The resourceVersion for the provided watch is too old."),
    "throttle": (429, "TooManyRequests", "the server has received too many requests"),
    "fail": (500, "InternalError", "an error on the server"),
    "conflict": (409, "Conflict", "the object has been modified; please apply your changes to the latest version"),
}
PASSED_ON: Final = ("Authorization", "Content-Type", "Accept")
JSON: Final = {"Content-Type": "application/json"}
END_OF_LIST: Final = b'"k8s.io/initial-events-end":"true"'


@dataclass(frozen=True)
class Faults:
    """How likely (0 to 1) each fault is, for each request, or with ``stream_`` for each line of a watch.

    ``drop``: the connection ends without an answer; ``lose``: it ends after the server has done what was asked;
    ``stale``: a list is answered as it was answered earlier; ``delay``: up to ``longest_delay`` seconds pass first.
    Of a stream, ``cut`` ends it in the middle of a line, and ``stall`` sends nothing more and does not end it either.
    """

    drop: float = 0.0
    lose: float = 0.0
    delay: float = 0.0
    gone: float = 0.0
    throttle: float = 0.0
    fail: float = 0.0
    conflict: float = 0.0
    stale: float = 0.0
    stream_cut: float = 0.0
    stream_gone: float = 0.0
    stream_delay: float = 0.0
    stream_stall: float = 0.0
    longest_delay: float = 0.05


NONE: Final = Faults()


class FaultProxy:
    """A context manager that is such a proxy for the API server at *target*, whose certificate is in *ca_file*.

    ``faults`` may be changed at any time; ``injected`` counts what was done, by the name of the fault. ``url`` is plain
    HTTP. While ``down`` is true every connection is dropped. A watch that is to go on from a version up to
    ``forgotten`` is told that it is gone, as an answer or, with ``forgets_in_stream``, inside one. The ``token`` is
    shown for clients that show none, as client-go does over plain HTTP.
    """

    def __init__(self, target: str, ca_file: Path, *, seed: int, faults: Faults = NONE, token: str = "") -> None:
        self.target = target
        self.faults = faults
        self.down = False
        self.forgotten = 0
        self.forgets_in_stream = False
        self.injected: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self._ca_file = ca_file
        self._shown = {"Authorization": f"Bearer {token}"} if token else {}
        self._random = random.Random(seed)  # noqa: S311  (to be had again, not to be unknown)
        self._earlier: dict[str, list[bytes]] = {}
        self._open: dict[int, web.BaseRequest] = {}

    async def __aenter__(self) -> Self:
        tls = ssl.create_default_context(cafile=self._ca_file)
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        self._client = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cut_all()
        await self._runner.cleanup()
        await self._client.close()

    def cut_all(self) -> None:
        """End every connection that is open now."""
        for request in list(self._open.values()):
            _abort(request)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests[request.method] += 1
        self._open[id(request)] = request
        try:
            return await self._answer(request)
        finally:
            del self._open[id(request)]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        faults = self.faults
        reads = request.method == "GET" and not request.path.startswith("/apis/coordination")
        if self.down or self._draw("drop", faults.drop):
            return _dropped(request)
        if self._draw("delay", faults.delay):
            await asyncio.sleep(self._random.uniform(0, faults.longest_delay))
        for name, comes in (
            ("throttle", True),
            ("fail", True),
            ("gone", reads),
            ("conflict", request.method in CHANGES),
        ):
            if comes and self._draw(name, getattr(faults, name)):
                return _refused(name)
        body = await request.read()
        if request.query.get("watch") == "true":
            # kube-scheduler's is 0 where any will do.
            version = int(request.query.get("resourceVersion") or 0)
            if "sendInitialEvents" not in request.query and 0 < version <= self.forgotten:
                self.injected["forgotten"] += 1
                if self.forgets_in_stream:
                    return web.Response(body=ERROR_LINE)
                return _refused("gone")
            return await self._watch(request)
        if reads and request.path_qs in self._earlier and self._draw("stale", faults.stale):
            return web.Response(body=self._earlier[request.path_qs][0], content_type="application/json")
        try:
            status, answer = await self._forward(request, body)
        except aiohttp.ClientError:
            return _dropped(request)
        if reads and status == 200:
            self._earlier.setdefault(request.path_qs, [answer])
        if self._draw("lose", faults.lose):
            return _dropped(request)
        return web.Response(body=answer, status=status, content_type="application/json")

    async def _forward(self, request: web.BaseRequest, body: bytes) -> tuple[int, bytes]:
        url = URL(self.target + request.path_qs, encoded=True)
        async with self._client.request(
            request.method, url, data=body or None, headers=self._headers(request)
        ) as response:
            return response.status, await response.read()

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        is_list = "sendInitialEvents" in request.query
        # Without the time-out, which is another one each time.
        name = str(request.rel_url.without_query_params("timeoutSeconds"))
        if is_list and name in self._earlier and self._draw("stale", self.faults.stale):
            answer = web.StreamResponse(headers=JSON)
            await answer.prepare(request)
            for line in self._earlier[name]:
                await answer.write(line)
            return answer
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            url = URL(self.target + request.path_qs, encoded=True)
            async with self._client.get(url, headers=self._headers(request)) as upstream:
                answer = web.StreamResponse(status=upstream.status, headers=JSON)
                await answer.prepare(request)
                listed: list[bytes] | None = [] if is_list else None
                async for line in _lines(upstream):
                    if not await self._pass(request, answer, line):
                        return answer
                    if listed is not None:
                        listed.append(line)
                        if END_OF_LIST in line:
                            self._earlier.setdefault(name, listed)
                            listed = None
                return answer
        return _dropped(request)

    async def _pass(self, request: web.BaseRequest, answer: web.StreamResponse, line: bytes) -> bool:
        """Pass a line on, or do to the stream what is drawn; False if it ends with that."""
        faults = self.faults
        if self._draw("stream_delay", faults.stream_delay):
            await asyncio.sleep(self._random.uniform(0, faults.longest_delay))
        if self._draw("stream_gone", faults.stream_gone):
            await answer.write(ERROR_LINE)
            return False
        if self._draw("stream_cut", faults.stream_cut):
            await answer.write(line[: self._random.randrange(len(line))])
            _abort(request)
            return False
        if self._draw("stream_stall", faults.stream_stall):
            # For as long as the client bears it.
            while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110  (no event says so)
                await asyncio.sleep(0.05)
            return False
        await answer.write(line)
        return True

    def _headers(self, request: web.BaseRequest) -> dict[str, str]:
        return self._shown | {name: request.headers[name] for name in PASSED_ON if name in request.headers}

    def _draw(self, name: str, likely: float) -> bool:
        if likely <= 0 or self._random.random() >= likely:
            return False
        self.injected[name] += 1
        return True


async def _lines(upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    pending = b""
    async for chunk in upstream.content.iter_any():
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if pending:
        yield pending


def _status(name: str) -> dict[str, object]:
    code, reason, message = STATUSES[name]
    return {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}


ERROR_LINE: Final = json.dumps({"type": "ERROR", "object": _status("gone")}).encode() + b"\n"


def _refused(name: str) -> web.Response:
    headers = {"Retry-After": "0.02"} if name == "throttle" else {}
    return web.json_response(_status(name), status=STATUSES[name][0], headers=headers)


def _dropped(request: web.BaseRequest) -> web.Response:
    _abort(request)
    # Nobody reads it any more.
    return web.Response(status=502)


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
