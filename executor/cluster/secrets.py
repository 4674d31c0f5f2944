"""The Secrets that a node's guests refer to: read one by one, as the node's own account, which may read no other.

Where the node has no account of its own (no controller runs), the executor asks as itself.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from executor.cluster.identity import NoIdentity
from executor.cluster.resources import SECRETS
from kube.errors import ApiError, NotFound
from kube.object import Key
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from executor.cluster.link import Link
    from kube.object import Object

logger = logging.getLogger(__name__)

FRESH: Final = 60.0
"""Seconds for which a Secret that was read counts."""


class _Secret(msgspec.Struct):
    data: dict[str, str] | None = None


class Secrets:
    """Reads Secrets through *link*, and keeps what it read for as long as somebody refers to it. For any thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._read: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}

    def stale(self) -> bool:
        """Say whether there is one that should be read again."""
        return any(time.monotonic() - at > FRESH for at, _ in list(self._read.values()))

    def values(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str, str], str]:
        """Return the values of the Secrets *wanted*, each a namespace and a name, by these and key.

        One that cannot be read now is what it was when it was read last.
        """
        out: dict[tuple[str, str, str], str] = {}
        kept = {}
        for namespace, name in sorted(set(wanted)):
            at, values = self._read.get((namespace, name), (float("-inf"), {}))
            if time.monotonic() - at > FRESH:
                try:
                    at, values = time.monotonic(), self._get(namespace, name)
                except (ApiError, KubevmmError) as error:
                    logger.warning("secret %s/%s: cannot be read: %s", namespace, name, error)
            kept[namespace, name] = at, values
            out |= {(namespace, name, key): value for key, value in values.items()}
        self._read = kept
        return out

    def forget(self) -> None:
        """Read all anew when they are asked for next."""
        self._read = {place: (float("-inf"), values) for place, (_, values) in self._read.items()}

    def _get(self, namespace: str, name: str) -> dict[str, str]:
        try:
            found = self._link.call(self._fetch(Key(namespace, name)))
        except NotFound:
            return {}
        out = {}
        for key, value in (found.decode(_Secret).data or {}).items():
            try:
                out[key] = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, ValueError):
                logger.warning("secret %s/%s: %s is no text", namespace, name, key)
        return out

    async def _fetch(self, key: Key) -> Object:
        try:
            return await self._link.own.get(SECRETS, key)
        except NoIdentity as error:
            logger.debug("%s", error)
            return await self._link.client.get(SECRETS, key)
