"""What the controller says of an operation while its caches are not equally new: nothing that is for good."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from controller.operations import PATIENCE, OperationReconciler
from controller.resources import GUESTS, OPERATIONS
from kube import configuration
from kube.client import Client
from kube.manager import Manager
from kube.object import Key
from kube.session import Session
from tests.operation.test_guests import guest
from tests.operation.test_operations import operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.harness.controlplane import ControlPlane

NAME = Key("default", "unseen")


async def judged(server: ControlPlane, prepare: Callable[[Client], Awaitable[None]], *, after: float) -> dict[str, Any]:
    """Return the status of an operation that a controller looks at twice which has no guest in its cache."""
    now = [0.0]
    async with Session(await configuration.load(server.kubeconfig)) as session:
        client, manager = Client(session), Manager(session)
        await prepare(client)
        key = Key("default", f"look-{NAME.name}-{after:.0f}")
        asked = await client.create(OPERATIONS, operation(key.name, "Restart", NAME.name))
        reconciler = OperationReconciler(manager, client, clock=lambda: now[0])
        store = manager.cache(OPERATIONS)
        store.add_index("guest", lambda _: [str(NAME)])
        for moment in (0.0, after):
            now[0] = moment
            store.put(asked)
            await reconciler.reconcile(key)
            asked = await client.get(OPERATIONS, key)
        await client.delete(OPERATIONS, key)
        return dict(asked.decode()["status"])


@pytest.mark.parametrize("after", [1.0, PATIENCE + 1])
def test_a_guest_that_the_cache_does_not_have_yet_is_there_all_the_same(server: ControlPlane, after: float) -> None:
    async def there(client: Client) -> None:
        await client.create(GUESTS, guest(NAME.name))
        await client.patch(GUESTS, NAME, {"status": {"nodeName": "node-a"}}, subresource="status")

    said = asyncio.run(judged(server, there, after=after))
    server.kubectl("delete", "vm", NAME.name)
    assert (said["phase"], said["nodeName"]) == ("Pending", "node-a")


@pytest.mark.parametrize(("after", "phase"), [(1.0, "Pending"), (PATIENCE + 1, "Failed")])
def test_one_that_the_server_does_not_have_either_is_waited_for_and_then_refused(
    server: ControlPlane, after: float, phase: str
) -> None:
    async def nothing(client: Client) -> None:
        del client

    assert asyncio.run(judged(server, nothing, after=after))["phase"] == phase
