"""`kubectl virt get --watch`, and waiting until an object is as it should be: what the API server tells, as it does."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.cli.cluster.listing import columns_of, listed, without_owners
from executor.cli.watching import Printer
from executor.cluster.resources import RESOURCES
from kube.pages import Selection
from kube.reflector import Reflector
from kube.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from executor.cli.cluster.listing import Query
    from executor.cli.cluster.server import Server
    from executor.cli.forms import Form
    from kube.object import Key
    from kube.resource import Resource
    from kube.store import Delta


@dataclass(frozen=True)
class Change:
    """An object of a cluster that is ADDED, MODIFIED or DELETED."""

    what: str
    object: dict[str, Any]


async def watch(
    server: Server, queries: Sequence[Query], form: Form, *, only: bool, events: bool, heads: bool, labels: bool
) -> int:
    """Write what *queries* find, and what changes of it, to standard output; return the exit code, if ever.

    Raises ApiError, KubevmmError where a name is not there.
    """
    for each in await listed(server, queries):
        if each.missing:
            raise each.missing[0]
    many = len(queries) > 1
    columns = {each.kind: columns_of(each, form, many=many, labels=labels) for each in queries}
    printer = Printer(columns, form, events=events, heads=heads)
    told: asyncio.Queue[tuple[bool, Change]] = asyncio.Queue()

    def listener(query: Query) -> Callable[[Delta], None]:
        def tell(delta: Delta) -> None:
            if not query.names or delta.object.key.name in query.names:
                told.put_nowait((delta.initial, change(delta)))

        return tell

    async with contextlib.AsyncExitStack() as stack:
        for query in queries:
            store = Store()
            store.subscribe(listener(query))
            await stack.enter_async_context(following(server, RESOURCES[query.kind], query.selection(server), store))
        while True:
            batch = [await told.get()]
            while not told.empty():
                batch.append(told.get_nowait())
            sys.stdout.write(printer.text([each for initial, each in batch if not (only and initial)]))
            # Somebody waits for it at the other end of a pipe.
            sys.stdout.flush()


def change(delta: Delta) -> Change:
    """Return *delta* in a watch's words."""
    what = "DELETED" if delta.new is None else "ADDED" if delta.old is None else "MODIFIED"
    return Change(what, without_owners(delta.object.decode()))


@contextlib.asynccontextmanager
async def following(server: Server, resource: Resource, selection: Selection, store: Store) -> AsyncIterator[None]:
    """Keep *store* as the API server has it, through whatever breaks, inside the block."""
    work = asyncio.ensure_future(Reflector(server.client.session, resource, store, selection).run())
    try:
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def until(
    server: Server, resource: Resource, key: Key, settled: Callable[[dict[str, Any] | None], bool], patience: float
) -> bool:
    """Wait until the object *key*, None where it is gone, is *settled*, *patience* seconds at most; say if it is."""
    store = Store()
    changed = asyncio.Event()
    store.subscribe(lambda _: changed.set())
    selection = Selection(key.namespace or None, fields=f"metadata.name={key.name}")

    async def watched() -> None:
        seen = False
        while True:
            await changed.wait()
            changed.clear()
            found = store.get(key)
            seen = seen or found is not None
            if seen and settled(found.decode() if found is not None else None):
                return

    async with following(server, resource, selection, store):
        try:
            await asyncio.wait_for(watched(), patience)
        except TimeoutError:
            return False
    return True
