"""Where the API server is and how to be trusted by it: a Pod's service account, or a kubeconfig.

Credential plugins and providers of a kubeconfig are left to `kubernetes`' own code. Without it a process is 20 MiB
smaller and starts in half the time, so it is imported only where there is such a user.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from kube import kubeconfig
from kube.credentials import TOKEN_FILE_LIFE, Credentials, LoadedCredentials, StaticCredentials, TokenFile
from kube.kubeconfig import Kubeconfig
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kubeconfig import Material

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


async def load(path: str | Path | None = None, context: str | None = None) -> Configuration:
    """Return the configuration that is meant, by the rules of kubectl.

    That is the file that is named, else ``KUBECONFIG``, else the Pod's service account, else ``~/.kube/config``.

    Raises `ConfigurationError`.
    """
    named = str(path or os.environ.get("KUBECONFIG", ""))
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
    tls = _context(service_account / "ca.crt", verify=True)
    return Configuration(server, namespace, tls, credentials=TokenFile(service_account / "token"))


async def from_kubeconfig(files: str, context: str | None = None) -> Configuration:
    """Return the configuration of *context* (by default the current one) in *files*, colon-separated as in KUBECONFIG.

    Raises `ConfigurationError`.
    """
    if not _any_file(files):
        hint = "set KUBECONFIG, or name one with --kubeconfig"
        raise ConfigurationError(f"there is no kubeconfig at {files}", hint=hint)
    found, life = await _load(files, context)
    tls = None
    if found.server.startswith("https"):
        tls = _context(found.authority, verify=found.verify)
        _certify(tls, found)

    async def again() -> tuple[str | None, float | None]:
        fresh, life = await _load(files, context)
        if tls is not None:
            # New connections take the new certificate; those that are open keep the one that they were made with.
            _certify(tls, fresh)
        return fresh.authorization, life

    return Configuration(
        server=found.server,
        namespace=found.namespace,
        tls=tls,
        server_name=found.server_name,
        proxy=found.proxy or _proxy_of_environment(found.server),
        credentials=LoadedCredentials(again, (found.authorization, life)),
    )


def _any_file(files: str) -> bool:
    return any(Path(part).expanduser().is_file() for part in files.split(os.pathsep) if part)


async def _load(files: str, context: str | None) -> tuple[Kubeconfig, float | None]:
    """Return what *context* means, and for how many seconds its credential is good."""
    try:
        found = kubeconfig.read(files, context)
    except kubeconfig.Beyond as beyond:
        return await _load_beyond(files, beyond.context)
    except OSError as error:
        raise ConfigurationError(f"{files}: {error}", hint="see that kubectl can use it") from error
    return found, TOKEN_FILE_LIFE if found.token_file else None


async def _load_beyond(files: str, context: str | None) -> tuple[Kubeconfig, float | None]:
    """Return what `kubernetes` makes of it, or its complaint."""
    import yaml  # noqa: PLC0415  (few need either)
    from kubernetes.aio import client  # noqa: PLC0415
    from kubernetes.aio import config as loading  # noqa: PLC0415

    made = client.Configuration()
    try:
        loader = await loading.load_kube_config(files, context, client_configuration=made)
    except (loading.ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        # The library meets some broken files with whatever exception it stumbles over.
        said = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(f"{files}: {said}", hint="see that kubectl can use it") from error
    header = made.api_key.get("BearerToken")
    user = loader._user  # noqa: SLF001  (the library has no public way to ask)
    plugin = user["exec"]["command"] if user is not None and "exec" in user else None
    if plugin is not None and header is None and not made.cert_file:
        raise ConfigurationError(f"{files}: the credential plugin {plugin} gave no credential", hint=f"run {plugin}")
    found = Kubeconfig(
        server=made.host,
        namespace=loader.current_context["context"].get("namespace") or "default",
        authority=Path(made.ssl_ca_cert) if made.ssl_ca_cert else None,
        verify=made.verify_ssl,
        server_name=made.tls_server_name or None,
        proxy=made.proxy or None,
        certificate=Path(made.cert_file) if made.cert_file else None,
        key=Path(made.key_file) if made.key_file else None,
        authorization=header.strip() if header else None,
    )
    return found, _life(getattr(loader, "exec_plugin_expiry", None))


def _life(expires: datetime | None) -> float | None:
    if expires is None:
        return None
    return max((expires - datetime.now(tz=UTC)).total_seconds() - BEFORE_EXPIRY, 1.0)


def _context(authority: Material, *, verify: bool) -> ssl.SSLContext:
    try:
        if isinstance(authority, bytes):
            context = ssl.create_default_context(cadata=authority.decode("ascii"))
        else:
            context = ssl.create_default_context(cafile=authority)
    except (OSError, ValueError, ssl.SSLError) as error:
        where = authority if isinstance(authority, Path) else "in the kubeconfig"
        raise ConfigurationError(f"the certificate authority {where} cannot be read: {error}") from error
    # Go's clients do not ask for it, and clusters' certificates are made for those.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _certify(tls: ssl.SSLContext, found: Kubeconfig) -> None:
    if found.certificate is None:
        return
    try:
        with ExitStack() as stack:
            certificate, key = (_as_file(each, stack) for each in (found.certificate, found.key))
            # A key that is enciphered is refused; without this, OpenSSL would ask for its password on the terminal.
            tls.load_cert_chain(str(certificate), key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        where = found.certificate if isinstance(found.certificate, Path) else "in the kubeconfig"
        raise ConfigurationError(f"the client certificate {where} cannot be used: {error}") from error


def _as_file(material: Material, stack: ExitStack) -> str | None:
    """Return a file with *material*, which OpenSSL reads from files alone; its owner alone can read it, and it goes."""
    if not isinstance(material, bytes):
        return str(material) if material is not None else None
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115  (the stack is its context)
    stack.enter_context(file)
    file.write(material)
    file.flush()
    return file.name


def _proxy_of_environment(server: str) -> str | None:
    url = urlsplit(server)
    if urllib.request.proxy_bypass(url.netloc):
        return None
    return urllib.request.getproxies().get(url.scheme)
