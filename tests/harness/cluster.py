"""A whole Kubernetes cluster for tests: the control plane with its controllers and its scheduler, and real nodes."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.harness import images
from tests.harness.build import CONTROL_PLANE, build, required
from tests.harness.controlplane import ControlPlane
from tests.harness.errors import HarnessError, last_lines
from tests.harness.node import Node, check_machine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

CLUSTER = (*CONTROL_PLANE, "kube-controller-manager", "kube-scheduler", "kubelet")
SERVICES = "10.0.0.0/24"
# yamls/ run a second one, from its usual image.
SCHEDULER = "registry.k8s.io/kube-scheduler"


@dataclass(frozen=True)
class Machine:
    """One node to be: its name, and by where they are to be on it, further folders of this machine."""

    name: str
    stands: dict[str, Path] = field(default_factory=dict)


class Cluster(ControlPlane):
    """A context manager that is a `ControlPlane` whose controllers and scheduler run, with ``nodes`` that are Ready.

    ``images`` are archives of images that every node is given, beside kube-scheduler's; ``scheduler_arguments`` come
    after the harness's own.
    While it runs: ``nodes`` by name, ``controllers`` and ``scheduler`` (`Server`). Entering raises `HarnessError` with
    one line on what this machine lacks, before anything is built.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        machines: Sequence[Machine] = (Machine("node-1"),),
        images: Sequence[Path] = (),
        scheduler_arguments: Sequence[str] = (),
        binaries: Path | None = None,
        timeout: float = 120.0,
    ) -> None:
        users = {f"system:node:{machine.name}": ["system:nodes"] for machine in machines}
        users |= {"system:kube-controller-manager": [], "system:kube-scheduler": []}
        super().__init__(folder, binaries=binaries, users=users, timeout=timeout)
        self._machines = machines
        self._images = images
        self._scheduler_arguments = tuple(scheduler_arguments)
        self._stack = contextlib.ExitStack()
        self.nodes: dict[str, Node] = {}

    def __enter__(self) -> Self:
        if self._machines:
            check_machine()
        if self._binaries is None:
            self._binaries = build(CLUSTER)
        super().__enter__()
        try:
            name = f"{SCHEDULER}:{required('k8s.io/kubernetes')}"
            scheduler = images.single(self.folder / "kube-scheduler.tar", name, self.program("kube-scheduler"))
            for machine in self._machines:
                node = Node(
                    self, self.folder / machine.name, name=machine.name, stands=machine.stands, timeout=self._timeout
                )
                self.nodes[machine.name] = self._stack.enter_context(node)
                for image in (*self._images, scheduler):
                    node.import_image(image)
            self._wait_for_accounts()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
        super().__exit__(kind, error, traceback)

    @property
    def kubelet_client_certificate(self) -> Path:
        """Return the certificate (PEM) with which the API server comes to a kubelet."""
        return self.folder / "kubelet-client.crt"

    def _write_credentials(self) -> None:
        super()._write_credentials()
        key = self.folder / "kubelet-client.key"
        _self_signed(self.kubelet_client_certificate, key)
        self._apiserver_arguments += (
            f"--kubelet-client-certificate={self.kubelet_client_certificate}",
            f"--kubelet-client-key={key}",
            "--kubelet-preferred-address-types=InternalIP",
        )

    def _start_once(self) -> None:
        super()._start_once()
        for name, arguments in (
            ("kube-controller-manager", self._controllers_arguments()),
            ("kube-scheduler", list(self._scheduler_arguments)),
        ):
            file = self.folder / f"{name}.kubeconfig"
            self.write_kubeconfig(file, f"system:{name}")
            # Nobody asks them anything, so they need not listen.
            common = [f"--kubeconfig={file}", "--leader-elect=false", "--secure-port=0"]
            self._serve(name, [*common, *arguments])

    def _controllers_arguments(self) -> list[str]:
        return [
            f"--service-account-private-key-file={self.folder / 'service-accounts.key'}",
            f"--root-ca-file={self.ca_file}",
            f"--service-cluster-ip-range={SERVICES}",
            "--use-service-account-credentials=true",
        ]

    def _wait_for_accounts(self) -> None:
        """Wait until the controllers work: without its namespace's service account a Pod is refused."""
        deadline = time.monotonic() + self._timeout
        while self.kubectl("get", "serviceaccount", "default", "-n", "default", check=False).returncode != 0:
            for server in self.servers:
                if (code := server.exit_code()) is not None:
                    raise HarnessError(f"{server.name} ended with {code} ({server.log}):{last_lines(server.log)}")
            if time.monotonic() > deadline:
                raise HarnessError(f"no service accounts were made in {self._timeout:.0f} s")
            time.sleep(0.2)

    def _stop(self) -> None:
        self._stack.close()
        super()._stop()


def _self_signed(certificate: Path, key: Path) -> None:
    """Write a new key and a certificate that vouches for itself, of an administrator."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = "/O=system:masters/CN=kube-apiserver-kubelet-client"
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    try:
        subprocess.run(
            [*command, "-days", "3650", "-subj", subject, "-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise HarnessError("openssl is not installed", hint="install the package openssl") from error
    except subprocess.CalledProcessError as error:
        raise HarnessError(f"openssl made no certificate:{last_lines(error.stderr)}") from error
