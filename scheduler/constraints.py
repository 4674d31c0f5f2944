"""What kube-scheduler asks of a node for itself, as far as one guest and one node decide it, and in its own words.

Taints, nodeSelector and required node affinity (kubernetes.io/docs/concepts/scheduling-eviction). What other Pods
decide (affinity between Pods, topology spread) is not here, nor what is only preferred.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

UNSCHEDULABLE: Final = "node(s) were unschedulable"
TAINTED: Final = "node(s) had untolerated taint(s)"
ELSEWHERE: Final = "node(s) didn't match Pod's node affinity/selector"

_CORDONED: Final = "node.kubernetes.io/unschedulable"
_KEEPS_AWAY: Final = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True)
class Taint:
    """One taint of a node."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True)
class Toleration:
    """One toleration of a guest; empty words are any."""

    key: str
    operator: str
    value: str
    effect: str

    def bears(self, taint: Taint) -> bool:
        """Say whether *taint* does not keep the guest away."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.operator == "Exists" or (bool(self.key) and self.value == taint.value)


@dataclass(frozen=True)
class Match:
    """One expression about a node's labels, or (``field``) its name."""

    key: str
    operator: str
    values: tuple[str, ...]
    field: bool = False


Terms = tuple[tuple[Match, ...], ...]
"""Of which one must hold, and of that all."""


@dataclass(frozen=True)
class Constraints:
    """Which nodes a guest may be on. ``terms`` None asks for nothing, empty for what no node is."""

    selector: tuple[tuple[str, str], ...] = ()
    terms: Terms | None = None
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True)
class Machine:
    """What a Kubernetes Node says of itself."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


def refusal(wanted: Constraints, machine: Machine) -> str:
    """Return why kube-scheduler does not put what asks for *wanted* on *machine*; empty if it may."""
    cordoned = Taint(_CORDONED, "", "NoSchedule")
    if machine.unschedulable and not _borne(wanted, cordoned):
        return UNSCHEDULABLE
    if not all(_borne(wanted, each) for each in machine.taints if each.effect in _KEEPS_AWAY):
        return TAINTED
    if any(machine.labels.get(key) != value for key, value in wanted.selector):
        return ELSEWHERE
    if wanted.terms is not None and not any(_holds(term, machine) for term in wanted.terms):
        return ELSEWHERE
    return ""


def constraints(spec: Mapping[str, Any]) -> Constraints:
    """Return what the *spec* of a VirtualMachine asks for."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = None
    if required is not None:
        terms = tuple(_term(each) for each in required.get("nodeSelectorTerms") or ())
    return Constraints(
        tuple(sorted((str(key), str(value)) for key, value in (spec.get("nodeSelector") or {}).items())),
        terms,
        tuple(
            Toleration(*(str(each.get(key) or "") for key in ("key", "operator", "value", "effect")))
            for each in spec.get("tolerations") or ()
        ),
    )


def machine(node: Mapping[str, Any]) -> Machine:
    """Return what the Node *node* says, or a VirtualMachineNode, which has its labels."""
    spec, metadata = node.get("spec") or {}, node.get("metadata") or {}
    taints = tuple(
        Taint(*(str(each.get(key) or "") for key in ("key", "value", "effect"))) for each in spec.get("taints") or ()
    )
    return Machine(str(metadata.get("name")), metadata.get("labels") or {}, taints, bool(spec.get("unschedulable")))


def _borne(wanted: Constraints, taint: Taint) -> bool:
    return any(each.bears(taint) for each in wanted.tolerations)


def _term(term: Mapping[str, Any]) -> tuple[Match, ...]:
    return tuple(
        Match(str(each["key"]), str(each["operator"]), tuple(map(str, each.get("values") or ())), field=of_field)
        for where, of_field in (("matchExpressions", False), ("matchFields", True))
        for each in term.get(where) or ()
    )


def _holds(term: Sequence[Match], machine: Machine) -> bool:
    # A term that says nothing means no node (kubernetes.io, NodeSelectorTerm).
    return bool(term) and all(_matches(each, machine) for each in term)


def _matches(match: Match, machine: Machine) -> bool:
    value = machine.name if match.field else machine.labels.get(match.key)
    return _OPERATORS[match.operator](value, match.values) if match.operator in _OPERATORS else False


def _compared(value: str | None, values: Sequence[str], holds: Callable[[int, int], bool]) -> bool:
    try:
        return value is not None and len(values) == 1 and holds(int(value), int(values[0]))
    except ValueError:
        return False


_OPERATORS: Final[Mapping[str, Callable[[str | None, Sequence[str]], bool]]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: _compared(value, values, lambda one, other: one > other),
    "Lt": lambda value, values: _compared(value, values, lambda one, other: one < other),
}
