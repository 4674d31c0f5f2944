"""Acts on a cluster's guests: a VirtualMachineOperation for each, which is waited for."""

from __future__ import annotations

import secrets
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from analyser.names import GROUP
from executor.cli import messages
from executor.cli.cluster.server import GUESTS, MANAGER, Server, ask, explained, get
from executor.cli.cluster.watching import until
from executor.cli.targets import names as named
from executor.cluster.resources import RESOURCES
from kube.errors import AlreadyExists, ApiError
from kube.object import Key
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPERATIONS: Final = RESOURCES["VirtualMachineOperation"]
OVER: Final = frozenset({"Succeeded", "Failed"})
LABEL: Final = "app.kubernetes.io/created-by"


def operate(
    words: Sequence[str],
    kind: str,
    *,
    spec: Mapping[str, Any] | None = None,
    patience: float | None,
    where: tuple[str, str, str | None],
) -> int:
    """Have *kind* done to the guests that *words* name, and wait *patience* seconds until it is; None: do not wait.

    *where* is context, kubeconfig and namespace. Each guest's outcome is a line on standard output, an error one on
    standard error. Returns the exit code.
    """
    found = named(list(words))
    context, kubeconfig, namespace = where

    async def work(server: Server) -> int:
        code, made = 0, []
        for name in found:
            try:
                made.append((name, await _make(server, name, kind, spec or {})))
            except KubevmmError as error:
                messages.failure(explained(error, server.url) if isinstance(error, ApiError) else error)
                code = 1
        end = time.monotonic() + (patience or 0.0)
        for name, operation in made:
            if patience is None:
                _say(name, f"is to do: {kind} ({operation})")
            else:
                code = max(code, await _wait(server, name, operation, max(0.0, end - time.monotonic())))
        return code

    return ask(context, kubeconfig, namespace, work)


async def _make(server: Server, name: str, kind: str, spec: Mapping[str, Any]) -> str:
    """Make the operation, and return its name."""
    guest = await get(server, GUESTS.kind, name)
    # Named here and not by the server: what is sent twice is one all the same.
    operation = f"{name[:200]}-{kind.lower()}-{secrets.token_hex(4)}"
    body = {
        "apiVersion": GROUP,
        "kind": OPERATIONS.kind,
        "metadata": {"name": operation, "namespace": server.namespace, "labels": {LABEL: MANAGER}},
        "spec": {"type": kind, "virtualMachineRef": {"name": name, "uid": guest.uid}, **spec},
    }
    try:
        await server.client.create(OPERATIONS, body)
    except AlreadyExists:
        return operation
    return operation


async def _wait(server: Server, name: str, operation: str, patience: float) -> int:
    status: Mapping[str, Any] = {}
    there = True

    def over(found: dict[str, Any] | None) -> bool:
        nonlocal status, there
        there = found is not None
        status = (found or {}).get("status") or status
        return not there or status.get("phase") in OVER

    await until(server, OPERATIONS, Key(server.namespace, operation), over, patience)
    said = str(status.get("message") or "")
    if status.get("phase") == "Succeeded":
        _say(name, said)
        return 0
    if status.get("phase") == "Failed":
        messages.error(f"virtualmachine/{name}: {said}", hint=f"`kubectl describe vmop {operation}` tells more")
    elif not there:
        messages.error(
            f"virtualmachine/{name}: somebody deleted {operation}", hint="what had begun is brought to its end"
        )
    else:
        said = said or "the controller has not looked at it: does it run?"
        messages.error(
            f"virtualmachine/{name}: not over in time: {said}",
            hint=f"`kubectl wait vmop/{operation} --for=condition=Complete` waits on; `kubectl delete` takes back what "
            "has not begun",
        )
    return 1


def _say(name: str, what: str) -> None:
    sys.stdout.write(messages.one_line(f"virtualmachine/{name} {what}") + "\n")
    sys.stdout.flush()
