"""The node's own service account: what one node may read, no other may, though all executors have one account.

Roles cannot tell executors apart, and admission, which can, is not asked about reading. But it is asked about tokens:
an executor is given a token of its own node's account alone (``yamls/52-node-accounts.yaml``). What that account may
read is the controller's to say.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from kube.errors import ApiError
from kube.resource import Resource
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.client import Client

NAMESPACE: Final = "kubevmm-nodes"
"""Where the nodes' accounts are, and nothing else."""

ACCOUNTS: Final = Resource("", "v1", "ServiceAccount", "serviceaccounts")

LIFE: Final = 3600
"""Seconds that a token is asked for."""

PART: Final = 0.8
"""The part of its life after which a token is replaced, as the kubelet does it."""


class NoIdentity(KubevmmError):  # noqa: N818  (named for what happened)
    """The node has no account of its own, or may not be it."""


class _Spec(msgspec.Struct, rename="camel"):
    expiration_seconds: int = LIFE


class _Status(msgspec.Struct):
    token: str


class _TokenRequest(msgspec.Struct):
    status: _Status
    spec: _Spec = msgspec.field(default_factory=_Spec)


class NodeCredentials:
    """Tokens of the account of *node*, asked for through *client*."""

    def __init__(self, node: str, client: Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._client = client
        self._clock = clock
        self._shown = ""
        self._until = float("-inf")

    async def authorization(self) -> str | None:
        """Return the token. Raises NoIdentity."""
        if self._clock() >= self._until:
            await self._ask()
        return f"Bearer {self._shown}"

    async def renew(self, refused: str | None) -> bool:
        """Ask for another one than *refused*. Raises NoIdentity."""
        if f"Bearer {self._shown}" == refused:
            await self._ask()
        return True

    async def _ask(self) -> None:
        path = ACCOUNTS.path(NAMESPACE, self._node, "token")
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": LIFE},
        }
        began = self._clock()
        try:
            answer = await self._client.session.request("POST", path, body=body)
        except ApiError as error:
            raise NoIdentity(f"the node {self._node} cannot be given a token of its account: {error}") from None
        got = msgspec.json.decode(answer, type=_TokenRequest)
        self._shown, self._until = got.status.token, began + PART * got.spec.expiration_seconds
