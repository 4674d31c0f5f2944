"""VirtualMachineReplicaSet: as many guests as it asks for, made from its template.

Never more are made than are asked for, even if the cache lags behind: what was asked of the API server is waited for,
and before a process makes or deletes the first guest of a set it asks the server itself which there are.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar

from controller import selectors
from controller.expectations import Expectations
from controller.replicas import guest_of, reference, standing, status, surplus
from controller.resources import GUESTS, MANAGER, REPLICASETS
from kube.apply import apply_status
from kube.backoff import Backoff
from kube.builder import Builder
from kube.controller import Result
from kube.errors import AlreadyExists, ApiError, NotFound, ServerFailure, Unreachable
from kube.object import Key
from kube.pages import Selection
from kube.predicates import any_change, spec_changed
from kube.recorder import Recorder
from kube.store import by_namespace, by_owner
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from kube.client import Client
    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta

T = TypeVar("T")

COMPONENT: Final = "kubevmm.io/controller"
BURST: Final = 500
"""The most guests that are made or deleted at a time."""

ATTEMPTS: Final = 6
"""How often a guest is asked for where there is no answer; then it is waited for, for as long as `Expectations` do."""

RETRY: Final = 0.2
"""Seconds before the second attempt; twice as many before each next one."""

LONGEST: Final = 53 - 6
"""Of a set's name, as much is in those of its guests: theirs is in the name of a Pod, of 63 characters."""

_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, so that no words come of them."""

_OWNER: Final = "owner"
_ORPHANS: Final = "orphans"
_NAMESPACE: Final = "namespace"


def add(manager: Manager, client: Client, instance: str) -> None:
    """Have *manager* reconcile them; *instance* is this process's name in events."""
    recorder = Recorder(client, COMPONENT, instance)
    manager.add(recorder.run)
    sets = ReplicaSetReconciler(manager, client, recorder)
    (
        Builder(manager, "replicasets")
        .for_(REPLICASETS, any_change)
        .watches(GUESTS, sets.of_guest, changes_standing)
        .complete(sets.reconcile)
    )


class ReplicaSetReconciler:
    """Reconciles replica sets in the caches of *manager*."""

    def __init__(self, manager: Manager, client: Client, recorder: Recorder) -> None:
        self._sets = manager.cache(REPLICASETS)
        self._guests = manager.cache(GUESTS)
        self._client = client
        self._recorder = recorder
        self._expected = Expectations()
        self._asked: dict[Key, str] = {}
        """The sets, with their uids, whose guests the server was asked for."""
        self._sets.add_index(_NAMESPACE, by_namespace)
        self._guests.add_index(_OWNER, by_owner)
        self._guests.add_index(_ORPHANS, _orphan)
        # Before a controller's own listener: when the set is looked at, what came is known.
        self._guests.subscribe(self._expected.seen)

    def of_guest(self, guest: Object) -> Iterable[Key]:
        """Map a guest to the set that controls it, or, where nobody does, to those that select it."""
        owner = guest.controller()
        if owner is not None:
            return [Key(guest.key.namespace, owner.name)] if owner.kind == REPLICASETS.kind else []
        if not guest.labels:
            return []
        there = self._sets.by(_NAMESPACE, guest.key.namespace)
        return [found.key for found in there if selectors.selects(_selector(found.decode()), guest.labels)]

    async def reconcile(self, key: Key) -> Result | None:
        """Make or delete guests until there are as many as the set *key* asks for, and say how many there are."""
        found = self._sets.get(key)
        if found is None or found.deleting:
            # The guests are the garbage collector's.
            self._expected.forget(self._asked.pop(key, ""))
            return None
        whole = found.decode()
        spec = whole["spec"]
        failed = _mismatch(spec)
        left = self._expected.left(found.uid)
        guests = await self._claim(found, whole)
        idle = bool(failed or spec.get("paused"))
        if not idle and len(guests) != spec["replicas"] and self._asked.get(key) != found.uid:
            await self._ask(found, spec)
            left = self._expected.left(found.uid)
            guests = await self._claim(found, whole)
        if not idle and not left and len(guests) != spec["replicas"]:
            failed = await self._scale(found, whole, guests)
        await self._write(found, whole, guests, failed)
        if failed and not idle:
            raise KubevmmError(failed)
        return Result(requeue_after=left + 0.1) if left else None

    async def _claim(self, found: Object, whole: Mapping[str, Any]) -> list[Object]:
        """Return the guests of the set *found*: taken on are those that it selects, let go those no longer."""
        selector = _selector(whole)
        mine, confirmed = [], False
        for guest in self._guests.by(_OWNER, found.uid):
            owner = guest.controller()
            if owner is None or owner.uid != found.uid or guest.deleting:
                continue
            if selectors.selects(selector, guest.labels):
                mine.append(guest)
            else:
                await self._own(guest, [each for each in _owners(guest) if each["uid"] != found.uid])
        for guest in self._guests.by(_ORPHANS, found.key.namespace):
            if guest.deleting or not selectors.selects(selector, guest.labels):
                continue
            if not confirmed:
                # The cache may not know yet that the set is gone, or another one.
                now = await self._client.get(REPLICASETS, found.key)
                if now.uid != found.uid or now.deleting:
                    break
                confirmed = True
            taken = await self._own(guest, [*_owners(guest), reference(found)])
            if taken is not None:
                mine.append(taken)
        return mine

    async def _own(self, guest: Object, owners: list[dict[str, Any]]) -> Object | None:
        metadata = {"resourceVersion": guest.resource_version, "uid": guest.uid, "ownerReferences": owners}
        try:
            return await self._client.patch(GUESTS, guest.key, {"metadata": metadata})
        except NotFound:
            return None

    async def _ask(self, found: Object, spec: Mapping[str, Any]) -> None:
        """Expect what the server has and the cache has not: one that led before may have made it just now."""
        selection = Selection(namespace=found.key.namespace, labels=selectors.text(spec["selector"]))
        there = {each.uid: each for each in await self._client.list(GUESTS, selection) if not each.deleting}
        for guest in there.values():
            if self._guests.get(guest.key) is None:
                self._expected.make(found.uid, guest.key)
        for guest in self._guests.by(_OWNER, found.uid):
            if guest.uid not in there and not guest.deleting and selectors.selects(spec["selector"], guest.labels):
                self._expected.delete(found.uid, guest.uid)
        self._asked[found.key] = found.uid

    async def _scale(self, found: Object, whole: Mapping[str, Any], guests: Sequence[Object]) -> str:
        """Make or delete what is too few or too many; return what went wrong, empty where nothing did."""
        missing = whole["spec"]["replicas"] - len(guests)
        if missing > 0:
            names = [_name(found.key.name) for _ in range(min(missing, BURST))]
            done, failed = await _slowly(names, lambda name: self._make(found, whole, name))
            self._tell(found, f"made {done} guests", failed, "Created")
        else:
            doomed = surplus(guests)[: min(-missing, BURST)]
            done, failed = await _slowly(doomed, lambda guest: self._delete(found, guest))
            self._tell(found, f"deleted {done} guests", failed, "Deleted")
        return failed

    async def _make(self, found: Object, whole: Mapping[str, Any], name: str) -> None:
        """Make the guest *name*. Without an answer it is asked for again: a name is there once, whoever was heard."""
        key = Key(found.key.namespace, name)
        self._expected.make(found.uid, key)
        backoff = Backoff(RETRY, RETRY * 8)
        for left in reversed(range(ATTEMPTS)):
            try:
                await self._client.create(GUESTS, guest_of(found, whole, name))
            except AlreadyExists:
                # Another's, or made by the attempt before: the cache will tell.
                if left == ATTEMPTS - 1:
                    raise
                return
            except (ServerFailure, Unreachable):
                if not left:
                    raise
                await asyncio.sleep(backoff.next())
            except BaseException:
                self._expected.unmade(key)
                raise
            else:
                return

    async def _delete(self, found: Object, guest: Object) -> None:
        self._expected.delete(found.uid, guest.uid)
        try:
            await self._client.delete(GUESTS, guest.key, uid=guest.uid)
        except NotFound:
            self._expected.undeleted(guest.uid)
        except BaseException:
            self._expected.undeleted(guest.uid)
            raise

    def _tell(self, found: Object, done: str, failed: str, reason: str) -> None:
        if failed:
            self._recorder.event(REPLICASETS, found, f"Failed{reason}", failed, action="Scale", type="Warning")
        else:
            self._recorder.event(REPLICASETS, found, f"Successful{reason}", done, action="Scale")

    async def _write(self, found: Object, whole: Mapping[str, Any], guests: Sequence[Object], failed: str) -> None:
        ready = sum(standing(each).ready for each in guests)
        await apply_status(
            self._client, REPLICASETS, found, status(found, whole, len(guests), ready, failed), manager=MANAGER
        )


def changes_standing(delta: Delta) -> bool:
    """Pass guests that come, go, change hands, or are Ready or no longer."""
    old, new = delta.old, delta.new
    if old is None or new is None or spec_changed(delta):
        return True
    owner = new.controller()
    return owner is not None and owner.kind == REPLICASETS.kind and standing(old).ready != standing(new).ready


async def _slowly(things: Sequence[T], act: Callable[[T], Awaitable[None]]) -> tuple[int, str]:
    """Do *act* to one, then to two at once, four ...: where all would fail alike, few do.

    Return how many it was done to, and why it ended before the last.
    """
    done, size = 0, 1
    while done < len(things):
        batch = things[done : done + size]
        results = await asyncio.gather(*(act(each) for each in batch), return_exceptions=True)
        errors = [each for each in results if isinstance(each, BaseException)]
        for each in errors:
            if not isinstance(each, ApiError):
                raise each
        if errors:
            return done + len(batch) - len(errors), str(errors[0])
        done, size = done + len(batch), size * 2
    return done, ""


def _mismatch(spec: Mapping[str, Any]) -> str:
    """Return why no guest may be made: it would not be the set's, and another one would be made for ever."""
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if selectors.selects(spec["selector"], labels):
        return ""
    return "spec.selector does not select the labels of spec.template.metadata"


def _name(name: str) -> str:
    return f"{name[:LONGEST].rstrip('-.')}-{''.join(secrets.choice(_LETTERS) for _ in range(5))}"


def _selector(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = whole["spec"]["selector"]
    return found


def _owners(guest: Object) -> list[dict[str, Any]]:
    return list(guest.decode()["metadata"].get("ownerReferences") or ())


def _orphan(guest: Object) -> Iterable[str]:
    return [guest.key.namespace] if guest.labels and guest.controller() is None else []
