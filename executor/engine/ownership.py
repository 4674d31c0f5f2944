"""Guests taken over as they are, given back as they were, and deleted as their objects say."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from analyser.names import GROUP, object_name
from executor.engine import held, respelling, runs, seed, snapshots, store
from executor.engine.guests import now, observe
from executor.engine.objects import Ref
from executor.hypervisor.errors import Conflict, LibvirtError, NotFound, WrongState
from executor.hypervisor.handle import Affect
from executor.plan import foreign
from executor.plan import mark as marks
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.engine.source import Declared
    from executor.engine.store import Guest
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

_EMPTY: Final = "\n  <metadata/>\n"

ADOPTED: Final = "kubevmm.io/adopted"
"""The annotation of objects that nobody has applied yet."""

ASKED: Final = "asked to shut down"
"""What becomes of a guest that is to be deleted, and that nobody waits for."""

GRACE: Final = 180
"""Seconds that a guest has to shut down where neither its object nor a person says."""


def adopt(hypervisor: Hypervisor, name: str, namespace: str, *, declared: Declared | None = None) -> Ref:
    """Take over the domain that libvirt calls *name*: it gets our mark, and nothing else of it changes.

    Its object is what is there, left running or not as people start and stop it, and released when it is deleted. With
    *declared* it is that object, which is not applied yet. Raises KubevmmError where it is managed already.
    """
    domain = store.by_name(hypervisor, name)
    if domain is None:
        raise NotFound(f"no domain is called {name}", hint="`virtctl get vm --unmanaged` lists them")
    mark = store.mark_of(domain)
    ref = declared.ref if declared is not None else Ref("VirtualMachine", namespace, object_name(name))
    if not ref.name:
        raise KubevmmError(f"{name}: nothing of it can stay in an object's name", hint="adopt it with -f and a name")
    if mark is not None:
        owner = store.Guest(domain, mark).ref
        if owner == ref:
            return ref
        raise KubevmmError(f"the domain {name} is managed already, as {owner} in the namespace {owner.namespace}")
    other = store.lookup(hypervisor, ref)
    if other is not None:
        raise KubevmmError(f"{ref} in {ref.namespace} is the domain {other.domain.name} already")
    obj = object_of(domain, ref)
    if declared is not None:
        # The next apply then changes what the object names, and takes away nothing that it never named.
        spec = {key: value for key, value in obj["spec"].items() if key != "domain"}
        obj = {**obj, "spec": {**spec, "domain": {}}}
    obj["metadata"]["annotations"] = {ADOPTED: "true"}
    _set(domain, marks.make(ref.namespace, ref.name, domain.uuid, obj).xml())
    return ref


def object_of(domain: Domain, ref: Ref) -> dict[str, Any]:
    """Return *domain* as the object *ref* that says all of its definition, but no passwords."""
    return {
        "apiVersion": GROUP,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "creationTimestamp": now()},
        "spec": {"runStrategy": "Manual", "deletionPolicy": "Retain", "domain": _definition(domain)},
    }


def _definition(domain: Domain) -> dict[str, Any]:
    found = observe(domain, secure=False).inactive
    if marks.URI not in str(found.get("metadata")):
        return found
    # What we noted there is no part of what it is.
    rest = foreign.without(str(found.get("metadata") or ""), marks.URI)
    return {key: rest if key == "metadata" else each for key, each in found.items() if key != "metadata" or rest}


def release(hypervisor: Hypervisor, guest: Guest) -> None:
    """Take our mark off *guest*: its definition is as it was before, and it is plain libvirt's.

    Where there was no metadata, libvirt leaves an empty element behind; the definition loses it too, what runs keeps it
    until its next start. To lose it takes a definition anew, which `respelling` has libvirt print as it was.
    """
    domain = guest.domain
    held.release(domain)
    _set(domain, None)
    runs.forget(hypervisor, domain.uuid)
    if not domain.persistent:
        return
    text = domain.xml(inactive=True, secure=True)
    if _EMPTY in text:
        # It means nothing, so that a definition that libvirt would no longer take keeps it.
        with contextlib.suppress(LibvirtError):
            respelling.define(hypervisor, domain, text.replace(_EMPTY, "\n", 1))


def delete(
    hypervisor: Hypervisor,
    guest: Guest,
    *,
    grace: int | None = None,
    cascade: bool = True,
    patience: float | None = None,
) -> str:
    """Delete the object that *guest* is, as its deletionPolicy says; return ``deleted`` or ``released``.

    A guest that runs is asked to shut down first, and its power cut after *grace* seconds (None: as its object says; 0:
    at once). Its disks stay. Without *cascade* it is released whatever its policy. Raises Conflict where it runs still
    after *patience* seconds, and grace is not over yet: then it was asked, and that is all. With a patience of 0 that
    is no error, but what is returned: ``asked to shut down``.
    """
    spec = guest.object.get("spec") or {}
    if spec.get("deletionPolicy") == "Retain" or not cascade:
        release(hypervisor, guest)
        return "released"
    if grace is None:
        grace = int(spec.get("terminationGracePeriodSeconds", GRACE))
    # By its UUID, and looked at again: what carries another mark by now, or none, is not ours to destroy.
    domain = hypervisor.domains.by_uuid(guest.domain.uuid)
    persistent = domain.persistent
    seeds = seed.paths_of(domain) if spec.get("cloudInit") is not None else None
    try:
        if domain.active and not _stop(domain, guest, grace, patience):
            return ASKED
        if persistent:
            _check(domain, guest)
            domain.undefine()
    except NotFound:
        # What has no definition is gone as it stops.
        if persistent:
            raise
    runs.forget(hypervisor, guest.domain.uuid)
    snapshots.forget(hypervisor, guest.domain.uuid)
    if seeds is not None:
        seed.remove(hypervisor, guest.domain.uuid, seeds)
    return "deleted"


def _check(domain: Domain, guest: Guest) -> None:
    mark = store.mark_of(domain)
    if mark is None or store.Guest(domain, mark).ref != guest.ref:
        raise KubevmmError(f"{guest.ref}: the domain {domain.name} is no longer its own", hint="nothing was destroyed")


def _stop(domain: Domain, guest: Guest, grace: int, patience: float | None) -> bool:
    """Return whether it is off. Raises Conflict as `delete` does."""
    _check(domain, guest)
    begun = time.monotonic()
    waits = grace if patience is None else min(grace, patience)
    try:
        if grace > 0:
            domain.shutdown()
        while domain.active and time.monotonic() < begun + waits:
            time.sleep(0.2)
        if domain.active and waits < grace:
            if not waits:
                return False
            raise Conflict(
                f"{guest.ref}: it runs still, {waits:g} s after it was asked to shut down, and is not deleted yet",
                hint="delete it again once it is off; --grace-period and --force cut its power",
            )
        if domain.active:
            _check(domain, guest)
            domain.destroy()
    except WrongState:
        # It ended by itself meanwhile.
        if domain.active:
            raise
    return True


def _set(domain: Domain, xml: str | None) -> None:
    affect = Affect.LIVE if domain.active else Affect.CURRENT
    if domain.persistent:
        affect |= Affect.CONFIG
    domain.set_metadata(xml, namespace=marks.URI, prefix=marks.KEY, affect=affect)
