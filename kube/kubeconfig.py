"""Kubeconfigs as kubectl reads them: which files, which context, and users that prove themselves by what stands there.

Users of plugins and providers are left to `kubernetes`' own code, which takes longer to import than most commands run.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

Material: TypeAlias = "Path | bytes | None"
"""A certificate or a key in PEM: a file of it, itself, or none."""

# What a user is known by that this does not know how to use.
_BEYOND: Final = ("exec", "auth-provider")


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """What a context means. ``authorization`` is the header's value; ``token_file`` says that it came of a file."""

    server: str
    namespace: str = "default"
    authority: Material = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None
    certificate: Material = None
    key: Material = None
    authorization: str | None = None
    token_file: bool = False


class Beyond(Exception):  # noqa: N818  (it is no error)
    """The kubeconfig has, or is, something that only `kubernetes`' own code can use or judge.

    ``context`` is the one that is meant, as far as that could be told.
    """

    def __init__(self, context: str | None = None) -> None:
        super().__init__(context)
        self.context = context


def read(files: str, context: str | None = None) -> Kubeconfig:
    """Return what *context* (by default the current one) means in *files*, colon-separated as in KUBECONFIG.

    Of files that name the same, the first counts. Raises `Beyond`, also for what is broken, and OSError for files that
    cannot be read.
    """
    import yaml  # noqa: PLC0415  (a Pod has no kubeconfig)

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents: list[tuple[Path, dict[str, Any]]] = []
    for part in files.split(os.pathsep):
        path = Path(part).expanduser()
        if part and path.is_file():
            try:
                found = yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506  (one of the safe ones)
            except yaml.YAMLError as error:
                raise Beyond(context) from error
            documents.append((path.parent, _map(found, context)))
    if context is None:
        context = next((name for _, found in documents if (name := found.get("current-context"))), None)
    try:
        return _read(documents, _text(context))
    except (KeyError, TypeError, ValueError, UnicodeDecodeError, binascii.Error) as error:
        raise Beyond(context) from error


def _read(documents: list[tuple[Path, dict[str, Any]]], context: str) -> Kubeconfig:
    _, meant = _named(documents, "contexts", "context", context)
    folder, cluster = _named(documents, "clusters", "cluster", _text(meant["cluster"]))
    user: dict[str, Any] = {}
    home = folder
    if meant.get("user"):
        home, user = _named(documents, "users", "user", _text(meant["user"]))
    if any(user.get(key) for key in _BEYOND):
        raise Beyond(context)
    authorization, from_file = _authorization(user, home)
    return Kubeconfig(
        server=_text(cluster["server"]).rstrip("/"),
        namespace=_text(meant.get("namespace") or "default"),
        authority=_material(cluster, "certificate-authority", folder),
        verify=not cluster.get("insecure-skip-tls-verify", False),
        server_name=_optional(cluster, "tls-server-name"),
        proxy=_optional(cluster, "proxy-url"),
        certificate=_material(user, "client-certificate", home),
        key=_material(user, "client-key", home),
        authorization=authorization,
        token_file=from_file,
    )


def _named(documents: list[tuple[Path, dict[str, Any]]], kind: str, key: str, name: str) -> tuple[Path, dict[str, Any]]:
    """Return what is called *name*, and the folder that its paths start from. Raises KeyError where nothing is."""
    for folder, document in documents:
        for each in document.get(kind) or ():
            if each["name"] == name:
                return folder, _map(each.get(key) or {})
    raise KeyError(name)


def _authorization(user: dict[str, Any], home: Path) -> tuple[str | None, bool]:
    if file := _optional(user, "tokenFile"):
        return f"Bearer {(home / file).read_text(encoding='utf-8').strip()}", True
    if token := _optional(user, "token"):
        return f"Bearer {token.strip()}", False
    if (name := _optional(user, "username")) and (word := _optional(user, "password")):
        return f"Basic {base64.b64encode(f'{name}:{word}'.encode()).decode('ascii')}", False
    return None, False


def _material(found: dict[str, Any], key: str, folder: Path) -> Material:
    if data := _optional(found, f"{key}-data"):
        return base64.b64decode(data, validate=True)
    file = _optional(found, key)
    return folder / file if file else None


def _optional(found: dict[str, Any], key: str) -> str | None:
    value = found.get(key)
    return None if value in {None, ""} else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _map(value: Any, context: str | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Beyond(context)
    return value
