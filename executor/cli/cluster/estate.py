"""An imported estate, applied to a cluster: in an order in which nothing is missing, and many objects at once."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from analyser import yamlreader
from executor.cluster.resources import RESOURCES, SECRETS
from kube.backoff import Backoff
from kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    ServerFailure,
    TooManyRequests,
    Unreachable,
)
from kube.managed import unchanged
from kube.object import Key, Object
from kube.pages import Selection
from kube.resource import Resource
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from kube.client import Client

MANAGER: Final = "kubevmm-import"
"""The field manager: what others change of it since is a conflict, and theirs."""

NAMESPACES: Final = Resource("", "v1", "Namespace", "namespaces", namespaced=False)

ORDER: Final = (
    (NAMESPACES,),
    (SECRETS,),
    (RESOURCES["VirtualMachineStoragePool"], RESOURCES["VirtualMachineNetwork"]),
    (RESOURCES["VirtualMachine"],),
)
"""What is applied before what. A guest's executor needs what it refers to, and takes it over as soon as it sees it."""

ATTEMPTS: Final = 8
"""How often a request is sent that may succeed later: for about a minute."""

_AGAIN: Final = (ServerFailure, TooManyRequests, Unreachable)


@dataclass(frozen=True)
class Piece:
    """One object to apply; ``body`` is its JSON, since ten thousand of these as maps are half a gigabyte."""

    resource: Resource
    key: Key
    body: bytes

    def __str__(self) -> str:
        return f"{self.resource.kind.lower()}/{self.key}"


@dataclass(frozen=True)
class Outcome:
    """What became of a piece: created, configured, unchanged or failed, and then ``why``, free of secrets."""

    piece: Piece
    what: str
    why: str = ""


def read(folder: Path) -> list[Piece]:
    """Return what an import wrote to *folder* for a cluster. Raises KubevmmError where that is not all known."""
    (listed,) = _documents(folder / "kustomization.yaml")
    out = []
    known = {resource.kind: resource for step in ORDER for resource in step}
    for name in listed.get("resources") or ():
        for document in _documents(folder / name):
            resource = known.get(str(document.get("kind")))
            if resource is None:
                raise KubevmmError(f"{name}: a {document.get('kind')} is nothing that an import writes")
            metadata = document["metadata"]
            if resource is SECRETS:
                # As it is stored: what is not sent as it is stored always looks changed.
                values = document.pop("stringData", {})
                document["data"] = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
            key = Key(metadata.get("namespace", "") if resource.namespaced else "", metadata["name"])
            out.append(Piece(resource, key, msgspec.json.encode(document)))
    return out


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    text = yamlreader.decode(path.read_bytes(), str(path))
    for document in yamlreader.iter_documents(text, file=str(path)):
        if isinstance(document, dict):
            yield document


class Estate:
    """Applies pieces through *client*, *parallel* at once; *told* gets each outcome as it comes.

    With *dry_run* the server checks all and nothing is changed; with *force* fields that others changed are taken back.
    """

    def __init__(
        self, client: Client, told: Callable[[Outcome], None], *, dry_run: bool, force: bool, parallel: int
    ) -> None:
        self._client = client
        self._told = told
        self._force = force
        self._dry_run = dry_run
        self._parallel = parallel
        self._there: dict[tuple[Resource, str], asyncio.Task[dict[Key, Object]]] = {}
        self._no_namespace: set[str] = set()
        self.unchecked: Counter[str] = Counter()
        """In a dry run, how many objects the server could not check, by their namespace, which is not there yet."""

    async def apply(self, pieces: Iterable[Piece]) -> None:
        """Apply *pieces*, in the safe order; one that fails keeps no other from being applied, but what is in it."""
        every = list(pieces)
        for step in ORDER:
            waiting = iter([piece for piece in every if piece.resource in step])
            async with asyncio.TaskGroup() as group:
                for _ in range(self._parallel):
                    group.create_task(self._work(waiting))

    async def _work(self, waiting: Iterator[Piece]) -> None:
        for piece in waiting:
            try:
                outcome = Outcome(piece, await self._patiently(piece))
            except ApiError as error:
                outcome = Outcome(piece, "failed", _why(piece, error))
            except KubevmmError as error:
                outcome = Outcome(piece, "failed", str(error))
            if outcome.what == "failed" and piece.resource is NAMESPACES:
                self._no_namespace.add(piece.key.name)
            self._told(outcome)

    async def _patiently(self, piece: Piece) -> str:
        if piece.key.namespace in self._no_namespace:
            raise KubevmmError(f"its namespace {piece.key.namespace} could not be made")
        backoff = Backoff(limit=15.0)
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._one(piece)
            except _AGAIN as error:
                await asyncio.sleep(max(backoff.next(), error.retry_after or 0.0))
        return await self._one(piece)

    async def _one(self, piece: Piece) -> str:
        if piece.resource is NAMESPACES:
            return await self._namespace(piece)
        if piece.key.namespace in self.unchecked:
            self.unchecked[piece.key.namespace] += 1
            return "created"
        current = await self._current(piece)
        if current is not None and unchanged(msgspec.json.decode(piece.body), current.decode(), MANAGER, None):
            return "unchanged"
        params = {"fieldManager": MANAGER, "force": "true" if self._force else "false"}
        if self._dry_run:
            params["dryRun"] = "All"
        after = await self._client.patch(piece.resource, piece.key, piece.body, kind="apply", params=params)
        if current is None:
            return "created"
        return "unchanged" if _content(after) == _content(current) else "configured"

    async def _namespace(self, piece: Piece) -> str:
        try:
            await self._client.get(NAMESPACES, piece.key)
        except NotFound:
            if self._dry_run:
                self.unchecked[piece.key.name] = 0
                return "created"
        else:
            return "unchanged"
        try:
            await self._client.create(NAMESPACES, msgspec.json.decode(piece.body))
        except AlreadyExists:
            return "unchanged"
        return "created"

    async def _current(self, piece: Piece) -> Object | None:
        """Return the object as it is. Secrets are read one by one, so that no other needs to be seen."""
        if piece.resource is SECRETS:
            try:
                return await self._client.get(SECRETS, piece.key)
            except NotFound:
                return None
        place = (piece.resource, piece.key.namespace)
        listing = self._there.get(place)
        if listing is None or (listing.done() and listing.exception() is not None):
            listing = self._there[place] = asyncio.ensure_future(self._list(*place))
        return (await listing).get(piece.key)

    async def _list(self, resource: Resource, namespace: str) -> dict[Key, Object]:
        return {found.key: found for found in await self._client.list(resource, Selection(namespace))}


def _content(found: Object) -> dict[str, Any]:
    """Return what a person would have changed in an object."""
    whole = found.decode()
    metadata = whole.pop("metadata")
    whole.pop("status", None)
    return {**whole, "metadata": {name: metadata.get(name) for name in ("labels", "annotations", "finalizers")}}


def _why(piece: Piece, error: ApiError) -> str:
    if isinstance(error, Conflict) and error.causes:
        fields = ", ".join(cause.partition(": ")[0].lstrip(".") for cause in error.causes)
        return f"others changed {fields} since; --force-conflicts takes that back"
    # What is wrong with a Secret is said with what is in it.
    if piece.resource is SECRETS and not isinstance(error, (Forbidden, NotFound, Unreachable)):
        return f"the API server does not take it ({error.reason or error.code})"
    return str(error)
