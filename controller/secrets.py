"""Which Secrets each node may read: those that its guests, pools and images refer to, by a Role in each namespace.

The Roles are for the nodes' own accounts, which are in a namespace of their own. A Role names Secrets one by one; the
controller, which reads none of them itself, may write no other Role (``yamls/52-node-accounts.yaml``).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from controller.resources import GUESTS, IMAGES, NAMESPACES, NODES, POOLS
from kube.apply import apply
from kube.builder import Builder
from kube.errors import NotFound
from kube.object import Key
from kube.pages import Selection
from kube.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kube.client import Client
    from kube.controller import Result
    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta, Store

logger = logging.getLogger(__name__)

ACCOUNTS: Final = Resource("", "v1", "ServiceAccount", "serviceaccounts")
ROLES: Final = Resource("rbac.authorization.k8s.io", "v1", "Role", "roles")
BINDINGS: Final = Resource("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")

NAMESPACE: Final = "kubevmm-nodes"
"""Where the nodes' accounts are, and nothing else."""

NODE: Final = "kubevmm.io/node"
"""The label of Roles and bindings that are a node's. It says no more: a node's name may be too long for a label."""

PREFIX: Final = "kubevmm-node-"
MANAGER: Final = "kubevmm-controller"
BY_NODE: Final = "secrets"
_MARK: Final = b'ecretRef"'
_OURS: Final = Selection(labels=NODE)
_HOME: Final = Selection(fields=f"metadata.name={NAMESPACE}")


class SecretsReconciler:
    """Reconciles nodes: their accounts, and what these may read."""

    def __init__(self, manager: Manager, client: Client) -> None:
        self._client = client
        self._nodes = manager.cache(NODES)
        self._home = manager.cache(NAMESPACES, _HOME)
        self._accounts = manager.cache(ACCOUNTS, Selection(namespace=NAMESPACE))
        self._roles = manager.cache(ROLES, _OURS)
        self._bindings = manager.cache(BINDINGS, _OURS)
        self._users = [manager.cache(each) for each in (GUESTS, POOLS, IMAGES)]
        for store in self._users:
            store.add_index(BY_NODE, nodes_of)
        self._roles.add_index(BY_NODE, _named)

    async def reconcile(self, key: Key) -> Result | None:
        """Let the node *key* read what it needs, and nothing else."""
        node = key.name
        there = self._nodes.get(key) is not None
        wanted: dict[str, set[str]] = {}
        if there:
            try:
                await self._account(node)
            except NotFound:
                logger.warning(
                    "there is no namespace %s: executors read Secrets as what they themselves may", NAMESPACE
                )
                return None
            for store in self._users:
                for found in store.by(BY_NODE, node):
                    wanted.setdefault(found.key.namespace, set()).update(secrets_of(found))
        for namespace, names in sorted(wanted.items()):
            await self._allow(node, namespace, sorted(names))
        for role in list(self._roles.by(BY_NODE, node)):
            if role.key.namespace not in wanted:
                await self._forbid(role.key)
        if not there:
            await self._gone(ACCOUNTS, Key(NAMESPACE, node), self._accounts)
        return None

    async def _account(self, node: str) -> None:
        found = self._accounts.get(Key(NAMESPACE, node))
        body = {"metadata": {"name": node, "namespace": NAMESPACE}, "automountServiceAccountToken": False}
        await apply(self._client, ACCOUNTS, body, manager=MANAGER, current=found)

    async def _allow(self, node: str, namespace: str, names: list[str]) -> None:
        key = Key(namespace, PREFIX + node)
        metadata: dict[str, Any] = {"name": key.name, "namespace": namespace, "labels": {NODE: ""}}
        home = self._home.get(Key("", NAMESPACE))
        if home is not None:
            # When all of KubeVMM is taken away, the garbage collector takes these.
            owner = {"apiVersion": "v1", "kind": NAMESPACES.kind, "name": NAMESPACE, "uid": home.uid}
            metadata["ownerReferences"] = [owner]
        rules = [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["get"]}]
        body: dict[str, Any] = {"metadata": metadata, "rules": rules}
        await apply(self._client, ROLES, body, manager=MANAGER, current=self._roles.get(key))
        binding = {
            "metadata": metadata,
            "roleRef": {"apiGroup": ROLES.group, "kind": ROLES.kind, "name": key.name},
            "subjects": [{"kind": "ServiceAccount", "name": node, "namespace": NAMESPACE}],
        }
        await apply(self._client, BINDINGS, binding, manager=MANAGER, current=self._bindings.get(key))

    async def _forbid(self, key: Key) -> None:
        await self._gone(BINDINGS, key, self._bindings)
        await self._gone(ROLES, key, self._roles)

    async def _gone(self, resource: Resource, key: Key, store: Store) -> None:
        if store.get(key) is None:
            return
        try:
            await self._client.delete(resource, key)
        except NotFound:
            return


def add(manager: Manager, client: Client) -> None:
    """Have *manager* run it."""
    secrets = SecretsReconciler(manager, client)
    builder = Builder(manager, "secrets").for_(NODES, _comes_or_goes)
    for resource in (GUESTS, POOLS, IMAGES):
        builder.watches(resource, _nodes, _counts)
    builder.watches(ROLES, _role, selection=_OURS).watches(BINDINGS, _role, selection=_OURS)
    builder.complete(secrets.reconcile)


def nodes_of(found: Object) -> Iterator[str]:
    """Yield the nodes that need the Secrets of *found*; none where it refers to none."""
    if _MARK not in found.raw:
        return
    status = found.decode().get("status") or {}
    names = {each.get("nodeName") for each in (status, *(status.get("nodes") or ()), *(status.get("copies") or ()))}
    yield from sorted(each for each in names if each)


def secrets_of(found: Object) -> Iterator[str]:
    """Yield the names of the Secrets, of its own namespace, that *found* refers to."""
    yield from _within(found.decode().get("spec") or {})


def _within(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _within(each)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if (key == "secretRef" or key.endswith("SecretRef")) and isinstance(inner, dict):
                if inner.get("name"):
                    yield str(inner["name"])
            else:
                yield from _within(inner)


def _named(role: Object) -> Iterable[str]:
    return [role.key.name.removeprefix(PREFIX)]


def _role(role: Object) -> Iterable[Key]:
    return [Key("", role.key.name.removeprefix(PREFIX))]


def _nodes(found: Object) -> Iterable[Key]:
    return [Key("", name) for name in nodes_of(found)]


def _counts(delta: Delta) -> bool:
    """Pass what changes which node needs which Secret."""

    def needs(found: Object | None) -> tuple[list[str], set[str]]:
        return (
            (list(nodes_of(found)), set(secrets_of(found))) if found is not None and _MARK in found.raw else ([], set())
        )

    return needs(delta.old) != needs(delta.new)


def _comes_or_goes(delta: Delta) -> bool:
    return delta.old is None or delta.new is None
