"""A real Kubernetes API for tests: etcd and kube-apiserver on loopback, and the kubectl of the same version."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.harness.build import build
from tests.harness.credentials import kubeconfig, private_key, token_file
from tests.harness.errors import HarnessError, last_lines
from tests.harness.server import Server, free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

# Ports are found free and then let go of, so another process may take one before the server does.
START_ATTEMPTS = 3


class ControlPlane:
    """A context manager that is a running API server.

    ``folder`` keeps the logs, kubeconfig and credentials (by default a temporary one that is removed at the end, unless
    the start failed); ``binaries`` is what `tests.harness.build.build` returned (by default it is called);
    ``apiserver_arguments`` come after the harness's own, so they win; ``users`` has further users of the server and
    their groups; ``timeout`` is how many seconds each attempt to start may take. Entering raises `HarnessError` with
    the end of the log of what did not start.

    While it runs: ``url`` ("https://127.0.0.1:PORT"), ``token`` (an administrator's bearer token), ``ca_file`` (PEM),
    ``kubeconfig`` (a file with the three) and ``servers``. No controller runs: nothing makes service accounts, collects
    garbage or finishes deleting a namespace.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        binaries: Path | None = None,
        apiserver_arguments: Sequence[str] = (),
        users: Mapping[str, Sequence[str]] | None = None,
        timeout: float = 120.0,
    ) -> None:
        self._given_folder = folder
        self._binaries = binaries
        self._apiserver_arguments = tuple(apiserver_arguments)
        self._users = {"admin": ["system:masters"], **(users or {})}
        self._timeout = timeout
        self.servers: list[Server] = []
        self._arguments: dict[str, Sequence[str]] = {}
        self.tokens = {user: secrets.token_urlsafe(32) for user in self._users}
        self.token = self.tokens["admin"]
        self.url = ""

    def __enter__(self) -> Self:
        if self._binaries is None:
            self._binaries = build()
        # Absolute, since servers and kubectl run in other working directories.
        self.folder = (self._given_folder or Path(tempfile.mkdtemp(prefix="kubevmm-controlplane-"))).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = self.folder / "certificates" / "apiserver.crt"
        self.kubeconfig = self.folder / "kubeconfig"
        try:
            self._write_credentials()
            self._start()
        except BaseException:
            # Also on Ctrl-C: nobody will call __exit__.
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()
        if self._given_folder is None:
            shutil.rmtree(self.folder)

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 -- as subprocess.run, whose result this returns, names it
        check: bool = True,
        timeout: float = 300.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator with ``input`` on its stdin, and return what it wrote as text.

        Raises `HarnessError` with its stderr when it fails and ``check`` is true, or when it takes more than
        ``timeout`` seconds.
        """
        # A person's own kubeconfig, kuberc, plugins and discovery cache stay out of it.
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "KUBECONFIG": str(self.kubeconfig)}
        try:
            result = subprocess.run(
                [self.program("kubectl"), *arguments],
                input=input or "",
                env=environment,
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise HarnessError(f"kubectl {' '.join(arguments)} took more than {timeout:.0f} s") from error
        if check and result.returncode != 0:
            message = f"kubectl {' '.join(arguments)} ended with {result.returncode}:{last_lines(result.stderr)}"
            raise HarnessError(message)
        return result

    def kill(self, name: str) -> None:
        """Kill the server *name* ("etcd" or "kube-apiserver") as a crash would."""
        (server,) = [server for server in self.servers if server.name == name]
        server.kill()
        self.servers.remove(server)

    def revive(self, name: str) -> None:
        """Start a server that was killed, as it was, and wait until the API is ready. Raises `HarnessError`."""
        self._serve(name, self._arguments[name])
        # As they were started first: they are stopped in reverse.
        self.servers.sort(key=lambda server: list(self._arguments).index(server.name))
        self._wait_until_ready()

    def write_kubeconfig(self, path: Path, user: str = "admin", *, url: str = "") -> None:
        """Write a kubeconfig, for its owner alone to read, for one of the users, who finds the server at ``url``."""
        config = kubeconfig(url=url or self.url, token=self.tokens[user], ca=self.ca_file.read_bytes())
        _write_private(path, json.dumps(config, indent=2))

    def restart(self, name: str) -> None:
        """Kill a server, as a crash would, and start it again as it was. Raises `HarnessError`."""
        self.kill(name)
        self.revive(name)

    def compact(self) -> None:
        """Have etcd forget every version but the newest, as it does of itself after a while.

        What the API server still has in its memory it forgets when it is started anew.
        """
        url = next(word for word in self._arguments["kube-apiserver"] if word.startswith("--etcd-servers=")).partition(
            "="
        )
        found = self._etcd(url[2], "range", {"key": "AA=="})
        self._etcd(url[2], "compaction", {"revision": found["header"]["revision"], "physical": True})

    @staticmethod
    def _etcd(url: str, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask etcd's gateway, which speaks JSON."""
        request = urllib.request.Request(f"{url}/v3/kv/{verb}", data=json.dumps(body).encode())  # noqa: S310  (ours)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def program(self, name: str) -> Path:
        """Return the path of one of the commands that were built."""
        if self._binaries is None:
            raise HarnessError("the control plane has not been started", hint="use it in a with statement")
        return self._binaries.absolute() / name

    def _write_credentials(self) -> None:
        for name, text in (
            ("tokens.csv", token_file(self.tokens, self._users)),
            ("service-accounts.key", private_key()),
        ):
            _write_private(self.folder / name, text)

    def _start(self) -> None:
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._start_once()
            except HarnessError:
                self._stop()
                taken = any("address already in use" in last_lines(log) for log in self.folder.glob("*.log"))
                if not taken or attempt == START_ATTEMPTS:
                    raise
            else:
                return

    def _start_once(self) -> None:
        client, peer, secure = free_ports(3)
        # A certificate of an earlier attempt or run in this folder would pass for this one's.
        shutil.rmtree(self.ca_file.parent, ignore_errors=True)
        self._serve("etcd", _etcd_arguments(self.folder / "etcd", client, peer))
        arguments = [*_apiserver_arguments(self.folder, client, secure), *self._apiserver_arguments]
        self._serve("kube-apiserver", arguments)
        self.url = f"https://127.0.0.1:{secure}"
        self._wait_until_ready()
        self.write_kubeconfig(self.kubeconfig)

    def _serve(self, name: str, arguments: Sequence[str]) -> None:
        self._arguments[name] = arguments
        self.servers.append(Server(self.program(name), arguments, log=self.folder / f"{name}.log"))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._timeout
        while not self._is_ready():
            for server in self.servers:
                if (code := server.exit_code()) is not None:
                    raise HarnessError(f"{server.name} ended with {code} ({server.log}):{last_lines(server.log)}")
            if time.monotonic() > deadline:
                server = self.servers[-1]
                message = (
                    f"{server.name} was not ready in {self._timeout:.0f} s ({server.log}):{last_lines(server.log)}"
                )
                raise HarnessError(message)
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        """Ask /readyz with the checks that a client makes, so that what is ready is also reachable and trusted."""
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310 -- the URL is ours
        # Loopback must not go through the proxy that the environment may name.
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
            with opener.open(request, timeout=5) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            # Not there yet: no certificate, no listener, or 500 while a post-start hook runs.
            return False

    def _stop(self) -> None:
        # In reverse: an API server without etcd would try again until it is killed.
        while self.servers:
            self.servers.pop().stop()
        # The write-ahead log alone is 64 MB and tells nobody anything.
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)


def _etcd_arguments(data: Path, client: int, peer: int) -> list[str]:
    client_url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return [
        "--name=test",
        f"--data-dir={data}",
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=test={peer_url}",
        # What is lost in a power cut is a test's.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver_arguments(folder: Path, etcd: int, secure: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={secure}",
        # Loopback is refused as the address to advertise; this one is for documentation (RFC 5737) and leads nowhere.
        "--advertise-address=192.0.2.1",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'service-accounts.key'}",
        f"--service-account-signing-key-file={folder / 'service-accounts.key'}",
        "--allow-privileged=true",
    ]


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)
