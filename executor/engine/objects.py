"""What objects are called: their kinds, by every name that people use, and references to single ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from analyser.names import GROUP
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True)
class KindName:
    """A kind by its names; ``namespaced`` is false for what belongs to no namespace."""

    name: str
    plural: str
    short: str
    namespaced: bool = True


# Not schemas.api.kinds, which costs a verb like `stop` what it needs to load all structs.
KINDS: Final = (
    KindName("VirtualMachine", "virtualmachines", "vm"),
    KindName("VirtualMachineDisk", "virtualmachinedisks", "vmdisk"),
    KindName("VirtualMachineImage", "virtualmachineimages", "vmimage"),
    KindName("VirtualMachineSnapshot", "virtualmachinesnapshots", "vmsnapshot"),
    KindName("VirtualMachineNetwork", "virtualmachinenetworks", "vmnet"),
    KindName("VirtualMachineStoragePool", "virtualmachinestoragepools", "vmpool"),
    KindName("VirtualMachineOperation", "virtualmachineoperations", "vmop"),
    KindName("VirtualMachineReplicaSet", "virtualmachinereplicasets", "vmrs"),
    KindName("VirtualMachineNode", "virtualmachinenodes", "vmnode", namespaced=False),
)

OF_CLUSTERS: Final = frozenset({"VirtualMachineOperation", "VirtualMachineReplicaSet"})
"""The kinds of which a node by itself has no objects."""

_BY_NAME: Final[Mapping[str, KindName]] = {
    name: kind
    for kind in KINDS
    for name in (kind.name.lower(), kind.plural, kind.short, f"{kind.short}s", f"{kind.plural}.kubevmm.io")
}


def kind_of(word: str) -> KindName | None:
    """Return the kind that *word* names (``vm``, ``vms``, ``virtualmachine`` ...); None if it is none of ours."""
    return _BY_NAME.get(word.lower())


@dataclass(frozen=True, order=True)
class Ref:
    """One object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


def ref_of(obj: Mapping[str, Any]) -> Ref:
    """Return what *obj*, a valid object of ours, is called; without a namespace it is in ``default``."""
    metadata = obj.get("metadata") or {}
    return Ref(str(obj.get("kind")), str(metadata.get("namespace") or "default"), str(metadata.get("name") or ""))


def is_ours(obj: Mapping[str, Any]) -> bool:
    """Say whether *obj* is of a kind of ours."""
    return obj.get("apiVersion") == GROUP and kind_of(str(obj.get("kind"))) is not None


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of *obj*."""
    return dict((obj.get("metadata") or {}).get("labels") or {})


_TERM: Final = re.compile(
    r"""\s*(?:(?P<absent>!)\s*(?P<gone>[\w./-]+)
    |(?P<key>[\w./-]+)\s*(?:(?P<is>==?|!=)\s*(?P<value>[\w.-]*)|\s(?P<among>in|notin)\s*\((?P<values>[\w.,\s-]*)\))?)
    \s*(?:,|$)""",
    re.VERBOSE,
)


def selected(labels: Mapping[str, str], selector: str) -> bool:
    """Say whether *labels* are as *selector* (``app=web,tier!=db,team,!old,zone in (a,b)``) asks, as in kubectl.

    Raises InputError for what is no selector.
    """
    return all(wanted(labels) for wanted in _terms(selector.strip()))


@cache
def _terms(selector: str) -> tuple[Callable[[Mapping[str, str]], bool], ...]:
    out = []
    place = 0
    while place < len(selector):
        term = _TERM.match(selector, place)
        if term is None:
            raise InputError(f"{selector} is no label selector", hint="write it as app=web,tier!=db,zone in (a,b)")
        out.append(_test(term))
        place = term.end()
    return tuple(out)


def _test(term: re.Match[str]) -> Callable[[Mapping[str, str]], bool]:
    gone, key = term["gone"], term["key"]
    if gone:
        return lambda labels: gone not in labels
    if term["is"]:
        values, wanted = {term["value"]}, term["is"] != "!="
    elif term["among"]:
        values, wanted = {value.strip() for value in term["values"].split(",")}, term["among"] == "in"
    else:
        return lambda labels: key in labels
    # What has no such label is neither one of the values nor kept out for it.
    return lambda labels: (labels.get(key) in values) is wanted


def walked(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield every map in *node* with its path, the outer ones first."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from walked(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walked(value, (*path, index))
