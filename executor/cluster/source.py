"""The API server as the agent's source: what is of this node, and what it needs to know beside that."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from executor.agent.source import Wanted
from executor.cluster import roles
from executor.cluster.leaving import kind_leaves
from executor.cluster.resources import RESOURCES
from executor.cluster.roles import DISKS, GUESTS, IMAGES, LISTS, SNAPSHOTS, Role, View
from executor.cluster.secrets import Secrets
from executor.cluster.wanted import FINALIZER, ORPHAN, ref_of
from executor.engine.objects import Ref
from executor.engine.source import Declarations
from kube import finalizers
from kube.apply import apply_status
from kube.errors import ApiError, NotFound
from kube.object import Key
from kube.pages import EVERYTHING, Selection
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from executor.cluster.link import Link
    from executor.engine.source import Declared
    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta, Store

logger = logging.getLogger(__name__)

MANAGER: Final = "kubevmm-executor"
"""The field manager; for what several nodes write in one object, with the node's name behind it."""

FIRST: Final = 10.0
"""Seconds to wait for the API server at the start: guests need it less than it is needed to change them."""

_USES: Final = {"VirtualMachineNetwork": ("networkRef",), "VirtualMachineStoragePool": ("poolRef", "poolRefs")}


_NEEDS: Final = {DISKS: ("diskRef",), **_USES}
"""What must be there before what refers to it is made: by kind, the keys that refer to it."""


def manager_of(kind: str, node: str) -> str:
    """Return the field manager by which *node* writes the status of objects of *kind*."""
    return f"{MANAGER}-{node}"[:128] if kind in LISTS else MANAGER


class ApiSource:
    """A `Source` of what concerns the node *node*. `prepare` it with the manager of the link that it then gets.

    As long as the API server has not answered, what *remembered* returns (the guests that carry our mark) is kept as it
    was applied last. An object that is gone without our having let it go is nobody's, and stays as it is here.
    """

    def __init__(self, node: str, remembered: Callable[[], Iterable[Ref]]) -> None:
        self._node = node
        self._remembered = remembered
        self._stores: dict[str, list[Store]] = {}
        self._synced = threading.Event()
        self._lock = threading.Lock()
        self._known: dict[Ref, tuple[str, View]] = {}
        self._begun: set[Ref] = set()
        self._every: Declarations | None = None
        self._changed: Callable[[Iterable[Ref]], None] | None = None
        self._link: Link
        self._secrets: Secrets
        self.node: Store
        """The node's own VirtualMachineNode, or nothing."""

    def prepare(self, manager: Manager) -> None:
        """Add the caches to *manager*."""
        mine = Selection(fields=f"status.nodeName={self._node}")
        # Disks in shared pools are on no node.
        selections = {GUESTS: [mine], DISKS: [mine, Selection(fields="status.nodeName=")], SNAPSHOTS: [mine]}
        for kind in (*selections, *LISTS):
            self._stores[kind] = [manager.cache(RESOURCES[kind], each) for each in selections.get(kind, [EVERYTHING])]
            for store in self._stores[kind]:
                store.subscribe(partial(self._happened, kind))
        self.node = manager.cache(RESOURCES["VirtualMachineNode"], Selection(fields=f"metadata.name={self._node}"))
        manager.add(self._filled, leader_only=False)

    def attach(self, link: Link) -> None:
        """Use *link*, whose manager was prepared."""
        self._link = link
        self._secrets = Secrets(link)

    def find(self, ref: Ref) -> Object | None:
        """Return the object as the API server had it last."""
        key = Key(ref.namespace, ref.name)
        found = (store.get(key) for store in self._stores.get(ref.kind, ()))
        return next((each for each in found if each is not None), None)

    @property
    def synced(self) -> bool:
        """Whether the API server has told all once."""
        return self._synced.is_set()

    def start(self, changed: Callable[[Iterable[Ref]], None]) -> None:
        """See `Source.start`."""
        self._changed = changed
        if not self._synced.wait(FIRST):
            logger.warning("the API server does not answer yet: guests are kept as they were applied last")

    def stop(self) -> None:
        """See `Source.stop`."""
        self._changed = None

    def reread(self) -> None:
        """See `Source.reread`; what is cached is true already, but for Secrets."""
        self._secrets.forget()
        with self._lock:
            self._every = None

    def refs(self) -> Iterable[Ref]:
        """See `Source.refs`."""
        if not self.synced:
            return list(self._remembered())
        return [ref for ref, _, view in self._views() if view.role in (Role.MAKE, Role.REMOVE)]

    def get(self, ref: Ref) -> Wanted | None:
        """See `Source.get`."""
        if not self.synced:
            return Wanted(stale="the API server has not answered yet") if ref.kind == GUESTS else None
        found = self.find(ref)
        if found is None:
            return None
        view = self._view(ref, found)
        if view.role is Role.REMOVE:
            orphan = (
                ORPHAN in found.finalizers
                or view.declared.object["spec"].get("deletionPolicy") == "Retain"
                or kind_leaves(self._link, ref.kind)
            )
            waits = "" if orphan else self._used(ref)
            moves = ref.kind == GUESTS and not found.deleting
            return Wanted(view.declared, deleting=True, orphan=orphan, deliberate=True, moves=moves, waits=waits)
        if view.role is not Role.MAKE:
            return None
        # Of an image the controller says which pools of which nodes get it.
        waits = view.lacks if ref.kind == GUESTS else ""
        return Wanted(view.declared, waits=waits or (self._lacks(view.declared) if ref.kind in (GUESTS, DISKS) else ""))

    def knows(self, ref: Ref) -> bool:
        """See `Source.knows`."""
        if not self.synced:
            return ref.kind == GUESTS
        found = self.find(ref)
        return found is not None and self._view(ref, found).role in (Role.MAKE, Role.REMOVE)

    def leaves(self, ref: Ref) -> bool:
        """See `Source.leaves`."""
        found = self.find(ref) if self.synced else None
        return found is not None and self._view(ref, found).role is Role.REMOVE

    def every(self) -> Declarations:
        """See `Source.every`."""
        with self._lock:
            if self._every is not None and not self._secrets.stale():
                return self._every
        objects = [
            view.declared for _, found, view in self._views() if view.role is not Role.NONE and not found.deleting
        ]
        secrets = self._secrets.values(
            (namespace, name)
            for each in objects
            for key, namespace, name in each.reach
            if key.endswith("SecretRef") or key == "secretRef"
        )
        made = Declarations(objects, secrets)
        with self._lock:
            self._every = made if self._every is None or self._every != made else self._every
            return self._every

    def claim(self, declared: Declared) -> bool:
        """See `Source.claim`: sets the finalizer, or begins the node's entries, for which the controller has set one.

        Raises KubevmmError where the API server does not take it.
        """
        ref = declared.ref
        found = self.find(ref)
        # Of the very version that is claimed: one that went to another node has a finalizer of that node's.
        view = self._view(ref, found) if found is not None else None
        if found is None or view is None or view.role is not Role.MAKE:
            return False
        if found.uid != declared.object["metadata"].get("uid"):
            return False
        try:
            if ref.kind in LISTS:
                self._begin(ref, found)
            elif FINALIZER not in found.finalizers:
                self._link.call(finalizers.add(self._link.client, RESOURCES[ref.kind], found, FINALIZER))
        except ApiError as error:
            raise KubevmmError(f"{ref}: the API server does not let this node have it: {error}") from None
        return True

    def release(self, ref: Ref) -> None:
        """See `Source.release`: takes the finalizer or the entries away.

        Raises KubevmmError where the API server does not let it.
        """
        resource, key = RESOURCES[ref.kind], Key(ref.namespace, ref.name)
        client = self._link.client
        try:
            # Not the cache's: a version that is not the newest would be refused.
            found = self._link.call(client.get(resource, key))
            if ref.kind in LISTS:
                manager = manager_of(ref.kind, self._node)
                self._link.call(apply_status(client, resource, found, {}, manager=manager))
            else:
                self._link.call(finalizers.remove(client, resource, found, FINALIZER))
        except NotFound:
            return
        except ApiError as error:
            raise KubevmmError(f"{ref}: the API server does not let go of it: {error}") from None

    def problems(self) -> list[str]:
        """See `Source.problems`."""
        return [] if self.synced else ["the API server has not answered yet"]

    def view(self, ref: Ref) -> View | None:
        """Return what the object *ref* is to this node, None where there is none."""
        found = self.find(ref)
        return self._view(ref, found) if found is not None else None

    def _begin(self, ref: Ref, found: Object) -> None:
        """Write the node's entries where there are none: what nobody claims is thought to be nowhere."""
        view = self._view(ref, found)
        mine = roles.entries(ref, found.decode().get("status") or {}, self._node)
        pools = list(view.pools) if ref.kind == IMAGES else [""]
        begun = [each for each in mine if roles.claimed(each)]
        if {each.get("pool", "") for each in begun} >= set(pools):
            return
        kept = [{key: value for key, value in each.items() if key != "desired"} for each in begun]
        there = {each.get("pool", "") for each in kept}
        new = [
            {"nodeName": self._node, "state": "Pending", **({"pool": pool} if pool else {})}
            for pool in pools
            if pool not in there
        ]
        client, manager = self._link.client, manager_of(ref.kind, self._node)
        status = {LISTS[ref.kind]: [*kept, *new]}
        made = self._link.call(apply_status(client, RESOURCES[ref.kind], found, status, manager=manager)).object
        with self._lock:
            self._begun.add(ref)
        if made.uid != found.uid or made.deleting:
            raise KubevmmError(f"{ref}: is deleted")

    def began(self, ref: Ref) -> bool:
        """Say whether entries of *ref* were begun since this was asked last."""
        with self._lock:
            found = ref in self._begun
            self._begun.discard(ref)
        return found

    def _lacks(self, declared: Declared) -> str:
        """Return what *declared* waits for, and why that cannot be had; empty where it has all.

        A reference means an object: what libvirt alone has by its name is not for whoever guesses that.
        """
        for key, namespace, name in declared.reach:
            kind = next((each for each, keys in _NEEDS.items() if key in keys), None)
            if kind is None or (kind == DISKS and declared.ref.kind != GUESTS):
                continue
            target = Ref(kind, namespace, name)
            view = self.view(target)
            if view is None or view.role is Role.NONE:
                return f"waits for {target}: there is none on the node {self._node}"
            if view.lacks:
                return f"waits for {target}: {view.lacks}"
        return ""

    def _used(self, ref: Ref) -> str:
        """Return what here needs the network or pool *ref*, empty where nothing does."""
        if ref.kind not in _USES:
            return ""
        for other, _, view in self._views():
            has = view.role in (Role.MAKE, Role.REMOVE) or (other.kind == IMAGES and view.role is Role.KNOW)
            if has and other.kind not in _USES:
                needs = any(
                    key in _USES[ref.kind] and (namespace, name) == (ref.namespace, ref.name)
                    for key, namespace, name in view.declared.reach
                )
                if needs:
                    return f"{other} in {other.namespace} uses it"
        return ""

    def _views(self) -> Iterator[tuple[Ref, Object, View]]:
        for kind, stores in self._stores.items():
            for store in stores:
                for found in store:
                    ref = ref_of(kind, found)
                    yield ref, found, self._view(ref, found)

    def _view(self, ref: Ref, found: Object) -> View:
        """Return what *found* is to this node: the same as long as it says the same."""
        with self._lock:
            known = self._known.get(ref)
        if known is not None and known[0] == found.resource_version:
            return known[1]
        made = roles.view(ref, found, self._node)
        if known is not None and known[1].declared.object == made.declared.object:
            made = replace(made, declared=known[1].declared)
        with self._lock:
            self._known[ref] = found.resource_version, made
        return made

    def _happened(self, kind: str, delta: Delta) -> None:
        ref = ref_of(kind, delta.object)
        with self._lock:
            known = self._known.get(ref)
        now = self.find(ref)
        if now is None:
            with self._lock:
                self._known.pop(ref, None)
        old, new = known[1] if known is not None else None, self._view(ref, now) if now is not None else None
        finalized = delta.old is not None and delta.new is not None and delta.old.finalizers != delta.new.finalizers
        if old is not None and new is not None and old.says_what(new) and not finalized:
            if old.lacks != new.lacks:
                self._tell([ref] if ref.kind == GUESTS else self._users_of(ref))
            # Our own status, most of the time.
            return
        with self._lock:
            self._every = None
        self._tell([ref, *self._users_of(ref), *self._waiting(ref)])

    def _users_of(self, ref: Ref) -> list[Ref]:
        """Return what may have waited for *ref*."""
        wanted = {(key, ref.namespace, ref.name) for key in _NEEDS.get(ref.kind, ())}
        if not wanted:
            return []
        views = (each for each in self._views() if each[0].kind in (GUESTS, DISKS))
        return [other for other, _, view in views if not wanted.isdisjoint(view.declared.reach)]

    def _waiting(self, ref: Ref) -> list[Ref]:
        """Return the networks and pools that are to go, which may have waited for *ref*."""
        if ref.kind in _USES:
            return []
        return [other for other, _, view in self._views() if other.kind in _USES and view.role is Role.REMOVE]

    async def _filled(self, stop: Any) -> None:
        self._synced.set()
        self._tell(self.refs())
        await stop.wait()

    def _tell(self, refs: Iterable[Ref]) -> None:
        changed = self._changed
        if changed is not None and self.synced:
            changed(list(refs))
