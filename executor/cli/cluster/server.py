"""The cluster's API server, asked for as long as one verb lasts; what goes wrong is said as a person can use it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, TypeVar

from executor.cli.cluster import quick  # noqa: F401  (before all that imports aiohttp)
from executor.cluster.resources import RESOURCES
from executor.engine.objects import kind_of
from kube import configuration
from kube.client import Client
from kube.errors import ApiError, Forbidden, NotFound, Unauthorized, Unreachable
from kube.object import Key, Object
from kube.session import Session
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from kube.resource import Resource

    T = TypeVar("T")

GUESTS: Final = RESOURCES["VirtualMachine"]
NODES: Final = RESOURCES["VirtualMachineNode"]

MANAGER: Final = "kubectl-virt"
"""The field manager of what a person changes."""

_INSTALL: Final = "`kubectl apply -f yamls/` installs KubeVMM in a cluster"


@dataclass(frozen=True)
class Server:
    """The API server at *url* through ``client``; ``namespace`` is the one that is meant."""

    client: Client
    namespace: str
    url: str


def ask(context: str, kubeconfig: str, namespace: str | None, work: Callable[[Server], Awaitable[T]]) -> T:
    """Return what *work* returns, which is given the API server. Raises KubevmmError, with what to do."""

    async def run() -> T:
        async with _opened(context, kubeconfig, namespace) as server:
            return await work(server)

    # A reflector's complaints are told as they concern a person, or not at all.
    logger = logging.getLogger("kube")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return asyncio.run(run())
    finally:
        logger.setLevel(before)


@asynccontextmanager
async def _opened(context: str, kubeconfig: str, namespace: str | None) -> AsyncIterator[Server]:
    try:
        found = await configuration.load(kubeconfig or None, context or None)
    except configuration.ConfigurationError as error:
        if context and f" {context} " in str(error):
            hint = "`kubectl config get-contexts` lists those that there are"
            raise KubevmmError(f"the kubeconfig has no context {context}", hint=hint) from None
        raise
    async with Session(
        found, rate=200, burst=400, user_agent=f"kubectl-virt/{version('kubevmm')}", measured=False
    ) as session:
        try:
            yield Server(Client(session), namespace or found.namespace, found.server)
        except ApiError as error:
            raise explained(error, found.server) from None


def explained(error: ApiError, url: str) -> KubevmmError:
    """Return *error*, which the API server at *url* gave, with what a person can do about it."""
    said = str(error)
    if isinstance(error, Unreachable):
        hint = error.hint or "is it up, and is it the cluster that you mean? `kubectl cluster-info` tries it too"
        return KubevmmError(f"the API server {url} does not answer: {said.partition(': ')[2] or said}", hint=hint)
    if isinstance(error, Unauthorized):
        return KubevmmError(
            f"the API server {url} does not take the kubeconfig's credentials",
            hint="they may have expired: log in to the cluster again; `kubectl auth whoami` tries them too",
        )
    if isinstance(error, Forbidden):
        hint = "the ClusterRoles kubevmm-view and kubevmm-edit allow it: ask who runs the cluster for a binding"
        return KubevmmError(said, hint=hint)
    if isinstance(error, NotFound) and "page not found" in said:
        return KubevmmError(f"the API server {url} does not know this kind of objects", hint=_INSTALL)
    if isinstance(error, NotFound) and said.startswith("the server could not find the requested resource"):
        return KubevmmError(f"the API server {url} does not know this kind of objects", hint=_INSTALL)
    return error if error.hint else KubevmmError(said)


async def get(server: Server, kind: str, name: str) -> Object:
    """Return the object. Raises KubevmmError where it is not there, with where it may be."""
    resource = RESOURCES[kind]
    try:
        return await server.client.get(resource, key(server, resource, name))
    except NotFound as error:
        if "page not found" in str(error):
            raise
        raise absent(server, kind, name) from None


def key(server: Server, resource: Resource, name: str) -> Key:
    """Return the key of the object *name* in the namespace that is meant."""
    return Key(server.namespace if resource.namespaced else "", name)


def absent(server: Server, kind: str, name: str) -> KubevmmError:
    """Return the error for an object that is not there."""
    found = kind_of(kind)
    short, namespaced = (found.short, found.namespaced) if found is not None else (kind.lower(), True)
    where = f" in the namespace {server.namespace}" if namespaced else ""
    return KubevmmError(
        f"{kind.lower()}/{name} is not found{where}",
        hint=f"`kubectl virt get {short}{' -A' if namespaced else ''}` lists all that is there",
    )
