"""What a request proves its sender by, and when that is to be read again: tokens rotate, plugins' answers expire."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from kube.errors import Unauthorized
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

# The kubelet replaces a service account's token when a fifth of its life is left; a minute is what other clients wait.
TOKEN_FILE_LIFE = 60.0


class Credentials(Protocol):
    """Where the ``Authorization`` header comes from."""

    async def authorization(self) -> str | None:
        """Return the header's value, None where a client certificate or nothing stands in its place."""

    async def renew(self, refused: str | None) -> bool:
        """Read anew, after a 401 for the header *refused*; False says that it is no use to ask again.

        Of many requests that are refused at once, the first reads, and the others take what it got.
        """


class StaticCredentials:
    """A header that never changes, or none."""

    def __init__(self, value: str | None = None) -> None:
        self._value = value

    async def authorization(self) -> str | None:
        """Return the value as given."""
        return self._value

    async def renew(self, refused: str | None) -> bool:  # noqa: ARG002  (there is nothing newer, whatever it was)
        """Return False."""
        return False


class TokenFile:
    """A bearer token in a file that somebody else keeps fresh, such as a service account's in a Pod."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._read_at = float("-inf")
        self._token = ""

    async def authorization(self) -> str | None:
        """Return the token, read again when it is a minute old; an old one outlives a file that cannot be read.

        Raises `Unauthorized` when there never was one.
        """
        if self._clock() - self._read_at >= TOKEN_FILE_LIFE:
            self._read()
        return f"Bearer {self._token}"

    async def renew(self, refused: str | None) -> bool:
        """Read the file at once; True if its token is another one than *refused*."""
        self._read()
        return f"Bearer {self._token}" != refused

    def _read(self) -> None:
        try:
            token = self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            if not self._token:
                message = f"{self._path}: the token cannot be read: {error.strerror}"
                raise Unauthorized(
                    message, hint="mount a service account's token there, or name a kubeconfig"
                ) from error
            return
        if token:
            self._token = token
        self._read_at = self._clock()
        if not self._token:
            raise Unauthorized(f"{self._path}: the token file is empty")


class LoadedCredentials:
    """A header that comes of loading a kubeconfig, and is renewed by loading it again.

    *load* returns the header and how many seconds it is good for (None: until the server says otherwise). That covers
    token files, plugins and OpenID providers alike, and a kubeconfig that was written anew.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[tuple[str | None, float | None]]],
        first: tuple[str | None, float | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._clock = clock
        self._loading = asyncio.Lock()
        self._accept(first)

    async def authorization(self) -> str | None:
        """Return the header, loaded anew when its time has come."""
        if self._clock() >= self._until:
            await self._reload(self._value)
        return self._value

    async def renew(self, refused: str | None) -> bool:
        """Load again; True always, since a client certificate may have changed as well.

        Raises `Unauthorized` if nothing can be loaded any more.
        """
        await self._reload(refused)
        return True

    async def _reload(self, old: str | None) -> None:
        async with self._loading:
            if self._value != old:
                return
            try:
                self._accept(await self._load())
            except KubevmmError as error:
                raise Unauthorized(error.message, hint=error.hint) from error

    def _accept(self, loaded: tuple[str | None, float | None]) -> None:
        self._value, life = loaded
        self._until = float("inf") if life is None else self._clock() + life
