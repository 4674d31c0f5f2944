"""What an object of the API server is to one node: to be made here, to be taken away, there to be referred to, nothing.

A guest, a disk or a snapshot is a node's by ``status.nodeName``; of a disk in a shared pool one executor takes care,
and all may use it. Networks, pools and images have an entry for each node: the controller says in it whether the node
should have the object, and the executor how that stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from executor.cluster.wanted import FINALIZER, declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.engine.objects import Ref
    from executor.engine.source import Declared
    from kube.object import Object

GUESTS: Final = "VirtualMachine"
DISKS: Final = "VirtualMachineDisk"
SNAPSHOTS: Final = "VirtualMachineSnapshot"
IMAGES: Final = "VirtualMachineImage"
DEFINITIONS: Final = ("VirtualMachineStoragePool", "VirtualMachineNetwork")

LISTS: Final[Mapping[str, str]] = {**dict.fromkeys(DEFINITIONS, "nodes"), IMAGES: "copies"}
"""Where in the status the entries are, of kinds that several nodes have."""


_RUNS: Final = {"Always", "RerunOnFailure", "Once"}


class Role(Enum):
    """What a node has to do with an object."""

    MAKE = "make"
    REMOVE = "remove"
    KNOW = "know"
    NONE = "none"


@dataclass(frozen=True)
class View:
    """An object as it concerns a node: ``declared`` as that is to make it.

    Of a disk, ``lacks`` is why no guest can have it yet, empty where one can; of a guest, why it may not start yet.
    Of an image, ``pools`` are the keys of the entries that this node is to bring it into.
    """

    role: Role
    declared: Declared = field(repr=False)
    lacks: str = ""
    pools: tuple[str, ...] = ()

    def says_what(self, other: View) -> bool:
        """Say whether there is nothing else to do by *other*."""
        return self.role is other.role and self.declared.object == other.declared.object and self.pools == other.pools


def view(ref: Ref, found: Object, node: str) -> View:
    """Return what *found*, which is called *ref*, is to *node*."""
    plain = declared(ref, found)
    if ref.kind in LISTS:
        return _of_many(ref, found, node, plain)
    role = Role.MAKE
    if found.deleting:
        role = Role.REMOVE if FINALIZER in found.finalizers else Role.NONE
    elif ref.kind == GUESTS and (found.decode().get("status") or {}).get("evacuationNodeName") == node:
        # It goes on elsewhere: what is left of it here goes as if it were deleted, and so is never made again here.
        role = Role.REMOVE if FINALIZER in found.finalizers else Role.NONE
    if ref.kind == GUESTS:
        return View(role, plain, lacks=_room(found))
    return _disk(found, node, View(role, plain)) if ref.kind == DISKS else View(role, plain)


def _room(found: Object) -> str:
    """Return why a guest that is off and to run may not start: nobody keeps its room here; empty where it may.

    One that its owner put on the node has no room that anybody keeps.
    """
    whole = found.decode()
    spec, status = whole.get("spec") or {}, whole.get("status") or {}
    runs = spec["running"] if "running" in spec else spec.get("runStrategy") in _RUNS
    if spec.get("nodeName") or not runs or status.get("printableStatus") not in (None, "Stopped"):
        return ""
    said = next((each for each in status.get("conditions") or () if each.get("type") == "Scheduled"), None)
    if said is None or said.get("status") != "False":
        return ""
    return f"waits for room on {status.get('nodeName')}: {said.get('message') or said.get('reason')}"


def entries(ref: Ref, status: Mapping[str, Any], node: str) -> list[dict[str, Any]]:
    """Return the entries of *node* in the *status* of an object that several nodes have."""
    return [each for each in status.get(LISTS[ref.kind]) or () if each.get("nodeName") == node]


def claimed(entry: Mapping[str, Any]) -> bool:
    """Say whether the executor wrote in *entry*: it has something of the object, or is about to."""
    return "state" in entry


def _of_many(ref: Ref, found: Object, node: str, plain: Declared) -> View:
    mine = entries(ref, found.decode().get("status") or {}, node)
    has = any(claimed(each) for each in mine)
    wanted = [each for each in mine if each.get("desired") and not found.deleting]
    if ref.kind == IMAGES:
        keys = tuple(sorted(each["pool"] for each in wanted))
        plain = _into(plain, keys or tuple(sorted(each["pool"] for each in mine)))
        role = Role.MAKE if keys else Role.NONE if not has else Role.REMOVE if found.deleting else Role.KNOW
        return View(role, plain, pools=keys)
    if found.deleting:
        return View(Role.REMOVE if has else Role.NONE, plain)
    if wanted:
        return View(Role.MAKE, plain)
    # Only what the controller says in so many words takes anything away.
    refused = any(each.get("desired") is False for each in mine)
    return View(Role.REMOVE if has and refused else Role.KNOW if has else Role.NONE, plain)


def _into(plain: Declared, keys: tuple[str, ...]) -> Declared:
    """Return the image *plain* for the pools of the *keys* alone."""
    references = [reference(key) for key in keys]
    return replace(plain, object={**plain.object, "spec": {**plain.object["spec"], "poolRefs": references}})


def reference(key: str) -> dict[str, str]:
    """Return what the name of a pool in an entry stands for.

    >>> reference("fast"), reference("infra/fast")
    ({'name': 'fast'}, {'name': 'fast', 'namespace': 'infra'})
    """
    namespace, _, name = key.rpartition("/")
    return {"name": name, **({"namespace": namespace} if namespace else {})}


def _disk(found: Object, node: str, plain: View) -> View:
    status: Mapping[str, Any] = found.decode().get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    lacks = "" if status.get("path") else (conditions.get("Ready") or {}).get("message") or "it is not made yet"
    if status.get("nodeName") == node:
        return replace(plain, lacks=lacks)
    there = status.get("executorNode")
    if not there:
        return replace(plain, role=Role.NONE)
    obj = plain.declared.object
    if status.get("path"):
        # Whoever takes care of it next finds it there, and what it was made from may have gone.
        spec = {key: value for key, value in obj["spec"].items() if key != "source"}
        obj = {**obj, "spec": spec, "status": {"format": status.get("format")}}
    role = plain.role if there == node else Role.NONE if found.deleting else Role.KNOW
    return replace(plain, role=role, declared=replace(plain.declared, object=obj), lacks=lacks)
