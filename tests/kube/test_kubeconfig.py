"""Kubeconfigs mean to us what they mean to kubectl, and as far as both read them, to `kubernetes`' own code."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kube import configuration, kubeconfig
from kube.configuration import ConfigurationError
from kube.kubeconfig import Beyond, Kubeconfig

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://192.0.2.1:6443"


def document(
    user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, name: str = "a", **context: str
) -> dict[str, Any]:
    """Return a kubeconfig with one context, called *name* as all that it refers to."""
    return {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **context}}],
        "clusters": [{"name": name, "cluster": {"server": URL, **(cluster or {})}}],
        "users": [{"name": name, "user": user or {}}],
    }


def written(folder: Path, *documents: dict[str, Any]) -> str:
    """Write *documents*, each in a folder of its own; return what KUBECONFIG names."""
    paths = []
    for number, each in enumerate(documents):
        path = folder / str(number) / "config"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(each))
        paths.append(str(path))
    return os.pathsep.join(paths)


PEM = b"-----BEGIN CERTIFICATE-----\n"
DATA = base64.b64encode(PEM).decode()
# A user, a cluster, what the context says besides; what is read, but for the server.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str], dict[str, Any]]] = {
    "nobody": ({}, {}, {}, {}),
    "a token": ({"token": "t\n"}, {}, {}, {"authorization": "Bearer t"}),
    "a name and a password": ({"username": "n", "password": "p"}, {}, {}, {"authorization": "Basic bjpw"}),
    "a namespace": ({}, {}, {"namespace": "shop"}, {"namespace": "shop"}),
    "a proxy": ({}, {"proxy-url": "http://192.0.2.9:3128"}, {}, {"proxy": "http://192.0.2.9:3128"}),
    "a certificate for another name": ({}, {"tls-server-name": "api"}, {}, {"server_name": "api"}),
    "a server that is not checked": ({}, {"insecure-skip-tls-verify": True}, {}, {"verify": False}),
    "certificates in the file": (
        {"client-certificate-data": DATA, "client-key-data": DATA}, {"certificate-authority-data": DATA}, {},
        {"authority": PEM, "certificate": PEM, "key": PEM},
    ),
    "a server that ends in a slash": ({}, {"server": f"{URL}/"}, {}, {}),
    "plain HTTP": ({"token": "t"}, {"server": "http://192.0.2.1"}, {}, {
        "server": "http://192.0.2.1", "authorization": "Bearer t",
    }),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_kubeconfig_is_read_as_kubernetes_own_code_reads_it(tmp_path: Path, case: str) -> None:
    user, cluster, context, expected = CASES[case]
    files = written(tmp_path, document(user, cluster, **context))
    found = kubeconfig.read(files)
    assert found == Kubeconfig(**{"server": URL, **expected})
    other, life = asyncio.run(configuration._load_beyond(files, None))  # noqa: SLF001
    assert life is None
    assert plain(other) == plain(found)


def plain(found: Kubeconfig) -> dict[str, Any]:
    """Return *found* with the contents of files in the place of their paths."""
    files = {key: getattr(found, key) for key in ("authority", "certificate", "key")}
    contents = {
        key: each if each is None or isinstance(each, bytes) else each.read_bytes() for key, each in files.items()
    }
    return {key: getattr(found, key) for key in Kubeconfig.__dataclass_fields__} | contents


def test_files_are_looked_for_where_the_kubeconfig_that_names_them_lies(tmp_path: Path) -> None:
    first, second = document(), document({"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token"})
    del first["users"]
    first["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    files = written(tmp_path, first, second)
    (tmp_path / "1" / "token").write_text("t\n")
    found = kubeconfig.read(files)
    assert found.authority == tmp_path / "0" / "ca.crt"
    assert (found.certificate, found.key) == (tmp_path / "1" / "me.crt", tmp_path / "1" / "me.key")
    assert (found.authorization, found.token_file) == ("Bearer t", True)


def test_of_several_files_the_first_that_says_something_counts(tmp_path: Path) -> None:
    first, second = document({"token": "one"}), document({"token": "two"}, name="b")
    second["users"].append({"name": "a", "user": {"token": "other"}})
    del first["current-context"]
    files = written(tmp_path, first, second, document({"token": "three"}, name="c"))
    assert kubeconfig.read(files).authorization == "Bearer two"
    assert kubeconfig.read(files, "a").authorization == "Bearer one"
    assert kubeconfig.read(files, "c").authorization == "Bearer three"


BEYOND: dict[str, Any] = {
    "a plugin": document({"exec": {"command": "login"}}),
    "a provider": document({"auth-provider": {"name": "oidc"}}),
    "no context of that name": document() | {"contexts": []},
    "no cluster of that name": document() | {"clusters": [{"name": "z", "cluster": {}}]},
    "no user of that name": document() | {"users": None},
    "a number for a token": document({"token": 5}),
    "no base64": document({"client-certificate-data": "*"}),
    "no context": document() | {"current-context": ""},
    "a list": [],
    "nothing": None,
}


@pytest.mark.parametrize("case", BEYOND)
def test_what_this_cannot_use_or_judge_is_left_to_kubernetes_own_code(tmp_path: Path, case: str) -> None:
    with pytest.raises(Beyond):
        kubeconfig.read(written(tmp_path, BEYOND[case]))


def test_the_context_that_is_meant_is_told_to_kubernetes_own_code(tmp_path: Path) -> None:
    files = written(tmp_path, document({"exec": {"command": "login"}}, name="b"), document(name="c"))
    with pytest.raises(Beyond) as caught:
        kubeconfig.read(files)
    assert caught.value.context == "b"


def certified(folder: Path, *, cipher: bool = False) -> dict[str, str]:
    """Return a user with a certificate of its own making, whose key may be enciphered."""
    key, certificate = folder / "key", folder / "crt"
    made = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-keyout",
        key,
        "-out",
        certificate,
        "-subj",
        "/CN=me",
    ]
    secret = ["-passout", "pass:word"] if cipher else ["-nodes"]
    subprocess.run(["openssl", "req", "-x509", *made, *secret], check=True, capture_output=True)
    data = {"client-certificate-data": certificate, "client-key-data": key}
    return {name: base64.b64encode(path.read_bytes()).decode() for name, path in data.items()}


def test_a_certificate_in_a_kubeconfig_is_used_and_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = written(tmp_path, document(certified(tmp_path)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "0"))
    found = asyncio.run(configuration.load(files))
    assert found.tls is not None
    assert [path.name for path in (tmp_path / "0").iterdir()] == ["config"]


@pytest.mark.parametrize("broken", ["enciphered", "none"])
def test_a_key_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, broken: str) -> None:
    user = certified(tmp_path, cipher=broken == "enciphered")
    if broken == "none":
        user["client-key-data"] = DATA
    with pytest.raises(ConfigurationError, match="client certificate in the kubeconfig cannot be used") as caught:
        asyncio.run(configuration.load(written(tmp_path, document(user))))
    assert "\n" not in str(caught.value)
