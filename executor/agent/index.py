"""Which domain is which object, kept up to date by events: one for a single pass reads all marks each time."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from executor.engine import resolve, store
from executor.engine.objects import Ref
from executor.hypervisor.errors import NotFound
from schemas.errors import InputError

if TYPE_CHECKING:
    from executor.engine.source import Declarations
    from executor.engine.store import Guest
    from executor.hypervisor.hypervisor import Hypervisor


class Index(store.Index):
    """The marks of all domains by their UUIDs. For any number of threads."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        super().__init__(hypervisor)
        self._node = hypervisor
        self._lock = threading.Lock()
        self._refs: dict[str, Ref] = {}
        self._uuids: dict[Ref, str] = {}

    def rebuild(self) -> None:
        """Read all marks. Raises LibvirtError."""
        found = {guest.domain.uuid: guest.ref for guest, _ in store.guests(self._node) if guest.mark is not None}
        with self._lock:
            self._refs = found
            self._uuids = {ref: uuid for uuid, ref in found.items()}

    def update(self, uuid: str) -> Ref | None:
        """Read one domain's mark anew; return the object that it is, or was until now. Raises LibvirtError."""
        domain = store.by_uuid(self._node, uuid)
        mark = None
        if domain is not None:
            try:
                mark = store.mark_of(domain)
            except NotFound:
                domain = None
        ref = Ref("VirtualMachine", mark.namespace, mark.name) if domain is not None and mark is not None else None
        with self._lock:
            before = self._refs.pop(uuid, None)
            if before is not None and self._uuids.get(before) == uuid:
                del self._uuids[before]
            if ref is not None:
                self._refs[uuid] = ref
                self._uuids[ref] = uuid
        return ref or before

    def known(self, uuid: str) -> Ref | None:
        """Return the object that the domain with that UUID is, as far as is known, without a call."""
        with self._lock:
            return self._refs.get(uuid)

    def lookup(self, ref: Ref) -> Guest | None:
        """Return the guest that is the object *ref*; None if no domain carries its mark."""
        found = self._likely(ref)
        if found is not None:
            return found
        with self._lock:
            uuid = self._uuids.get(ref)
        domain = store.by_uuid(self._node, uuid) if uuid is not None else None
        if domain is None:
            return None
        try:
            guest = store.Guest(domain, store.mark_of(domain))
        except NotFound:
            return None
        return guest if guest.ref == ref else None

    def _likely(self, ref: Ref) -> Guest | None:
        for name in (f"{ref.namespace}_{ref.name}", ref.name):
            domain = store.by_name(self._node, name)
            if domain is not None:
                try:
                    guest = store.Guest(domain, store.mark_of(domain))
                except NotFound:
                    continue
                if guest.ref == ref:
                    return guest
        return None


class Expected:
    """Which object a domain is to be by its name or UUID, whatever its mark: it may go before that is read."""

    def __init__(self) -> None:
        self._every: Declarations | None = None
        self._refs: dict[str, Ref] = {}

    def find(self, every: Declarations, *names: str) -> Ref | None:
        """Return the object among *every* that is called by one of *names*, names or UUIDs; None if there is none."""
        if self._every is not every:
            self._refs = {}
            for each in every.objects:
                if each.ref.kind == "VirtualMachine":
                    with contextlib.suppress(InputError):
                        name, uuid = resolve.names(each.object, each.ref)
                        self._refs |= {name: each.ref, uuid or resolve.stable_uuid(each.ref): each.ref}
            self._every = every
        return next((self._refs[name] for name in names if name in self._refs), None)
