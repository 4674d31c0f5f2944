"""What objects are called: their kinds, by every name that people use, and references to single ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from analyser.documents import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
    KindName("VirtualMachineNode", "virtualmachinenodes", "vmnode", namespaced=False),
)

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


def selected(labels: Mapping[str, str], selector: str) -> bool:
    """Say whether *labels* are as *selector* (``app=web,tier!=db,team,!old``) asks."""
    return all(_holds(labels, term.strip()) for term in selector.split(",") if term.strip())


def _holds(labels: Mapping[str, str], term: str) -> bool:
    if "!=" in term:
        key, _, value = term.partition("!=")
        return labels.get(key.strip()) != value.strip()
    if "=" in term:
        key, _, value = term.replace("==", "=").partition("=")
        return labels.get(key.strip()) == value.strip()
    return term[1:] not in labels if term.startswith("!") else term in labels


def walked(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield every map in *node* with its path, the outer ones first."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from walked(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walked(value, (*path, index))
