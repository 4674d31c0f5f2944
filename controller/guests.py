"""VirtualMachine: on which node it is; how it runs there is its executor's to say.

Its owner names the node, or kube-scheduler finds one for a placement Pod. A guest that an executor has taken on (its
finalizer says so) stays where it is: a write that moves one carries the version that was looked at, so that of an
executor that takes it on and a controller that moves it, one is too late.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from controller import evictions, offers, pods
from controller.gueststatus import SCHEDULED, TAKEN, WAITING, holds, should_run, status
from controller.operations import guest_of
from controller.refusals import QUOTAS, Refusals, gives, named_alike
from controller.resources import GUESTS, MACHINES, MANAGER, NODES, OPERATIONS, PODS
from kube import finalizers
from kube.apply import apply
from kube.builder import Builder
from kube.conditions import find
from kube.controller import Result
from kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from kube.object import Key
from kube.pages import Selection
from kube.predicates import any_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from controller.refusals import Refusal
    from kube.client import Client
    from kube.manager import Manager
    from kube.object import Object

logger = logging.getLogger(__name__)

OURS: Final = Selection(labels=pods.LABEL)
"""The placement Pods."""

PATIENCE: Final = 1.0
"""Seconds that kube-scheduler has before a guest is said to wait for it: mostly it is so quick that none need hear."""

_WAITING: Final = "waiting"
_EVICTED: Final = "evicted"
_OVER: Final = {"Failed", "Succeeded"}


def add(manager: Manager, client: Client, *, image: str = pods.PAUSE) -> None:
    """Have *manager* reconcile guests; *image* is what placement Pods run."""
    guests = GuestReconciler(manager, client, image=image)
    (
        Builder(manager, "guests")
        .for_(GUESTS, any_change)
        .owns(PODS, selection=OURS)
        .watches(NODES, guests.waiting, offers.changed)
        .watches(QUOTAS, guests.refusals.of_quota, gives)
        .watches(MACHINES, guests.evicted, evictions.opens)
        .watches(OPERATIONS, lambda found: [guest_of(found)], evictions.ends)
        .complete(guests.reconcile)
    )


class GuestReconciler:
    """Reconciles guests in the caches of *manager*. *clock* is in seconds and never set back."""

    def __init__(
        self, manager: Manager, client: Client, *, image: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._guests = manager.cache(GUESTS)
        self._pods = manager.cache(PODS, OURS)
        self._client = client
        self._image = image
        self._evictions = evictions.Evictions(manager, client)
        self._offers = offers.Offers(manager)
        self.refusals = Refusals()
        self._clock = clock
        self._pods.add_index(_WAITING, _waiting)
        self._pods.add_index(_EVICTED, _evicted)
        self._written: dict[Key, Object] = {}
        """Guests as they were written last, as long as the cache does not have that."""
        self._since: dict[Key, float] = {}
        """Since when guests wait for kube-scheduler."""
        self._gone: dict[Key, str] = {}
        """Pods that were let go last, with their uids: the cache may have them a moment longer."""

    def waiting(self, node: Object) -> list[Key]:
        """Map a node that offers something else to the guests that wait for one."""
        del node
        return _owners(self._pods.by(_WAITING, _WAITING))

    def evicted(self, machine: Object) -> list[Key]:
        """Map a Kubernetes Node to the guests there whose Pods are evicted."""
        return _owners(self._pods.by(_EVICTED, machine.key.name))

    async def reconcile(self, key: Key) -> Result | None:
        """Give the guest *key* a placement Pod where it needs one, and its status a node."""
        found = self._newest(key)
        if found is None or found.deleting:
            self.refusals.forget(key)
            self._since.pop(key, None)
            pod = self._pods.get(Key(key.namespace, pods.name_of(key.name)))
            # The Pod is the garbage collector's: it keeps the room until nothing of the guest is left.
            if pod is not None and pod.deleting and (found is None or TAKEN not in found.finalizers):
                await self._let_go(pod)
            elif pod is None:
                self._gone.pop(Key(key.namespace, pods.name_of(key.name)), None)
            return None
        guest = found.decode()
        evicted, verdict = await self._evicted(found, guest)
        place, refused = await self._placed(found, guest, verdict)
        said = status(found, guest, place, refused)
        left = self._patience(key, guest, said)
        if left > 0 and verdict is None:
            return Result(requeue_after=left)
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
        # The word goes first: whoever goes on with it knows by that whose operation it is.
        await self._evictions.act(guest, evicted, verdict)
        return Result(requeue_after=refused.again) if refused is not None else None

    def _patience(self, key: Key, guest: Mapping[str, Any], said: Mapping[str, Any]) -> float:
        """Return for how many seconds nothing is *said* of *guest*, for which kube-scheduler may just have a node."""
        if said["conditions"][0]["reason"] != WAITING or (guest.get("status") or {}).get("nodeName"):
            self._since.pop(key, None)
            return 0.0
        before = find((guest.get("status") or {}).get("conditions") or (), SCHEDULED) or {}
        if before.get("reason") == WAITING:
            return 0.0
        return self._since.setdefault(key, self._clock()) + PATIENCE - self._clock()

    def _newest(self, key: Key) -> Object | None:
        """Return the guest as it was last seen or written: else what a Pod's news brings is written twice."""
        found, written = self._guests.get(key), self._written.pop(key, None)
        if found is None or written is None or written.uid != found.uid or not _later(written, found):
            return found
        self._written[key] = written
        return written

    async def _placed(
        self, found: Object, guest: Mapping[str, Any], verdict: evictions.Verdict | None
    ) -> tuple[Mapping[str, Any] | None, Refusal | None]:
        """Return the guest's placement Pod as it is now, made where there is none and taken away where none is due.

        Beside it, why one that is due was refused. *verdict* is what becomes of the guest if the Pod is evicted.
        """
        wanted = not (guest.get("spec") or {}).get("nodeName") and should_run(guest)
        there = self._pods.get(Key(found.key.namespace, pods.name_of(found.key.name)))
        if there is None and wanted:
            return await self._make(found, guest)
        self.refusals.forget(found.key)
        if there is None:
            return None, None
        if all(owner.uid != found.uid for owner in there.owners):
            return None, named_alike(there) if wanted and not there.deleting else None
        return await self._kept(found, guest, there, verdict, wanted=wanted), None

    async def _kept(
        self,
        found: Object,
        guest: Mapping[str, Any],
        there: Object,
        verdict: evictions.Verdict | None,
        *,
        wanted: bool,
    ) -> Mapping[str, Any] | None:
        """Return the Pod that is *there*, None where it does not count any more."""
        pod = there.decode()
        taken = TAKEN in found.finalizers
        ended = (pod.get("status") or {}).get("phase") in _OVER
        if there.deleting:
            if evictions.over(guest, verdict, taken=taken) or (ended and self._evictions.given_up(guest)):
                await self._let_go(there)
            return None
        if not (ended or self._outdated(found, guest, pod)) and (wanted or holds(guest)):
            return await self._offered(there, pod)
        if evictions.rejected(pod) and not evictions.over(guest, verdict, taken=taken):
            return None
        # Nobody evicts it: it need not be held.
        await self._let_go(there)
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

    async def _evicted(
        self, found: Object, guest: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any] | None, evictions.Verdict | None]:
        """Return the guest's Pod, and what its eviction asks for; None where there is none."""
        if TAKEN not in found.finalizers:
            return None, None
        there = self._pods.get(Key(found.key.namespace, pods.name_of(found.key.name)))
        pod = there.decode() if there is not None and any(each.uid == found.uid for each in there.owners) else None
        return pod, await self._evictions.judge(guest, pod, wanted=should_run(guest))

    async def _let_go(self, pod: Object) -> None:
        """Have *pod* go at once, whoever has it deleted already."""
        if self._gone.get(pod.key) == pod.uid:
            return
        released = await finalizers.remove(self._client, PODS, pod, pods.FINALIZER)
        try:
            if released is not None:
                await self._client.delete(PODS, pod.key, uid=pod.uid, grace=0)
        except NotFound:
            logger.debug("%s: is gone already", pod.key)
        self._gone[pod.key] = pod.uid

    async def _make(self, found: Object, guest: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, Refusal | None]:
        if (guest.get("status") or {}).get("evacuationNodeName"):
            # It leaves the only node that it could be kept room on.
            return None, None
        try:
            made = await self._client.create(PODS, self._body(found, guest))
        except AlreadyExists:
            # The cache will tell; whose it is too.
            return None, None
        except (Forbidden, Invalid) as error:
            return None, self.refusals.note(found.key, error)
        self.refusals.forget(found.key)
        return made.decode(), None

    def _body(self, found: Object, guest: Mapping[str, Any]) -> dict[str, Any]:
        node = (guest.get("status") or {}).get("nodeName") if TAKEN in found.finalizers else ""
        return pods.pod(guest, self._image, str(node or ""), self._offers.word)

    def _outdated(self, found: Object, guest: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
        """Say whether *pod* has no node yet, and the guest says otherwise by now of its place or its room."""
        if (pod.get("spec") or {}).get("nodeName"):
            return False
        wanted, made = self._body(found, guest)["metadata"], pod["metadata"].get("annotations") or {}
        return bool(made.get(pods.MADE_OF) != wanted["annotations"][pods.MADE_OF])


def _waiting(pod: Object) -> list[str]:
    """Index Pods that no node has yet."""
    return [] if (pod.decode().get("spec") or {}).get("nodeName") else [_WAITING]


def _evicted(pod: Object) -> list[str]:
    """Index Pods that are deleted by their node."""
    return [str((pod.decode().get("spec") or {}).get("nodeName") or "")] if pod.deleting else []


def _owners(found: Iterable[Object]) -> list[Key]:
    """Return the guests of Pods."""
    owners = [(each.key.namespace, each.controller()) for each in found]
    return [Key(namespace, owner.name) for namespace, owner in owners if owner is not None]


def _later(one: Object, other: Object) -> bool:
    """Say whether *one* is a later version of the same object than *other* (KEP-5504: they can be compared)."""
    try:
        return int(one.resource_version) > int(other.resource_version)
    except ValueError:
        return False
