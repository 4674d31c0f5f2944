"""A file comes from a web server whole, whatever breaks off on the way, and from nowhere else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from executor.storage import partial
from executor.storage.fetch import Credentials, Limits, Unfetched, check, fetch
from executor.storage.partial import Partial
from tests.harness.server import free_ports
from tests.storage.pictures import content
from tests.storage.webserver import Site, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Got = Callable[..., bytes]

DATA = content(300_000)
LIMITS = Limits(size=1 << 20, timeout=10, attempts=3, pause=0)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.files["/image"] = DATA
        yield found


@pytest.fixture
def got(tmp_path: Path) -> Got:
    """Return what a process gets from a URL; what it gets only in part is there for the next one."""

    def read(url: str, limits: Limits = LIMITS, credentials: Credentials | None = None) -> bytes:
        with Partial(tmp_path / "scratch", "it", "there") as target:
            fetch(url, target, limits, credentials=credentials)
            target.discard()
            return target.file.read()

    return read


def test_a_file_comes_with_its_progress(site: Site, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    with Partial(tmp_path, "it", "there") as target:
        fetch(f"{site.url}/image#part", target, LIMITS, progress=lambda *seen: told.append(seen))
        assert target.file.read() == DATA
    assert told[-1] == (len(DATA), len(DATA))


def test_a_broken_connection_goes_on_where_it_stopped(site: Site, got: Got) -> None:
    site.cuts = [100_000, 50_000, 10]
    assert got(f"{site.url}/image") == DATA
    assert [asked.get("Range") for _, asked in site.asked] == [
        None, "bytes=100000-", "bytes=150000-", "bytes=150010-",
    ]  # fmt: skip


CHANGES: dict[str, dict[str, Any]] = {
    "another file meanwhile": {"etags": ['"one"', '"two"'], "etag": '"two"'},
    "a server without ranges": {"ranges": False},
    "a server without validators": {"etag": ""},
    "a weak validator": {"etag": 'W/"one"'},
    "a validator that is none": {"etag": '"one"\r\n two'},
    "a validator without end": {"etag": f'"{"x" * 1000}"'},
    "chunks": {"chunked": True},
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_cannot_go_on_starts_anew(site: Site, got: Got, case: str) -> None:
    site.cuts = [100_000]
    vars(site).update(CHANGES[case])
    assert got(f"{site.url}/image") == DATA
    assert len(site.asked) == 2


def test_a_busy_server_is_asked_again_and_not_for_ever(site: Site, got: Got) -> None:
    site.busy = 2
    assert got(f"{site.url}/image") == DATA
    site.busy = 99
    with pytest.raises(Unfetched, match="503"):
        got(f"{site.url}/image")
    assert len(site.asked) == 6


def test_a_server_that_always_breaks_off_is_given_up(site: Site, got: Got) -> None:
    site.cuts = [100_000, *[0] * 99]
    with pytest.raises(Unfetched, match="broke off after 100000 of 300000 bytes"):
        got(f"{site.url}/image")


def test_a_redirect_is_followed_without_the_password(site: Site, got: Got) -> None:
    site.redirects["/old"] = f"{site.url}/image"
    assert got(f"{site.url}/old", credentials=Credentials("me", "secret")) == DATA
    assert [bool(asked.get("Authorization")) for _, asked in site.asked] == [True, False]


def test_credentials_are_sent_to_whom_they_are_for_and_shown_to_nobody(site: Site, got: Got) -> None:
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
def test_an_address_that_is_none_of_a_web_server_is_refused(site: Site, got: Got, case: str) -> None:
    with pytest.raises(Unfetched) as caught:
        check(OUTSIDE[case])
    assert "secret" not in str(caught.value)
    if case not in ("a line break", "no host"):
        site.redirects["/old"] = OUTSIDE[case] if case != "no scheme" else "//me@127.0.0.1/x"
        with pytest.raises(Unfetched, match="leads on to what is not taken"):
            got(f"{site.url}/old")


def test_redirects_come_to_an_end(site: Site, got: Got) -> None:
    site.redirects["/old"] = f"{site.url}/old"
    with pytest.raises(Unfetched):
        got(f"{site.url}/old")
    assert len(site.asked) < 20


@pytest.mark.parametrize("chunked", [False, True])
def test_more_than_is_taken_is_refused_whether_or_not_it_is_announced(
    site: Site, tmp_path: Path, chunked: bool
) -> None:
    site.chunked = chunked
    with Partial(tmp_path, "it", "there") as target:
        with pytest.raises(Unfetched, match=r"300000 bytes|more than the 1000 bytes"):
            fetch(f"{site.url}/image", target, Limits(size=1000, attempts=1))
        assert len(target.file.read()) <= 1000


def test_what_takes_too_long_is_given_up(site: Site, got: Got) -> None:
    with pytest.raises(Unfetched, match="has not come in 0 s"):
        got(f"{site.url}/image", Limits(size=1 << 20, longest=0))


def test_nobody_there_is_one_line(got: Got) -> None:
    (port,) = free_ports(1)
    with pytest.raises(Unfetched, match="refused"):
        got(f"http://127.0.0.1:{port}/image", Limits(size=1, attempts=1, pause=0))


def _asked(site: Site) -> list[str | None]:
    return [asked.get("Range") for _, asked in site.asked]


def _broken(site: Site, got: Got, *cuts: int) -> None:
    """Have a process get only a part."""
    site.cuts = [*cuts]
    with pytest.raises(Unfetched, match="broke off") as caught:
        got(f"{site.url}/image", Limits(size=1 << 20, timeout=10, attempts=0, pause=0))
    assert "the next try goes on from there" in str(caught.value.hint)


def test_another_process_goes_on_where_the_last_one_stopped(site: Site, got: Got) -> None:
    _broken(site, got, 100_000)
    _broken(site, got, 50_000)
    assert got(f"{site.url}/image") == DATA
    assert _asked(site) == [None, "bytes=100000-", "bytes=150000-"]


def test_what_has_come_whole_is_asked_about_and_not_got_again(site: Site, tmp_path: Path) -> None:
    for _ in range(2):
        with Partial(tmp_path, "it", "there") as target:
            fetch(f"{site.url}/image", target, LIMITS)
            assert target.file.read() == DATA
    assert _asked(site) == [None, "bytes=299999-"]
    site.files["/image"], site.etag = DATA[::-1], '"two"'
    with Partial(tmp_path, "it", "there") as target:
        fetch(f"{site.url}/image", target, LIMITS)
        assert (target.file.read(), target.resumed) == (DATA[::-1], False)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50_000])


def _spoil(path: Path) -> None:
    # As a host that lost its power may: as long as it was, and not what was written.
    path.write_bytes(bytes(path.stat().st_size))


def _unnote(path: Path) -> None:
    path.with_suffix(".note").write_text('{"source": 1', encoding="utf-8")


SPOILT: dict[str, Callable[[Path], object]] = {
    "shorter than it was": _cut,
    "other bytes": _spoil,
    "no note that can be read": _unnote,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("case", [*SPOILT, *CHANGES])
def test_another_process_starts_anew_where_it_cannot_go_on(site: Site, got: Got, tmp_path: Path, case: str) -> None:
    _broken(site, got, 100_000)
    if case in SPOILT:
        SPOILT[case](tmp_path / "scratch" / "it.part")
    else:
        vars(site).update(CHANGES[case])
        site.files["/image"] = DATA[::-1] if "another file" in case else DATA
    assert got(f"{site.url}/image") == site.files["/image"]


def test_what_came_from_elsewhere_is_no_part_of_it(site: Site, got: Got, tmp_path: Path) -> None:
    _broken(site, got, 100_000)
    with Partial(tmp_path / "scratch", "it", "elsewhere") as target:
        assert (target.length, target.resumed) == (0, False)


def test_a_part_by_a_server_that_says_it_is_of_another_file_is_thrown_away(site: Site, got: Got) -> None:
    _broken(site, got, 100_000)
    site.lies = ['"two"']
    site.files["/image"] = DATA[::-1]
    assert got(f"{site.url}/image") == DATA[::-1]
    assert _asked(site) == [None, "bytes=100000-", None]


def test_what_nobody_goes_on_with_is_swept_away(site: Site, got: Got, tmp_path: Path) -> None:
    _broken(site, got, 100_000)
    old = tmp_path / "scratch" / "it.part"
    for age, left in ((partial.KEPT - 60, ["it.note", "it.part"]), (partial.KEPT + 60, [])):
        os.utime(old, (time.time() - age,) * 2)
        with Partial(tmp_path / "scratch", "other", "elsewhere") as target:
            target.discard()
        assert sorted(path.name for path in old.parent.iterdir()) == left
