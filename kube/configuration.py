"""Where the API server is and how to be trusted by it: a Pod's service account, or a kubeconfig.

A kubeconfig is read by `kubernetes`' own code, which knows its files, plugins and providers. A Pod needs none of that,
and without it a process is 20 MiB smaller, so it is imported only where there is a kubeconfig.
"""

from __future__ import annotations

import os
import ssl
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from kube.credentials import TOKEN_FILE_LIFE, Credentials, LoadedCredentials, StaticCredentials, TokenFile
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# A plugin's credential is asked for anew this many seconds before it ends.
BEFORE_EXPIRY: Final = 60.0


class ConfigurationError(KubevmmError):
    """It is not known where the API server is, or how to be trusted by it."""


@dataclass(slots=True)
class Configuration:
    """``server`` is the API server's URL, ``namespace`` the one that is meant where none is named.

    ``tls`` is None for plain HTTP. ``server_name`` is the name that the certificate must have, where that is not the
    URL's. ``proxy`` is an HTTP proxy's URL.
    """

    server: str
    namespace: str = "default"
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    proxy: str | None = None
    credentials: Credentials = field(default_factory=StaticCredentials)


async def load(kubeconfig: str | Path | None = None, context: str | None = None) -> Configuration:
    """Return the configuration that is meant, by the rules of kubectl.

    That is the file that is named, else ``KUBECONFIG``, else the Pod's service account, else ``~/.kube/config``.

    Raises `ConfigurationError`.
    """
    named = str(kubeconfig or os.environ.get("KUBECONFIG", ""))
    if not named and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return in_cluster()
    return await from_kubeconfig(named or str(Path.home() / ".kube" / "config"), context)


def in_cluster(environment: Mapping[str, str] | None = None, service_account: Path = SERVICE_ACCOUNT) -> Configuration:
    """Return the configuration of a process in a Pod. Raises `ConfigurationError` where it is in none."""
    environment = os.environ if environment is None else environment
    try:
        host, port = environment["KUBERNETES_SERVICE_HOST"], environment["KUBERNETES_SERVICE_PORT"]
    except KeyError as error:
        raise ConfigurationError(f"{error.args[0]} is not set: this is no Pod", hint="name a kubeconfig") from None
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        namespace = (service_account / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = "default"
    tls = _context(str(service_account / "ca.crt"), verify=True)
    return Configuration(server, namespace, tls, credentials=TokenFile(service_account / "token"))


async def from_kubeconfig(files: str, context: str | None = None) -> Configuration:
    """Return the configuration of *context* (by default the current one) in *files*, colon-separated as in KUBECONFIG.

    Raises `ConfigurationError`.
    """
    if not _any_file(files):
        hint = "set KUBECONFIG, or name one with --kubeconfig"
        raise ConfigurationError(f"there is no kubeconfig at {files}", hint=hint)
    loaded, user, namespace = await _load(files, context)
    tls = None
    if loaded.host.startswith("https"):
        tls = _context(loaded.ssl_ca_cert, verify=loaded.verify_ssl)
        _certify(tls, loaded)

    async def again() -> tuple[str | None, float | None]:
        fresh, user, _ = await _load(files, context)
        if tls is not None:
            # New connections take the new certificate; those that are open keep the one that they were made with.
            _certify(tls, fresh)
        return _header(fresh), _life(user)

    return Configuration(
        server=loaded.host,
        namespace=namespace,
        tls=tls,
        server_name=loaded.tls_server_name or None,
        proxy=loaded.proxy or _proxy_of_environment(loaded.host),
        credentials=LoadedCredentials(again, (_header(loaded), _life(user))),
    )


def _any_file(files: str) -> bool:
    return any(Path(part).expanduser().is_file() for part in files.split(os.pathsep) if part)


@dataclass(frozen=True, slots=True)
class _User:
    plugin: str | None
    expires: datetime | None
    token_file: bool


async def _load(files: str, context: str | None) -> tuple[Any, _User, str]:
    """Return what `kubernetes` made of it, what kind of user it is, and the context's namespace."""
    import yaml  # noqa: PLC0415  (a Pod needs neither)
    from kubernetes.aio import client  # noqa: PLC0415
    from kubernetes.aio import config as loading  # noqa: PLC0415

    made = client.Configuration()
    try:
        loader = await loading.load_kube_config(files, context, client_configuration=made)
    except (loading.ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        # The library meets some broken files with whatever exception it stumbles over.
        said = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(f"{files}: {said}", hint="see that kubectl can use it") from error
    found = loader._user  # noqa: SLF001  (the library has no public way to ask)
    user = found if found is not None else {}
    plugin = user["exec"]["command"] if "exec" in user else None
    if plugin is not None and _header(made) is None and not made.cert_file:
        raise ConfigurationError(f"{files}: the credential plugin {plugin} gave no credential", hint=f"run {plugin}")
    namespace = loader.current_context["context"].get("namespace") or "default"
    token_file = "tokenFile" in user and "token" not in user
    return made, _User(plugin, getattr(loader, "exec_plugin_expiry", None), token_file), namespace


def _header(loaded: Any) -> str | None:
    value = loaded.api_key.get("BearerToken")
    return value.strip() if value else None


def _life(user: _User) -> float | None:
    if user.token_file:
        return TOKEN_FILE_LIFE
    if user.expires is None:
        return None
    return max((user.expires - datetime.now(tz=UTC)).total_seconds() - BEFORE_EXPIRY, 1.0)


def _context(ca_file: str | None, *, verify: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the certificate authority {ca_file} cannot be read: {error}") from error
    # Go's clients do not ask for it, and clusters' certificates are made for those.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _certify(tls: ssl.SSLContext, loaded: Any) -> None:
    if not loaded.cert_file:
        return
    try:
        tls.load_cert_chain(loaded.cert_file, loaded.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the client certificate {loaded.cert_file} cannot be used: {error}") from error


def _proxy_of_environment(server: str) -> str | None:
    url = urlsplit(server)
    if urllib.request.proxy_bypass(url.netloc):
        return None
    return urllib.request.getproxies().get(url.scheme)
