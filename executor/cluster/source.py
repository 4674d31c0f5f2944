"""The API server as the agent's source: this node's guests, and the kinds that nodes have in common."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from executor.agent.source import Wanted
from executor.cluster.resources import RESOURCES
from executor.cluster.secrets import Secrets
from executor.cluster.wanted import FINALIZER, ORPHAN, declared, ref_of
from executor.engine.source import Declarations, Declared
from kube import finalizers
from kube.errors import ApiError, NotFound
from kube.object import Key
from kube.pages import EVERYTHING, Selection
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from executor.cluster.link import Link
    from executor.engine.objects import Ref
    from kube.manager import Manager
    from kube.object import Object
    from kube.store import Delta, Store

logger = logging.getLogger(__name__)

GUESTS: Final = "VirtualMachine"
SHARED: Final = ("VirtualMachineStoragePool", "VirtualMachineNetwork")
"""Kinds that many nodes have, each of which picks its own by their selectors."""

FIRST: Final = 10.0
"""Seconds to wait for the API server at the start: guests need it less than it is needed to change them."""


class ApiSource:
    """A `Source` of what concerns the node *node*. `prepare` it with the manager of the link that it then gets.

    As long as the API server has not answered, what *remembered* returns (the guests that carry our mark) is kept as it
    was applied last. A guest whose object is gone is nobody's, and stays as it is.
    """

    def __init__(self, node: str, remembered: Callable[[], Iterable[Ref]]) -> None:
        self._node = node
        self._remembered = remembered
        self._stores: dict[str, Store] = {}
        self._synced = threading.Event()
        self._lock = threading.Lock()
        self._known: dict[Ref, tuple[str, Declared]] = {}
        self._every: Declarations | None = None
        self._changed: Callable[[Iterable[Ref]], None] | None = None
        self._link: Link
        self._secrets: Secrets

    def prepare(self, manager: Manager) -> None:
        """Add the caches to *manager*."""
        mine = Selection(fields=f"status.nodeName={self._node}")
        for kind in (GUESTS, *SHARED):
            store = manager.cache(RESOURCES[kind], mine if kind == GUESTS else EVERYTHING)
            self._stores[kind] = store
            store.subscribe(partial(self._happened, kind))
        manager.add(self._filled, leader_only=False)

    def attach(self, link: Link) -> None:
        """Use *link*, whose manager was prepared."""
        self._link = link
        self._secrets = Secrets(link)

    def store(self, kind: str) -> Store | None:
        """Return the cache of *kind*, None where there is none."""
        return self._stores.get(kind)

    def find(self, ref: Ref) -> Object | None:
        """Return the object as the API server had it last."""
        store = self._stores.get(ref.kind)
        return store.get(Key(ref.namespace, ref.name)) if store is not None else None

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
        return [ref_of(kind, found) for kind, store in self._stores.items() for found in store]

    def get(self, ref: Ref) -> Wanted | None:
        """See `Source.get`."""
        if not self.synced:
            return Wanted(stale="the API server has not answered yet") if ref.kind == GUESTS else None
        found = self.find(ref)
        if found is None:
            return None
        if found.deleting:
            if FINALIZER not in found.finalizers:
                return None
            return Wanted(self._declared(ref, found), deleting=True, orphan=ORPHAN in found.finalizers)
        return Wanted(self._declared(ref, found))

    def every(self) -> Declarations:
        """See `Source.every`."""
        with self._lock:
            if self._every is not None and not self._secrets.stale():
                return self._every
        objects = [
            self._declared(ref_of(kind, found), found)
            for kind, store in self._stores.items()
            for found in store
            if not found.deleting
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

    def claim(self, declared: Declared) -> None:
        """See `Source.claim`: sets the finalizer. Raises KubevmmError where the API server does not take it."""
        if declared.ref.kind != GUESTS:
            return
        found = self.find(declared.ref)
        if found is None or FINALIZER in found.finalizers:
            return
        try:
            self._link.call(finalizers.add(self._link.client, RESOURCES[declared.ref.kind], found, FINALIZER))
        except ApiError as error:
            raise KubevmmError(f"{declared.ref}: the API server does not take the finalizer: {error}") from None

    def release(self, ref: Ref) -> None:
        """See `Source.release`: takes the finalizer away. Raises KubevmmError where the API server does not let it."""
        resource, key = RESOURCES[ref.kind], Key(ref.namespace, ref.name)
        try:
            # Not the cache's: a version that is not the newest would be refused.
            found = self._link.call(self._link.client.get(resource, key))
            self._link.call(finalizers.remove(self._link.client, resource, found, FINALIZER))
        except NotFound:
            return
        except ApiError as error:
            raise KubevmmError(f"{ref}: the API server does not let the finalizer go: {error}") from None

    def problems(self) -> list[str]:
        """See `Source.problems`."""
        return [] if self.synced else ["the API server has not answered yet"]

    def _declared(self, ref: Ref, found: Object) -> Declared:
        """Return *found* as a declaration: the same one as long as it says the same."""
        with self._lock:
            known = self._known.get(ref)
        if known is not None and known[0] == found.resource_version:
            return known[1]
        made = declared(ref, found)
        if known is not None and known[1].object == made.object:
            made = known[1]
        with self._lock:
            self._known[ref] = found.resource_version, made
        return made

    def _happened(self, kind: str, delta: Delta) -> None:
        ref = ref_of(kind, delta.object)
        if delta.new is None:
            with self._lock:
                self._known.pop(ref, None)
                self._every = None
        elif not self._says_the_same(ref, delta):
            with self._lock:
                self._every = None
        else:
            # Our own status, most of the time.
            return
        self._tell([ref])

    def _says_the_same(self, ref: Ref, delta: Delta) -> bool:
        old, new = delta.old, delta.new
        if old is None or new is None or old.deleting != new.deleting or old.finalizers != new.finalizers:
            return False
        with self._lock:
            known = self._known.get(ref)
        return known is not None and known[1] is self._declared(ref, new)

    async def _filled(self, stop: Any) -> None:
        self._synced.set()
        self._tell(self.refs())
        await stop.wait()

    def _tell(self, refs: Iterable[Ref]) -> None:
        changed = self._changed
        if changed is not None and self.synced:
            changed(list(refs))
