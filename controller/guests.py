"""VirtualMachine: on which node it is; how it runs there is its executor's to say.

Its owner names the node, or kube-scheduler finds one for a placement Pod. A guest that an executor has taken on (its
finalizer says so) stays where it is: a write that moves one carries the version that was looked at, so that of an
executor that takes it on and a controller that moves it, one is too late.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from controller import evictions, pods
from controller.offers import Offers
from controller.resources import GUESTS, MANAGER, PODS
from kube import finalizers
from kube.apply import apply
from kube.conditions import condition
from kube.errors import AlreadyExists, Conflict, NotFound
from kube.object import Key
from kube.pages import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.client import Client
    from kube.controller import Result
    from kube.manager import Manager
    from kube.object import Object

logger = logging.getLogger(__name__)

SCHEDULED: Final = "Scheduled"
"""The condition that says whether the guest has a node."""

TAKEN: Final = "kubevmm.io/executor"
"""The finalizer of an executor that has made something for the guest, or is about to."""

OURS: Final = Selection(labels=pods.LABEL)
"""The placement Pods."""

_WAITING: Final = "waiting"
_RUNS: Final = {"Always", "RerunOnFailure", "Once"}
_OVER: Final = {"Failed", "Succeeded"}


class GuestReconciler:
    """Reconciles guests in the caches of *manager*; *image* is what placement Pods run."""

    def __init__(self, manager: Manager, client: Client, *, image: str = pods.PAUSE) -> None:
        self._guests = manager.cache(GUESTS)
        self._pods = manager.cache(PODS, OURS)
        self._client = client
        self._image = image
        self._evictions = evictions.Evictions(manager, client)
        self._offers = Offers(manager)
        self._pods.add_index(_WAITING, _waiting)
        self._written: dict[Key, Object] = {}
        """Guests as they were written last, as long as the cache does not have that."""

    def waiting(self, node: Object) -> list[Key]:
        """Map a node that offers something else to the guests that wait for one."""
        del node
        owners = [(each.key.namespace, each.controller()) for each in self._pods.by(_WAITING, _WAITING)]
        return [Key(namespace, owner.name) for namespace, owner in owners if owner is not None]

    async def reconcile(self, key: Key) -> Result | None:
        """Give the guest *key* a placement Pod where it needs one, and its status a node."""
        found = self._newest(key)
        if found is None or found.deleting:
            # The Pod is the garbage collector's: it keeps the room until nothing of the guest is left.
            if found is None or TAKEN not in found.finalizers:
                await self._let_go(self._pods.get(Key(key.namespace, pods.name_of(key.name))))
            return None
        guest = found.decode()
        place = await self._placed(found, guest)
        verdict = await self._evicted(found, guest)
        said = status(found, guest, place)
        moved = evictions.said(found, guest.get("status") or {}, verdict)
        said = {**said, **moved, "conditions": [*said["conditions"], *moved.get("conditions", ())]}
        before = (guest.get("status") or {}).get("nodeName")
        metadata = {"name": key.name, "namespace": key.namespace, "uid": found.uid}
        if before and said.get("nodeName") != before:
            metadata["resourceVersion"] = found.resource_version
        done = await apply(
            self._client, GUESTS, {"metadata": metadata, "status": said}, manager=MANAGER, current=found,
            subresource="status",
        )  # fmt: skip
        if done.changed:
            self._written[key] = done.object
        return None

    def _newest(self, key: Key) -> Object | None:
        """Return the guest as it was last seen or written: else what a Pod's news brings is written twice."""
        found, written = self._guests.get(key), self._written.pop(key, None)
        if found is None or written is None or written.uid != found.uid or not _later(written, found):
            return found
        self._written[key] = written
        return written

    async def _placed(self, found: Object, guest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the guest's placement Pod as it is now, made where there is none and taken away where none is due."""
        key = Key(found.key.namespace, pods.name_of(found.key.name))
        there = self._pods.get(key)
        if there is not None and all(owner.uid != found.uid for owner in there.owners):
            return None
        wanted = not (guest.get("spec") or {}).get("nodeName") and _should_run(guest)
        if there is None:
            return await self._make(found, guest) if wanted else None
        pod = there.decode()
        if there.deleting:
            if self._evictions.over(guest, taken=TAKEN in found.finalizers):
                await self._let_go(there)
            return None
        over = (pod.get("status") or {}).get("phase") in _OVER
        if not over and (wanted or _holds(guest)):
            return await self._offered(there, pod)
        # Nobody evicts it: it need not be held.
        released = await finalizers.remove(self._client, PODS, there, pods.FINALIZER)
        try:
            if released is not None:
                await self._client.delete(PODS, key, uid=there.uid)
        except NotFound:
            logger.debug("%s: is gone already", key)
        return None

    async def _offered(self, there: Object, pod: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have kube-scheduler look again at a Pod that no node took, where nodes offer something else by now."""
        word = self._offers.word
        if not _waiting(there) or there.labels.get(pods.OFFERS) == word:
            return pod
        body = {"metadata": {"uid": there.uid, "labels": {pods.OFFERS: word}}}
        try:
            return (await self._client.patch(PODS, there.key, body)).decode()
        except (NotFound, Conflict):
            return pod

    async def _evicted(self, found: Object, guest: Mapping[str, Any]) -> evictions.Verdict | None:
        """Do what an eviction of the guest's Pod asks for, and return it; None where there was none."""
        if TAKEN not in found.finalizers:
            return None
        there = self._pods.get(Key(found.key.namespace, pods.name_of(found.key.name)))
        pod = there.decode() if there is not None and any(each.uid == found.uid for each in there.owners) else None
        verdict = self._evictions.judge(guest, pod, wanted=_should_run(guest))
        await self._evictions.act(guest, pod, verdict)
        return verdict

    async def _let_go(self, pod: Object | None) -> None:
        """Hold the deletion of *pod* no longer."""
        if pod is not None and pod.deleting:
            await finalizers.remove(self._client, PODS, pod, pods.FINALIZER)

    async def _make(self, found: Object, guest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        node = (guest.get("status") or {}).get("nodeName") if TAKEN in found.finalizers else ""
        try:
            made = await self._client.create(PODS, pods.pod(guest, self._image, str(node or ""), self._offers.word))
        except AlreadyExists:
            # The cache will tell; whose it is too.
            return None
        return made.decode()


def status(found: Object, guest: Mapping[str, Any], pod: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the controller says in the status of a guest whose placement Pod is *pod*."""
    spec, now = guest.get("spec") or {}, guest.get("status") or {}
    wanted, there = spec.get("nodeName"), now.get("nodeName")
    bound = ((pod or {}).get("spec") or {}).get("nodeName")
    word, node, ok, reason, message = "", "", True, "", ""
    if there and TAKEN in found.finalizers:
        # In the same words as before it was taken: that is no news, and would be a write for each guest.
        node, reason = there, "Named" if wanted else "Placed"
        if wanted and wanted != there:
            reason, message = "OnAnotherNode", f"it is on {there}, and stays there"
    elif wanted:
        node, reason = wanted, "Named"
    elif bound:
        node, reason = bound, "Placed"
    elif pod is not None:
        ok, reason, message = False, *_unscheduled(pod)
        word = "ErrorUnschedulable" if reason == "Unschedulable" else "Scheduling"
    elif _should_run(guest):
        ok, reason, word = False, "Waiting", "Scheduling"
    else:
        ok, reason, message = False, "NotWanted", "it gets a node when it is to run, or set spec.nodeName"
        word = "Stopped"
    said = condition(now.get("conditions") or (), SCHEDULED, ok, reason, message, generation=found.generation)
    out: dict[str, Any] = {"conditions": [said]}
    if node:
        out["nodeName"] = node
    if word:
        out["printableStatus"] = word
    if pod is not None:
        out["placementPod"] = pods.name_of(found.key.name)
    return out


def _waiting(pod: Object) -> list[str]:
    """Index Pods that no node has yet."""
    return [] if (pod.decode().get("spec") or {}).get("nodeName") else [_WAITING]


def _later(one: Object, other: Object) -> bool:
    """Say whether *one* is a later version of the same object than *other* (KEP-5504: they can be compared)."""
    try:
        return int(one.resource_version) > int(other.resource_version)
    except ValueError:
        return False


def _unscheduled(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Return why kube-scheduler found no node yet."""
    for each in (pod.get("status") or {}).get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            return str(each.get("reason") or "Unschedulable"), str(each.get("message") or "")
    return "Waiting", ""


def _should_run(guest: Mapping[str, Any]) -> bool:
    spec = guest.get("spec") or {}
    if "running" in spec:
        return bool(spec["running"])
    return spec.get("runStrategy") in _RUNS


def _holds(guest: Mapping[str, Any]) -> bool:
    """Return whether the guest takes room on its node still."""
    return (guest.get("status") or {}).get("printableStatus") not in (None, "Stopped")
