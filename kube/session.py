"""Requests to the API server: bytes in, bytes out, typed errors, and no more of them at once than is decent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final, Self

import aiohttp
import msgspec
from yarl import URL

from kube.errors import ApiError, Silent, TooManyRequests, Unreachable, from_status
from kube.flow import TokenBucket
from kube.lines import lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from types import TracebackType

    from kube.configuration import Configuration
    from kube.metrics import Requests

CONNECT_TIMEOUT: Final = 10.0
# How often a request is sent again because the server asked for that (429 or 503 with Retry-After).
ATTEMPTS: Final = 5
FIRST_ERROR: Final = 400
UNAUTHORIZED: Final = 401
SHEDDING: Final = (429, 503)


class Session:
    """A context manager that is one process's way to the API server.

    *rate* requests each second, with bursts of *burst*, are let through; *timeout* is how many seconds a request may
    take, those times included that the server asks to wait. Watches are not held to either. A *measured* one tells
    `kube.metrics` of its requests.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        rate: float = 50.0,
        burst: int = 100,
        timeout: float = 30.0,
        user_agent: str = "kubevmm",
        measured: bool = True,
    ) -> None:
        self.configuration = configuration
        self._flow = TokenBucket(rate, burst)
        self._timeout = timeout
        self._user_agent = user_agent
        self._http: aiohttp.ClientSession | None = None
        self._metrics: Requests | None = None
        if measured:
            # A command that nobody measures starts sooner without.
            from kube import metrics  # noqa: PLC0415

            self._metrics = metrics.Requests()

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self.configuration.tls or False, limit=0)
        # No limit on all of it: streams have none, and requests have their own.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
        self._http = aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers={"User-Agent": self._user_agent, "Accept": "application/json"}
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "",
        timeout: float | None = None,  # noqa: ASYNC109  (retries within it are this method's own)
        urgent: bool = False,
    ) -> bytes:
        """Send *body* (bytes as they are, anything else as JSON) and return the answer: JSON, or as *accept* says.

        An *urgent* request does not wait for flow control. Raises an `ApiError`; `Unreachable` when there was no
        answer in *timeout* seconds (by default the session's).
        """
        if not urgent:
            waited = await self._flow.take()
            if self._metrics is not None:
                self._metrics.waited(waited)
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        headers = {"Content-Type": content_type} if data is not None else {}
        if accept:
            headers["Accept"] = accept
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout if timeout is None else timeout):
                return await self._attempts(method, path, params or {}, data, headers)
        except TimeoutError as error:
            raise Unreachable(f"{method} {path}: no answer in {time.monotonic() - began:.0f} s") from error
        finally:
            if self._metrics is not None:
                self._metrics.took(method, time.monotonic() - began)

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, params: Mapping[str, str], inactivity: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the lines of a GET's answer as they come, for as long as the server sends.

        Raises an `ApiError`, on entry or while lines are read; `Unreachable` when the connection is cut, or nothing
        comes for *inactivity* seconds.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=inactivity)
        with _translated(f"GET {path}"):
            async with contextlib.AsyncExitStack() as stack:
                response = await self._send("GET", path, params, None, {}, timeout)
                stack.push_async_callback(_close, response)
                if response.status >= FIRST_ERROR:
                    raise from_status(await response.read(), code=response.status, retry_after=_retry_after(response))
                yield lines(response.content.iter_any())

    async def _attempts(
        self, method: str, path: str, params: Mapping[str, str], data: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        attempt = 1
        while True:
            with _translated(f"{method} {path}"):
                response = await self._send(method, path, params, data, headers, None)
                async with response:
                    answer = await response.read()
            if response.status < FIRST_ERROR:
                return answer
            error = from_status(answer, code=response.status, retry_after=_retry_after(response))
            wait = error.retry_after if response.status in SHEDDING else None
            if wait is None or attempt == ATTEMPTS or _is_eviction(path, error):
                raise error
            attempt += 1
            await asyncio.sleep(wait)

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        data: bytes | None,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout | None,  # noqa: ASYNC109  (aiohttp's own kind)
    ) -> aiohttp.ClientResponse:
        """Return the answer, after a second attempt with newer credentials where the first were refused."""
        credentials = self.configuration.credentials
        shown = await credentials.authorization()
        response = await self._send_once(method, path, params, data, headers, timeout, shown)
        if response.status == UNAUTHORIZED and await credentials.renew(shown):
            response.release()
            shown = await credentials.authorization()
            response = await self._send_once(method, path, params, data, headers, timeout, shown)
        return response

    async def _send_once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        data: bytes | None,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout | None,  # noqa: ASYNC109  (aiohttp's own kind)
        authorization: str | None,
    ) -> aiohttp.ClientResponse:
        if self._http is None:
            raise RuntimeError("a session is to be entered before it is used")
        sent = dict(headers)
        if authorization is not None:
            sent["Authorization"] = authorization
        # Encoded already: names in the path were quoted one by one.
        url = URL(self.configuration.server.rstrip("/") + path, encoded=True)
        code = "error"
        try:
            response = await self._http.request(
                method,
                url.with_query(params) if params else url,
                data=data,
                headers=sent,
                timeout=timeout or self._http.timeout,
                proxy=self.configuration.proxy,
                server_hostname=self.configuration.server_name,
                allow_redirects=False,
            )
            code = str(response.status)
        finally:
            if self._metrics is not None:
                self._metrics.answered(method, code)
        return response


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """Raise our own errors in the place of aiohttp's."""
    try:
        yield
    except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
        hint = "check the cluster's certificate authority and the server's name in the kubeconfig"
        raise Unreachable(f"{what}: {error}", hint=hint) from error
    except aiohttp.SocketTimeoutError as error:
        raise Silent(f"{what}: nothing came for too long") from error
    except aiohttp.ClientError as error:
        raise Unreachable(f"{what}: {str(error) or type(error).__name__}") from error
    except (OSError, EOFError) as error:
        raise Unreachable(f"{what}: {str(error) or 'the connection was cut'}") from error


async def _close(response: aiohttp.ClientResponse) -> None:
    # Not released: an unfinished stream's connection is of no more use.
    response.close()


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def _is_eviction(path: str, error: ApiError) -> bool:
    """Tell a PodDisruptionBudget's refusal from load: it is for the caller to decide how long to wait for that."""
    return isinstance(error, TooManyRequests) and path.endswith("/eviction")
