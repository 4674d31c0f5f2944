"""What an eviction asks for: told from a Pod that was let go, and said of the guest before it is done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from controller import pods
from controller.evictions import STOPPING, Evictions
from controller.guests import OURS, GuestReconciler
from controller.gueststatus import TAKEN
from controller.resources import GUESTS, PODS
from kube import configuration
from kube.client import Client
from kube.manager import Manager
from kube.object import Key, decode
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


async def done(server: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a controller writes that finds the Pod of a running guest evicted, which may not run elsewhere."""
    written: list[str] = []
    request = Session.request

    async def noted(self: Session, method: str, path: str, **options: Any) -> bytes:
        if method != "GET":
            written.append(f"{method} {path.partition('/default/')[2]}")
        return await request(self, method, path, **options)

    async with Session(await configuration.load(server.kubeconfig)) as session:
        client, manager = Client(session), Manager(session)
        made, key = guest("first", evictionStrategy="Shutdown", deletionPolicy="Retain"), Key("default", "first")
        made["metadata"]["finalizers"] = [TAKEN]
        await client.create(GUESTS, made)
        status = {"nodeName": "node-a", "printableStatus": "Running"}
        found = await client.patch(GUESTS, key, {"status": status}, subresource="status")
        pod = pods.pod(found.decode(), pods.PAUSE, "node-a", "")
        pod["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "uid": "8e8b8a1c"}
        reconciler = GuestReconciler(manager, client, image=pods.PAUSE)
        manager.cache(GUESTS).put(found)
        manager.cache(PODS, OURS).put(decode(msgspec.json.encode(pod)))
        monkeypatch.setattr(Session, "request", noted)
        await reconciler.reconcile(key)
        monkeypatch.undo()
    server.kubectl("patch", "vm", "first", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    server.kubectl("delete", "vm/first", "vmop/first-stop-8e8b8a1c")
    return written


def test_why_a_guest_is_stopped_is_said_before_it_is(server: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    written = asyncio.run(done(server, monkeypatch))
    assert written == ["PATCH virtualmachines/first/status", "POST virtualmachineoperations"]


@pytest.mark.parametrize("held", [True, False])
def test_a_pod_that_was_let_go_is_not_evicted(server: ControlPlane, held: bool) -> None:
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [pods.FINALIZER] if held else []}
    verdict = asyncio.run(judged(server, metadata))
    assert (verdict.reason if verdict is not None else None) == (STOPPING if held else None)
