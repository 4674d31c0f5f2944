"""What an eviction asks for: told from a placement Pod that is deleted since its guest needs no room any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from controller import pods
from controller.evictions import STOPPING, Evictions
from kube import configuration
from kube.client import Client
from kube.manager import Manager
from kube.session import Session
from tests.operation.test_guests import guest

if TYPE_CHECKING:
    from controller.evictions import Verdict
    from tests.harness.controlplane import ControlPlane


async def judged(server: ControlPlane, metadata: dict[str, Any]) -> Verdict | None:
    """Return what becomes of a running guest whose Pod is *metadata*."""
    async with Session(await configuration.load(server.kubeconfig)) as session:
        evictions = Evictions(Manager(session), Client(session))
        made = guest("gone", evictionStrategy="Shutdown", deletionPolicy="Retain")
        made["status"] = {"nodeName": "node-a", "printableStatus": "Running"}
        return await evictions.judge(made, {"metadata": {"uid": "8e8b8a1c", **metadata}}, wanted=True)


@pytest.mark.parametrize("held", [True, False])
def test_a_pod_that_was_let_go_is_not_evicted(server: ControlPlane, held: bool) -> None:
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [pods.FINALIZER] if held else []}
    verdict = asyncio.run(judged(server, metadata))
    assert (verdict.reason if verdict is not None else None) == (STOPPING if held else None)
