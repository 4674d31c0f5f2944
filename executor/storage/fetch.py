"""Images from web servers: http and https alone, taken up again where they broke off, within bounds."""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
import urllib.response
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.storage.partial import Partial

PIECE: Final = 1 << 20
LONGEST: Final = 256
"""Characters of a validator."""

_RANGE: Final = re.compile(r"bytes (\d{1,19})-\d{1,19}/(\d{1,19}|\*)")
_PARTIAL, _BAD_RANGE = 206, 416
# What may pass by itself.
_TRANSIENT: Final = {408, 429, 500, 502, 503, 504}


class Unfetched(KubevmmError):  # noqa: N818  (named for what happened)
    """A file that could not be got from where it should be."""


class _Changed(Exception):  # noqa: N818  (named for what happened)
    """The file is another one than that of which a part has come."""


@dataclass(frozen=True)
class Credentials:
    """What a server wants to know; one of a user with a password, and a token."""

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def header(self) -> str:
        """The value of the header Authorization; empty for nobody."""
        if self.token:
            return f"Bearer {self.token}"
        if not self.username:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Limits:
    """How much is taken, and how long is waited: ``size`` in bytes, ``timeout`` and ``pause`` in seconds.

    ``attempts`` is how often in a row nothing may come, with a pause after each that doubles; ``longest`` is how many
    seconds all may take, however steadily it drips.
    """

    size: int
    timeout: float = 30.0
    attempts: int = 5
    pause: float = 1.0
    longest: float = 86400.0


def check(url: str) -> str:
    """Return *url*, of http or https, without a fragment. Raises Unfetched for any other, and for one with a secret."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Unfetched(f"{url} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise Unfetched(f"{url} is no URL of a web server", hint="images come by http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise Unfetched("the URL has a user or a password in it", hint="give them by a Secret: http.secretRef")
    return urlunsplit(parts._replace(fragment=""))


def fetch(
    url: str,
    target: Partial,
    limits: Limits,
    *,
    credentials: Credentials | None = None,
    progress: Callable[[int, int | None], object] | None = None,
) -> None:
    """Get the rest of the file at *url* into *target*.

    A connection that breaks off, and a server that is busy, are tried again where it stopped, by a range; where the
    server does not take that, or the file is another one meanwhile, from the start. What is all there already is only
    asked about. *progress* is called with the bytes so far, and all of them where they are known. Raises Unfetched.
    """
    url = check(url)
    opener, header = _opener(url), (credentials or Credentials()).header
    failed = 0
    deadline = time.monotonic() + limits.longest
    while True:
        have = target.length
        # Without a validator nobody knows whether the rest is of the same file.
        if have and not target.validator:
            target.restart()
            have = 0
        # There is no range behind the end: the last byte tells whether it is the same file still.
        start = have - 1 if have and have == target.whole else have
        try:
            with opener.open(_request(url, header, start, target.validator), timeout=limits.timeout) as answer:
                _begin(answer, target, start, limits)
                _copy(answer, target, limits, deadline, progress)
            if target.whole is None or target.length == target.whole:
                return
            reason = f"it broke off after {target.length} of {target.whole} bytes"
        except _Changed:
            target.restart()
            reason = "the file is another one each time"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == _BAD_RANGE:
                target.restart()
            elif error.code not in _TRANSIENT:
                raise Unfetched(f"{url}: the server says {error.code} {error.reason}") from None
            reason = f"the server says {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = _why(error)
            if isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError):
                raise Unfetched(f"{url}: {reason}", hint="the server's certificate is not trusted") from None
        failed = 0 if target.length > have else failed + 1
        if failed >= limits.attempts:
            kept = "what has come is kept, and the next try goes on from there" if target.validator else None
            raise Unfetched(f"{url}: {reason}", hint=kept) from None
        time.sleep(limits.pause * 2**failed)


def _request(url: str, header: str, start: int, validator: str) -> urllib.request.Request:
    made = urllib.request.Request(url)  # noqa: S310  (checked: http or https)
    # Else a server may pack what it sends, and a range is of the packed.
    made.add_header("Accept-Encoding", "identity")
    made.add_header("User-Agent", "kubevmm")
    if header:
        # Not sent on to where a redirect leads.
        made.add_unredirected_header("Authorization", header)
    if start:
        made.add_header("Range", f"bytes={start}-")
        made.add_header("If-Range", validator)
    return made


def _begin(answer: Any, target: Partial, start: int, limits: Limits) -> None:
    """Bring *target* to where the answer, which was asked for from *start* on, goes on.

    Raises Unfetched for more than is taken, _Changed for a part of another file than that which is there.
    """
    length = answer.headers.get("Content-Length", "")
    rest = int(length) if length.isdecimal() and len(length) < 20 else None  # noqa: PLR2004  (the digits of an int64)
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise Unfetched(f"{answer.url}: the server packs what it sends, though it was asked not to")
    if answer.status == _PARTIAL:
        place = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if place is None or int(place[1]) != start:
            raise Unfetched(f"{answer.url}: the server sends another part than it was asked for")
        if _validator(answer) not in ("", target.validator):
            raise _Changed
    else:
        target.restart()
        start = 0
    whole = None if rest is None else start + rest
    if whole is not None and whole > limits.size:
        raise Unfetched(f"{answer.url}: it has {whole} bytes, and at most {limits.size} are taken")
    if start < target.length and len(answer.read(1)) != 1:
        raise _Changed
    target.begin(_validator(answer) or target.validator, whole)


def _copy(
    answer: Any,
    target: Partial,
    limits: Limits,
    deadline: float,
    progress: Callable[[int, int | None], object] | None,
) -> None:
    while piece := answer.read1(PIECE):
        if target.length + len(piece) > limits.size:
            raise Unfetched(f"{answer.url}: it has more than the {limits.size} bytes that are taken")
        if time.monotonic() > deadline:
            raise Unfetched(f"{answer.url}: it has not come in {limits.longest:g} s")
        target.write(piece)
        if progress is not None:
            progress(target.length, target.whole)


def _validator(answer: Any) -> str:
    """Return what tells this version of the file from another; empty where the server says nothing that will do."""
    tag = str(answer.headers.get("ETag", ""))
    found = tag if tag and not tag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))
    # It goes into a header of ours.
    return found if found.isascii() and found.isprintable() and len(found) <= LONGEST else ""


def _why(error: Exception) -> str:
    inner = getattr(error, "reason", None)
    found = inner if isinstance(inner, Exception) else error
    if isinstance(found, TimeoutError):
        return "nothing came for too long"
    return str(getattr(found, "strerror", None) or found or type(found).__name__)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows no further than to web servers, and not from https back to http."""

    max_redirections = 5

    def http_error_302(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any
    ) -> urllib.response.addinfourl | None:
        try:
            to = check(urljoin(req.full_url, headers.get("location") or headers.get("uri") or req.full_url))
        except (Unfetched, ValueError) as error:
            raise Unfetched(f"{req.full_url} leads on to what is not taken: {error}") from None
        if urlsplit(req.full_url).scheme == "https" and urlsplit(to).scheme != "https":
            raise Unfetched(f"{req.full_url} leads on to {to}, which anybody on the way could change")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener(url: str) -> urllib.request.OpenerDirector:
    # One by one: the usual opener takes files, ftp and data, too.
    opener = urllib.request.OpenerDirector()
    proxies: dict[str, str] | None = {} if urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1") else None
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
