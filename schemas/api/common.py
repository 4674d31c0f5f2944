"""What the kinds have in common: the base of their structs, references, conditions, sizes, and how a kind is declared.

A struct's fields carry their descriptions; ``schemas.crd`` makes the CRDs of them, and whoever reads objects decodes
into them (``msgspec.json.decode(raw, type=...)``). Every field may be missing: a spec may hold the native form alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec

GROUP = "kubevmm.io"
VERSION = "v1alpha1"
CATEGORY = "kubevmm"


def doc(description: str, **constraints: Any) -> msgspec.Meta:
    """Return the description of a field with its *constraints*, in OpenAPI's words (``maxLength=63``).

    They are the API server's to check: a reader must bear what another version wrote.
    """
    return msgspec.Meta(description=description, extra_json_schema=constraints)


def list_map(description: str, *keys: str) -> msgspec.Meta:
    """Return the description of a list whose entries are told apart, and merged, by *keys*."""
    return doc(description, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})


def native(description: str, root: str) -> msgspec.Meta:
    """Return the description of a field that holds libvirt's own document *root* by the binding tables."""
    return doc(description, native=root)


@dataclass(frozen=True)
class Rule:
    """A CEL rule of a struct: ``cel`` must be true, else the API server says ``message``."""

    cel: str
    message: str


class Struct(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The base of all: keys in camelCase, what is None is left out."""

    rules: ClassVar[tuple[Rule, ...]] = ()
    needed: ClassVar[tuple[str, ...]] = ()
    """The keys that must be there."""


NAME = 253
"""The most characters that the name of an object may have."""

Quantity: TypeAlias = Annotated[
    str, msgspec.Meta(extra_json_schema={"pattern": "^(0|[1-9][0-9]*)([KMGTPE]i|[kMGTPE])?$", "maxLength": 24})
]
"""A size with its unit, such as 10Gi; a bare number is bytes, as everywhere in Kubernetes."""

Amounts: TypeAlias = dict[str, int | str]
"""Amounts by resource name, as in a Node's capacity: ``cpu``, ``memory``, ``hugepages-2Mi``."""

Time: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A point in time, RFC 3339."""


class Reference(Struct):
    """An object of a known kind in the same namespace."""

    needed = ("name",)

    name: Annotated[str, doc("Name of the object.", maxLength=NAME)]


class SharedReference(Struct):
    """An object of a known kind, in the same namespace unless another is named."""

    needed = ("name",)

    name: Annotated[str, doc("Name of the object.", maxLength=NAME)]
    namespace: Annotated[str | None, doc("Its namespace; without one, the namespace of this object.", maxLength=63)] = (
        None
    )


class SecretKey(Struct):
    """One key of a Secret."""

    needed = ("name", "key")

    name: Annotated[str, doc("Name of the Secret.", maxLength=NAME)]
    key: Annotated[str, doc("Key in the Secret's data.", maxLength=NAME)]


class Condition(Struct):
    """One aspect of an object's state, as Kubernetes' metav1.Condition."""

    needed = ("type", "status", "lastTransitionTime", "reason", "message")

    type: Annotated[str, doc("What the condition is about, such as Ready.", maxLength=316)]
    status: Annotated[Literal["True", "False", "Unknown"], doc("Whether it holds.")]
    last_transition_time: Annotated[Time, doc("When the status last changed.")]
    reason: Annotated[str, doc("Why, in one CamelCase word for programs.", maxLength=1024)]
    message: Annotated[str, doc("Why, for people.", maxLength=32768)]
    observed_generation: Annotated[
        int | None, doc("The metadata.generation that this was found true of.", minimum=0)
    ] = None


Conditions: TypeAlias = Annotated[
    list[Condition] | None,
    list_map("What is known about the object's state; Ready sums it up.", "type"),
]

ObservedGeneration: TypeAlias = Annotated[
    int | None, doc("The metadata.generation that this status speaks of; an older one is not yet acted on.")
]

NodeName: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": NAME})]

NodeSelector: TypeAlias = dict[str, str]
"""Labels that a node must have."""


class DeletionPolicy(StrEnum):
    """What happens on the node to what an object stands for when the object is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"


class DriftPolicy(StrEnum):
    """What an executor does when what it finds on the node is not what the spec says."""

    REPAIR = "Repair"
    REPORT = "Report"


DRIFT = (
    "What to do when the node differs from the spec in something that the spec says: Repair (the default) puts it "
    "back, "
    "Report only lists it in the status."
)


class NodeState(Struct):
    """How one node stands to an object that lives on several."""

    needed = ("nodeName",)

    node_name: Annotated[NodeName, doc("Name of the node.")]
    desired: Annotated[
        bool | None,
        doc("Whether the node should have it, as the controller says; false means that it is to be taken away there."),
    ] = None
    observed_generation: Annotated[
        int | None, doc("The metadata.generation that the node acted on last.", minimum=0)
    ] = None
    state: Annotated[str | None, doc("Active, Inactive, Pending or Failed.")] = None
    message: Annotated[str | None, doc("What went wrong there, if anything.")] = None
    uuid: Annotated[str | None, doc("The UUID that libvirt knows it by on this node.")] = None


@dataclass(frozen=True)
class Column:
    """A column of ``kubectl get``; a wide one shows with ``-o wide`` only. ``type`` is an OpenAPI type or ``date``."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False


AGE = Column("Age", ".metadata.creationTimestamp", "date")
READY = Column("Ready", ".status.conditions[?(@.type=='Ready')].status")


@dataclass(frozen=True)
class Kind:
    """A kind of object: its names, its structs and how lists of it are shown and selected."""

    name: str
    plural: str
    short: str
    description: str
    spec: type[Struct]
    status: type[Struct]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    """JSON paths that field selectors may use."""
    namespaced: bool = True
    rules: tuple[Rule, ...] = ()
    needs_spec: bool = False
    scale: bool = False
    """Whether ``kubectl scale`` and autoscalers may set ``spec.replicas``."""
