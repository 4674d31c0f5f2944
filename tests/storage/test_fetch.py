"""A file comes from a web server whole, whatever breaks off on the way, and from nowhere else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from executor.storage.fetch import Credentials, Limits, Unfetched, check, fetch
from tests.harness.server import free_ports
from tests.storage.pictures import content
from tests.storage.webserver import Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = content(300_000)
LIMITS = Limits(size=1 << 20, timeout=10, attempts=3, pause=0)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.files["/image"] = DATA
        yield found


def got(url: str, limits: Limits = LIMITS, credentials: Credentials | None = None) -> bytes:
    target = io.BytesIO()
    assert fetch(url, target, limits, credentials=credentials) == len(target.getvalue())
    return target.getvalue()


def test_a_file_comes_with_its_progress(site: Site) -> None:
    told: list[tuple[int, int | None]] = []
    target = io.BytesIO()
    fetch(f"{site.url}/image#part", target, LIMITS, progress=lambda *seen: told.append(seen))
    assert target.getvalue() == DATA
    assert told[-1] == (len(DATA), len(DATA))


def test_a_broken_connection_goes_on_where_it_stopped(site: Site) -> None:
    site.cuts = [100_000, 50_000, 10]
    assert got(f"{site.url}/image") == DATA
    assert [asked.get("Range") for _, asked in site.asked] == [
        None, "bytes=100000-", "bytes=150000-", "bytes=150010-",
    ]  # fmt: skip


CHANGES = {
    "another file meanwhile": {"etags": ['"one"', '"two"'], "etag": '"two"'},
    "a server without ranges": {"ranges": False},
    "a server without validators": {"etag": ""},
    "a weak validator": {"etag": 'W/"one"'},
    "chunks": {"chunked": True},
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_cannot_go_on_starts_anew(site: Site, case: str) -> None:
    site.cuts = [100_000]
    vars(site).update(CHANGES[case])
    assert got(f"{site.url}/image") == DATA
    assert len(site.asked) == 2


def test_a_busy_server_is_asked_again_and_not_for_ever(site: Site) -> None:
    site.busy = 2
    assert got(f"{site.url}/image") == DATA
    site.busy = 99
    with pytest.raises(Unfetched, match="503"):
        got(f"{site.url}/image")
    assert len(site.asked) == 6


def test_a_server_that_always_breaks_off_is_given_up(site: Site) -> None:
    site.cuts = [100_000, *[0] * 99]
    with pytest.raises(Unfetched, match="broke off after 100000 of 300000 bytes"):
        got(f"{site.url}/image")


def test_a_redirect_is_followed_without_the_password(site: Site) -> None:
    site.redirects["/old"] = f"{site.url}/image"
    assert got(f"{site.url}/old", credentials=Credentials("me", "secret")) == DATA
    assert [bool(asked.get("Authorization")) for _, asked in site.asked] == [True, False]


def test_credentials_are_sent_to_whom_they_are_for_and_shown_to_nobody(site: Site) -> None:
    site.authorization = "Basic bWU6c2VjcmV0"
    assert got(f"{site.url}/image", credentials=Credentials("me", "secret")) == DATA
    site.authorization = "Bearer abc"
    assert got(f"{site.url}/image", credentials=Credentials(token="abc")) == DATA  # noqa: S106  (a test's own)
    with pytest.raises(Unfetched, match="401"):
        got(f"{site.url}/image")
    assert "secret" not in repr(Credentials("me", "secret", "secret"))


OUTSIDE = {
    "a file of the node": "file:///etc/shadow",
    "ftp": "ftp://127.0.0.1/x",
    "data": "data:,x",
    "no host": "http:///x",
    "no scheme": "/etc/shadow",
    "a password in it": "http://me:secret@127.0.0.1/x",
    "a line break": "http://127.0.0.1/x\r\nHost: evil",
    "a port that is none": "http://127.0.0.1:99999999/",
    "half an address": "http://[::1/",
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_an_address_that_is_none_of_a_web_server_is_refused(site: Site, case: str) -> None:
    with pytest.raises(Unfetched) as caught:
        check(OUTSIDE[case])
    assert "secret" not in str(caught.value)
    if case not in ("a line break", "no host"):
        site.redirects["/old"] = OUTSIDE[case] if case != "no scheme" else "//me@127.0.0.1/x"
        with pytest.raises(Unfetched, match="leads on to what is not taken"):
            got(f"{site.url}/old")


def test_redirects_come_to_an_end(site: Site) -> None:
    site.redirects["/old"] = f"{site.url}/old"
    with pytest.raises(Unfetched):
        got(f"{site.url}/old")
    assert len(site.asked) < 20


@pytest.mark.parametrize("chunked", [False, True])
def test_more_than_is_taken_is_refused_whether_or_not_it_is_announced(site: Site, chunked: bool) -> None:
    site.chunked = chunked
    target = io.BytesIO()
    with pytest.raises(Unfetched, match=r"300000 bytes|more than the 1000 bytes"):
        fetch(f"{site.url}/image", target, Limits(size=1000, attempts=1))
    assert len(target.getvalue()) <= 1000


def test_what_takes_too_long_is_given_up(site: Site) -> None:
    with pytest.raises(Unfetched, match="has not come in 0 s"):
        got(f"{site.url}/image", Limits(size=1 << 20, longest=0))


def test_nobody_there_is_one_line() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Unfetched, match="refused"):
        got(f"http://127.0.0.1:{port}/image", Limits(size=1, attempts=1, pause=0))
