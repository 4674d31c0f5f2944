"""Letting go of all objects when KubeVMM is taken out of the cluster, though its own rights are among what is taken.

``kubectl delete -f yamls/`` deletes definitions, accounts and roles within a second. Each object has a finalizer that
somebody has to take away then: executors do not get to thousands, and those of nodes that are down to none. So the
controller keeps an account beside its own which is deleted last. It is in kube-system and belongs to our namespace:
the garbage collector takes it once that is gone, which is when this process has ended.

What runs on the nodes is no business of this: guests run on, and carry their marks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from controller.pods import LABEL
from controller.resources import (
    DEFINITIONS,
    DISKS,
    GUESTS,
    IMAGES,
    MANAGER,
    NAMESPACES,
    NETWORKS,
    OPERATIONS,
    PODS,
    POOLS,
    REPLICASETS,
    SNAPSHOTS,
)
from kube.apply import apply
from kube.client import Client
from kube.credentials import StaticCredentials
from kube.errors import ApiError, Conflict, Forbidden, NotFound, Unauthorized
from kube.object import Key, Object
from kube.pages import EVERYTHING, Selection, pages
from kube.resource import Resource
from kube.session import Session

if TYPE_CHECKING:
    from kube.configuration import Configuration

logger = logging.getLogger(__name__)

NAME: Final = "kubevmm-farewell"
"""The account, its role and its binding."""

HOME: Final = "kube-system"

OURS: Final = "kubevmm.io/"
"""What our finalizers begin with."""

KINDS: Final = (GUESTS, DISKS, IMAGES, SNAPSHOTS, NETWORKS, POOLS, OPERATIONS, REPLICASETS)

LIFE: Final = 3600
"""Seconds that a token is asked for; it is replaced when it is half as old."""

AGAIN: Final = 60.0
"""Seconds after which what failed is tried again."""

PATIENCE: Final = 90.0
"""Seconds that letting go may take; the Pod has a little more (``yamls/30-controller.yaml``)."""

HESITATES: Final = 15.0
"""Seconds to wait for the first definition to go, where the namespace goes or no answer comes: it may go alone."""

AT_ONCE: Final = 16
"""Requests under way."""

AFTER_FAILURE: Final = 0.5
"""Seconds to wait after an answer that was none."""

_ACCOUNTS: Final = Resource("", "v1", "ServiceAccount", "serviceaccounts")
_RBAC: Final = "rbac.authorization.k8s.io"
_ROLES: Final = Resource(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False)
_BINDINGS: Final = Resource(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)


class _Status(msgspec.Struct):
    token: str


class _TokenRequest(msgspec.Struct):
    status: _Status


class Farewell:
    """Keeps the account through *client*, and uses it at the API server of *configuration*, for *namespace*."""

    def __init__(self, client: Client, configuration: Configuration, namespace: str) -> None:
        self._client = client
        self._configuration = configuration
        self._namespace = namespace
        self._token = ""

    async def keep(self, stop: asyncio.Event) -> None:
        """Have the account and a token of it until *stop*."""
        while not stop.is_set():
            wait = LIFE / 2
            try:
                await self._prepare()
            except ApiError as error:
                # Also where it is not installed as yamls/ does it: then nothing is to be taken away like that.
                logger.log(
                    logging.DEBUG if isinstance(error, NotFound) else logging.WARNING, "%s is not made: %s", NAME, error
                )
                wait = AGAIN
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)

    async def part(self) -> None:
        """Let go of all objects if our namespace and their definitions are being deleted; else return at once."""
        if not self._token:
            return
        mine = replace(self._configuration, credentials=StaticCredentials(f"Bearer {self._token}"))
        try:
            async with asyncio.timeout(PATIENCE), Session(mine, rate=1000, burst=1000, timeout=10) as session:
                await _Parting(Client(session), self._namespace).run()
        except (ApiError, TimeoutError) as error:
            logger.warning("what is left is not let go of: %s", error or f"more than {PATIENCE:.0f} s")

    async def _prepare(self) -> None:
        owner = await self._client.get(NAMESPACES, Key("", self._namespace))
        reference = {"apiVersion": "v1", "kind": NAMESPACES.kind, "name": self._namespace, "uid": owner.uid}
        metadata = {"name": NAME, "labels": {"app.kubernetes.io/name": "kubevmm"}, "ownerReferences": [reference]}
        account = {"metadata": {**metadata, "namespace": HOME}, "automountServiceAccountToken": False}
        await apply(self._client, _ACCOUNTS, account, manager=MANAGER)
        await apply(self._client, _ROLES, {"metadata": metadata, "rules": rules(self._namespace)}, manager=MANAGER)
        bound = {
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": _ROLES.kind, "name": NAME},
            "subjects": [{"kind": _ACCOUNTS.kind, "name": NAME, "namespace": HOME}],
        }
        await apply(self._client, _BINDINGS, bound, manager=MANAGER)
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": LIFE},
        }
        answer = await self._client.session.request("POST", _ACCOUNTS.path(HOME, NAME, "token"), body=asked)
        self._token = msgspec.json.decode(answer, type=_TokenRequest).status.token


def rules(namespace: str) -> list[dict[str, Any]]:
    """Return what the account may do: the controller, whose namespace is *namespace*, may do all of it too."""
    plurals = [each.plural for each in KINDS]
    return [
        {"apiGroups": [GUESTS.group], "resources": plurals, "verbs": ["list", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]},
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [namespace], "verbs": ["get"]},
        {
            "apiGroups": [DEFINITIONS.group],
            "resources": [DEFINITIONS.plural],
            "resourceNames": [f"{plural}.{GUESTS.group}" for plural in plurals],
            "verbs": ["get"],
        },
    ]


class _Parting:
    """Takes our finalizers from the objects of definitions that go."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._leaves = False
        self._count = 0

    async def run(self) -> None:
        """Go on until all definitions are gone. Raises Forbidden or Unauthorized where the account itself is gone."""
        began, more = time.monotonic(), True
        while more and (self._leaves or time.monotonic() - began < HESITATES):
            try:
                more = await self._step()
            except (Forbidden, Unauthorized):
                raise
            except ApiError as error:
                # An API server that takes definitions away answers now and then that it is not ready for them.
                logger.debug("once more: %s", error)
                await asyncio.sleep(AFTER_FAILURE)
        if self._leaves:
            logger.info("KubeVMM is being taken away: let go of %d objects; guests run on", self._count)

    async def _step(self) -> bool:
        """Let go of what can be let go of now; return whether there may be more. Raises an `ApiError`."""
        if not await self._goes(NAMESPACES, self._namespace):
            return False
        going = [kind for kind in KINDS if await self._goes(DEFINITIONS, f"{kind.plural}.{kind.group}")]
        self._leaves = self._leaves or bool(going)
        before = self._count
        for kind in going:
            with contextlib.suppress(NotFound):
                await self._let_go(kind, EVERYTHING, deleted=True)
        if GUESTS in going:
            await self._let_go(PODS, Selection(labels=LABEL), deleted=False)
        if self._count > before:
            return True
        if len(going) == len(KINDS) and await self._gone():
            return False
        await asyncio.sleep(1)
        return True

    async def _goes(self, resource: Resource, name: str) -> bool:
        """Say whether what is called *name* is being deleted, or is gone."""
        try:
            return (await self._client.metadata(resource, Key("", name))).deleting
        except NotFound:
            return True

    async def _gone(self) -> bool:
        """Say whether none of our kinds has an object."""
        for kind in KINDS:
            with contextlib.suppress(NotFound):
                async for page in pages(self._client.session, kind, EVERYTHING, size=1):
                    if page.items:
                        return False
        return True

    async def _let_go(self, resource: Resource, selection: Selection, *, deleted: bool) -> None:
        """Take our finalizers from the objects, with *deleted* from those that are being deleted."""
        async for page in pages(self._client.session, resource, selection):
            held = [each for each in page.items if _ours(each) and (each.deleting or not deleted)]
            # Another controller may do the same: side by side, not one behind the other.
            random.shuffle(held)
            await asyncio.gather(*(self._free(resource, each) for each in held))

    async def _free(self, resource: Resource, found: Object) -> None:
        kept = [name for name in found.finalizers if not name.startswith(OURS)]
        metadata = {"resourceVersion": found.resource_version, "uid": found.uid, "finalizers": kept}
        async with self._turn:
            # What changed meanwhile is met again.
            with contextlib.suppress(NotFound, Conflict):
                await self._client.patch(resource, found.key, {"metadata": metadata})
                self._count += 1


def _ours(found: Object) -> bool:
    return any(name.startswith(OURS) for name in found.finalizers)


__all__ = ["HOME", "KINDS", "NAME", "Farewell", "rules"]
