"""Clones of guests: an operation that the controller does itself, since all that it takes is objects.

Each object bears the uid of the operation that it was made by, and a name that follows from that: so whoever goes on
after a process has ended finds what is there. The guest is made last, when all of its disks are whole; if it cannot be,
they go again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controller.cloning import LABEL, Uncloneable, clone
from controller.operationstatus import Verdict
from controller.resources import DISKS, GUESTS, OPERATIONS
from kube.conditions import find
from kube.errors import AlreadyExists, BadRequest, Forbidden, Invalid, NotFound
from kube.object import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.cloning import Clone
    from kube.client import Client
    from kube.manager import Manager
    from kube.object import Object
    from kube.resource import Resource

TYPE: Final = "Clone"

_BY: Final = "operation"
_REFUSALS: Final = (Forbidden, Invalid, BadRequest)


class Clones:
    """Of guests and disks in the caches of *manager*."""

    def __init__(self, manager: Manager, client: Client) -> None:
        self._operations = manager.cache(OPERATIONS)
        self._guests = manager.cache(GUESTS)
        self._disks = manager.cache(DISKS)
        self._disks.add_index(_BY, _made_by)
        self._operations.add_index(_BY, lambda found: [found.uid])
        self._client = client

    def of_object(self, found: Object) -> Iterable[Key]:
        """Map a disk or a guest to the operation that it was made by."""
        return [each.key for uid in _made_by(found) for each in self._operations.by(_BY, uid)]

    async def advance(self, operation: Mapping[str, Any], guest: Object) -> Verdict:
        """Do what is next of *operation*, a clone of *guest*; return how far it is. Raises an ApiError."""
        begun = (operation.get("status") or {}).get("phase") == "Running"
        try:
            wanted = clone(guest.decode(), operation, lambda name: self._disk(guest.key.namespace, name))
            said = await (self._go_on(operation, wanted) if begun else self._begin(operation, guest, wanted))
        except Uncloneable as error:
            said = Verdict(error.reason, str(error), refused=True)
        except _REFUSALS as error:
            said = Verdict("Refused", str(error), refused=True)
        return await self.give_up(operation, said) if said.refused and begun else said

    async def give_up(self, operation: Mapping[str, Any], said: Verdict) -> Verdict:
        """Delete the disks that were made for *operation*, which comes to nothing; return what is *said* of that.

        It did come to something where the guest is there already, and only nobody said so. Raises an ApiError.
        """
        namespace, uid = operation["metadata"]["namespace"], operation["metadata"]["uid"]
        target = operation["spec"]["clone"]["target"]
        if await self._ours(GUESTS, {"metadata": {"namespace": namespace, "name": target}}, operation):
            return Verdict("Succeeded", f"cloned to {target}", phase="Succeeded")
        for disk in list(self._disks.by(_BY, uid)):
            if disk.key.namespace == namespace and not disk.deleting:
                try:
                    await self._client.delete(DISKS, disk.key, uid=disk.uid)
                except NotFound:
                    continue
        return said

    async def _begin(self, operation: Mapping[str, Any], guest: Object, wanted: Clone) -> Verdict:
        """Say whether it can be: nothing is made before it is known that all of it may be."""
        word = (guest.decode().get("status") or {}).get("printableStatus")
        name = guest.key.name
        if word != "Stopped":
            why = f"{name} is not off ({word or 'nobody has looked at it yet'}): `kubectl virt stop {name}` stops it"
            return Verdict("Running" if word else "Unknown", why, refused=True)
        for resource, body in self._all(wanted):
            try:
                await self._client.create(resource, body, dry_run=True)
            except AlreadyExists:
                if not await self._ours(resource, body, operation):
                    raise _taken(body) from None
        return Verdict("Running", "its disks are made", phase="Running")

    async def _go_on(self, operation: Mapping[str, Any], wanted: Clone) -> Verdict:
        names = {body["metadata"]["name"] for body in wanted.disks}
        uid = operation["metadata"]["uid"]
        if any(each.key.name not in names for each in self._disks.by(_BY, uid)):
            raise Uncloneable("GuestChanged", "the guest has other disks than it had when this was begun")
        for body in wanted.disks:
            await self._make(DISKS, body, operation)
        for body in wanted.disks:
            waits = _waits(self._disk(body["metadata"]["namespace"], body["metadata"]["name"]))
            if waits is not None:
                return Verdict("Running", f"waits for the disk {body['metadata']['name']}{waits}", phase="Running")
        await self._make(GUESTS, wanted.guest, operation)
        notes = "".join(f"; {note}" for note in wanted.notes)
        return Verdict("Succeeded", f"cloned to {wanted.guest['metadata']['name']}{notes}", phase="Succeeded")

    async def _make(self, resource: Resource, body: dict[str, Any], operation: Mapping[str, Any]) -> None:
        """Make *body* unless it is there already."""
        metadata = body["metadata"]
        cached = (self._disks if resource is DISKS else self._guests).get(Key(metadata["namespace"], metadata["name"]))
        if cached is not None and _made_by(cached) == [operation["metadata"]["uid"]]:
            return
        try:
            await self._client.create(resource, body)
        except AlreadyExists:
            if not await self._ours(resource, body, operation):
                raise _taken(body) from None

    async def _ours(self, resource: Resource, body: Mapping[str, Any], operation: Mapping[str, Any]) -> bool:
        """Say whether the object of the name of *body* was made for *operation*, as the server has it."""
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        try:
            found = await self._client.get(resource, key)
        except NotFound:
            return False
        return _made_by(found) == [operation["metadata"]["uid"]] and not found.deleting

    def _disk(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        found = self._disks.get(Key(namespace, name))
        return found.decode() if found is not None and not found.deleting else None

    @staticmethod
    def _all(wanted: Clone) -> list[tuple[Resource, dict[str, Any]]]:
        return [(GUESTS, wanted.guest), *((DISKS, body) for body in wanted.disks)]


def _waits(disk: Mapping[str, Any] | None) -> str | None:
    """Return why *disk* is not whole yet, empty where nobody says; None where it is."""
    status = (disk or {}).get("status") or {}
    if status.get("phase") == "Ready":
        return None
    conditions = status.get("conditions") or ()
    said = [find(conditions, kind) or {} for kind in ("Synchronized", "Ready", "Bound")]
    why = next((each["message"] for each in said if each.get("status") == "False" and each.get("message")), "")
    return f": {why}" if why else ""


def _taken(body: Mapping[str, Any]) -> Uncloneable:
    name = body["metadata"]["name"]
    return Uncloneable("NameTaken", f"there is a {body['kind']} {name} already: take another name")


def _made_by(found: Object) -> list[str]:
    uid = found.labels.get(LABEL)
    return [uid] if uid else []
