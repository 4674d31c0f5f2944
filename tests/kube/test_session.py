"""Requests: credentials that change, errors by name, the server's wish to be left alone, and how long is too long."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kube import configuration
from kube.client import Client
from kube.configuration import ConfigurationError
from kube.credentials import LoadedCredentials, TokenFile
from kube.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    ServerFailure,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    from_status,
)
from kube.flow import TokenBucket
from kube.lines import lines
from kube.object import Key
from kube.pages import Selection
from kube.resource import Resource
from kube.session import Session
from tests.harness.faultproxy import FaultProxy, Faults
from tests.kube.conftest import CONFIG_MAPS, GADGETS, NAMESPACES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.harness.controlplane import ControlPlane
    from tests.kube.conftest import Cluster


def test_what_the_server_refuses_is_told_by_name(cluster: Cluster) -> None:
    async def scenario() -> None:
        async with cluster.client() as client:
            made = await client.create(GADGETS, cluster.gadget("there", size=1))
            await client.patch(GADGETS, made.key, {"spec": {"size": 2}})
            stale = {**cluster.gadget("there"), "metadata": made.decode()["metadata"]}
            cases: list[tuple[type[ApiError], Any]] = [
                (NotFound, client.get(GADGETS, cluster.key("missing"))),
                (AlreadyExists, client.create(GADGETS, cluster.gadget("there"))),
                (Conflict, client.replace(GADGETS, stale)),
                (Conflict, client.delete(GADGETS, made.key, uid="another")),
                (Invalid, client.create(GADGETS, cluster.gadget("bad", size=-1))),
                (BadRequest, client.list(GADGETS, Selection(cluster.namespace, labels="no selector!"))),
            ]
            for expected, call in cases:
                with pytest.raises(expected) as caught:
                    await call
                assert str(caught.value), expected
            with pytest.raises(Invalid) as caught:
                await client.create(GADGETS, cluster.gadget("bad", size=-1))
            assert caught.value.causes[0].startswith("spec.size: ")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        (b'{"reason":"Expired","code":410,"message":"too old"}', 410, Gone),
        (b'{"reason":"AlreadyExists","code":409}', 409, AlreadyExists),
        (b'{"code":409}', 409, Conflict),
        (b'{"code":403}', 403, Forbidden),
        (b"<html>Bad gateway</html>", 502, ServerFailure),
        (b"\xff\xfe", 503, ServerFailure),
        (b"", 418, ApiError),
        (b'{"code":429,"details":{"retryAfterSeconds":7}}', 429, TooManyRequests),
        (b'{"message": 7}', 404, NotFound),
    ],
)
def test_any_answer_becomes_one_error(body: bytes, code: int, expected: type[ApiError]) -> None:
    error = from_status(body, code=code)
    assert type(error) is expected
    assert error.code == code
    assert str(error)
    assert error.retry_after == (7 if code == 429 else None)


def test_a_server_that_sheds_load_is_asked_again_when_it_said(cluster: Cluster) -> None:
    async def scenario() -> None:
        plane = cluster.control_plane
        async with (
            FaultProxy(plane.url, plane.ca_file, seed=3, faults=Faults(throttle=0.5)) as proxy,
            cluster.session(proxy.url) as session,
        ):
            for number in range(10):
                await Client(session).create(GADGETS, cluster.gadget(f"gadget-{number}"))
            assert proxy.injected["throttle"] > 0
            proxy.faults = Faults(throttle=1.0)
            with pytest.raises(TooManyRequests):
                await Client(session).get(GADGETS, cluster.key("gadget-1"))

    asyncio.run(scenario())


def test_no_answer_is_an_error_of_its_own_and_soon(cluster: Cluster) -> None:
    async def scenario() -> None:
        plane = cluster.control_plane
        faults = Faults(delay=1.0, longest_delay=60.0)
        async with (
            FaultProxy(plane.url, plane.ca_file, seed=1, faults=faults) as proxy,
            cluster.session(proxy.url, timeout=0.2) as session,
        ):
            with pytest.raises(Unreachable, match="no answer"):
                await Client(session).get(GADGETS, cluster.key("any"))
            proxy.faults = Faults(drop=1.0)
            with pytest.raises(Unreachable):
                await Client(session).get(GADGETS, cluster.key("any"))
        async with cluster.session("http://127.0.0.1:9") as session:
            with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
                await Client(session).get(GADGETS, cluster.key("any"))

    asyncio.run(scenario())


def test_a_server_with_another_certificate_is_not_talked_to(cluster: Cluster, tmp_path: Path) -> None:
    config = json.loads(cluster.control_plane.kubeconfig.read_text())
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))

    async def scenario() -> None:
        async with Session(await configuration.load(path)) as session:
            with pytest.raises(Unreachable) as caught:
                await Client(session).list(NAMESPACES)
            assert "certificate authority" in (caught.value.hint or "")

    asyncio.run(scenario())


def service_account(folder: Path, plane: ControlPlane, token: str) -> Path:
    folder.mkdir()
    (folder / "ca.crt").write_bytes(plane.ca_file.read_bytes())
    (folder / "namespace").write_text("mine\n")
    (folder / "token").write_text(token + "\n")
    return folder


def test_in_a_pod_a_token_that_was_replaced_is_read_again(gadgets: ControlPlane, tmp_path: Path) -> None:
    host, port = gadgets.url.removeprefix("https://").split(":")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    folder = service_account(tmp_path / "account", gadgets, "expired")

    async def scenario() -> None:
        loaded = configuration.in_cluster(environment, folder)
        assert loaded.namespace == "mine"
        async with Session(loaded) as session:
            with pytest.raises(Unauthorized):
                await Client(session).list(NAMESPACES)
            (folder / "token").write_text(gadgets.token)
            assert await Client(session).list(NAMESPACES)

    asyncio.run(scenario())


def test_a_token_file_is_read_each_minute_and_an_old_token_outlives_it(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "token"

    async def scenario() -> None:
        nonlocal now
        credentials = TokenFile(path, clock=lambda: now)
        with pytest.raises(Unauthorized):
            await credentials.authorization()
        path.write_text("one\n")
        assert await credentials.authorization() == "Bearer one"
        path.write_text("two")
        assert await credentials.authorization() == "Bearer one"
        now = 61.0
        assert await credentials.authorization() == "Bearer two"
        path.unlink()
        now = 200.0
        assert await credentials.authorization() == "Bearer two"
        assert not await credentials.renew("Bearer two")
        assert await credentials.renew("Bearer one")

    asyncio.run(scenario())


PLUGIN = """#!{python}
import json, os, pathlib
token = pathlib.Path({token!r}).read_text()
status = {{"token": token}} if token else {{}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
"""


def with_user(plane: ControlPlane, folder: Path, user: dict[str, Any]) -> Path:
    config = json.loads(plane.kubeconfig.read_text())
    config["users"][0]["user"] = user
    config["contexts"][0]["context"]["namespace"] = "elsewhere"
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def by_plugin(plane: ControlPlane, folder: Path) -> Path:
    program = folder / "plugin"
    program.write_text(PLUGIN.format(python=sys.executable, token=str(folder / "token")))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    return with_user(plane, folder, {"exec": plugin})


def by_token_file(plane: ControlPlane, folder: Path) -> Path:
    return with_user(plane, folder, {"tokenFile": str(folder / "token")})


@pytest.mark.parametrize("user", [by_plugin, by_token_file])
def test_a_kubeconfigs_credential_is_renewed_when_the_server_refuses_it(
    gadgets: ControlPlane, tmp_path: Path, user: Callable[[ControlPlane, Path], Path]
) -> None:
    (tmp_path / "token").write_text("expired")
    path = user(gadgets, tmp_path)

    async def scenario() -> None:
        loaded = await configuration.load(path)
        assert loaded.namespace == "elsewhere"
        async with Session(loaded) as session:
            with pytest.raises(Unauthorized):
                await Client(session).list(NAMESPACES)
            (tmp_path / "token").write_text(gadgets.token)
            assert await Client(session).list(NAMESPACES)

    asyncio.run(scenario())


def test_a_plugin_that_stops_working_is_a_refusal_and_not_the_end(gadgets: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("expired")

    async def scenario() -> None:
        loaded = await configuration.load(by_plugin(gadgets, tmp_path))
        async with Session(loaded) as session:
            (tmp_path / "token").unlink()
            with pytest.raises(Unauthorized, match="plugin"):
                await Client(session).list(NAMESPACES)
            (tmp_path / "token").write_text(gadgets.token)
            assert await Client(session).list(NAMESPACES)

    asyncio.run(scenario())


def test_of_many_refusals_at_once_one_loads_anew() -> None:
    loads = 0

    async def load() -> tuple[str | None, float | None]:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return f"Bearer {loads}", None

    async def scenario() -> None:
        credentials = LoadedCredentials(load, ("Bearer 0", None))
        assert await asyncio.gather(*(credentials.renew("Bearer 0") for _ in range(10))) == [True] * 10
        assert (loads, await credentials.authorization()) == (1, "Bearer 1")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no kubeconfig"),
        ("{", "kubeconfig"),
        ("[]", "kubeconfig"),
        ("{}", "kubeconfig"),
        ("current-context: x\ncontexts: []\nclusters: []\nusers: []\n", "kubeconfig"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_said_so_in_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        asyncio.run(configuration.load(path))
    assert "\n" not in str(caught.value)


def test_a_plugin_that_gives_nothing_is_named(gadgets: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("")
    with pytest.raises(ConfigurationError, match="plugin"):
        asyncio.run(configuration.load(by_plugin(gadgets, tmp_path)))


def test_outside_a_pod_its_service_account_is_missed_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="KUBERNETES_SERVICE_HOST"):
        configuration.in_cluster({}, tmp_path)
    environment = {"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(ConfigurationError, match=r"ca\.crt"):
        configuration.in_cluster(environment, tmp_path)


@pytest.mark.parametrize(
    ("resource", "where", "path"),
    [
        (CONFIG_MAPS, ("a", "b"), "/api/v1/namespaces/a/configmaps/b"),
        (GADGETS, ("a", "b", "status"), "/apis/runtime.kubevmm.io/v1/namespaces/a/gadgets/b/status"),
        (GADGETS, (), "/apis/runtime.kubevmm.io/v1/gadgets"),
        (NAMESPACES, ("", "x"), "/api/v1/namespaces/x"),
        (Resource("g", "v1", "K", "ks"), ("a/../b", "c?d"), "/apis/g/v1/namespaces/a%2F..%2Fb/ks/c%3Fd"),
    ],
)
def test_an_objects_path_is_made_of_quoted_names(resource: Resource, where: tuple[str, ...], path: str) -> None:
    assert resource.path(*where) == path


def test_a_name_that_would_lead_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="no name"):
        GADGETS.path("a", "..")


def test_lines_come_whole_however_they_were_cut() -> None:
    text = b"one\n\ntwo\nthree, which is longer\nunfinished"

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(text), size):
            yield text[start : start + size]

    async def scenario() -> None:
        for size in range(1, len(text) + 1):
            found = [line async for line in lines(chunks(size))]
            assert found == [b"one", b"two", b"three, which is longer"], size

    asyncio.run(scenario())


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    now = 0.0
    bucket = TokenBucket(10.0, 3, clock=lambda: now)
    assert [bucket.reserve() for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])
    assert not bucket.try_take()
    now = 10.0
    assert [bucket.try_take() for _ in range(4)] == [True, True, True, False]


def test_a_key_reads_as_kubectl_names_it() -> None:
    assert [str(Key("a", "b")), str(Key("", "b"))] == ["a/b", "b"]


def test_the_environment_names_the_kubeconfig(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["/nowhere", str(cluster.control_plane.kubeconfig)]))
    assert asyncio.run(configuration.load()).server == cluster.control_plane.url
