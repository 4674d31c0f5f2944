"""VirtualMachineReplicaSet: a number of equal guests, made from a template."""

from __future__ import annotations

from typing import Annotated

from schemas.api.common import (
    AGE,
    Column,
    Conditions,
    Kind,
    ObservedGeneration,
    Rule,
    Struct,
    doc,
)
from schemas.api.scheduling import LabelSelector  # noqa: TC001  (msgspec reads the hints at run time)
from schemas.api.virtualmachine import VirtualMachineSpec  # noqa: TC001  (and so here)


class TemplateMetadata(Struct):
    """What the guests are marked with."""

    labels: Annotated[dict[str, str] | None, doc("Labels of the guests; the selector must select them.")] = None
    annotations: Annotated[dict[str, str] | None, doc("Annotations of the guests.")] = None


class VirtualMachineTemplate(Struct):
    """What the guests are made from."""

    needed = ("spec",)
    rules = (
        Rule(
            "!has(self.spec.domain) || (!has(self.spec.domain.uuid) && !has(self.spec.domain.name))",
            "a template has neither domain.uuid nor domain.name: two guests cannot have the same",
        ),
    )

    spec: Annotated[
        VirtualMachineSpec, doc("The spec of the guests; a change of it is for those that are made afterwards.")
    ]
    metadata: Annotated[TemplateMetadata | None, doc("What the guests are marked with.")] = None


class VirtualMachineReplicaSetSpec(Struct):
    """How many guests there are to be, and which."""

    needed = ("selector", "template")
    rules = (
        Rule(
            "self.selector == oldSelf.selector",
            "the selector cannot change: guests that it no longer selects would be nobody's; make another "
            "VirtualMachineReplicaSet",
        ),
    )

    selector: Annotated[
        LabelSelector,
        doc("Which guests are meant, by their labels. Those that nobody controls are taken on as well."),
    ]
    template: Annotated[VirtualMachineTemplate, doc("What a guest is made from where one is missing.")]
    replicas: Annotated[int, doc("How many guests there are to be; 1 unless given.", minimum=0, default=1)] = 1
    paused: Annotated[bool | None, doc("Whether guests are neither made nor deleted for now.")] = None


class VirtualMachineReplicaSetStatus(Struct):
    """How many guests there are."""

    observed_generation: ObservedGeneration = None
    replicas: Annotated[int | None, doc("How many guests there are.")] = None
    ready_replicas: Annotated[int | None, doc("How many of them are Ready.")] = None
    label_selector: Annotated[str | None, doc("The selector as one text, by which an autoscaler finds the guests.")] = (
        None
    )
    conditions: Conditions = None


KIND = Kind(
    name="VirtualMachineReplicaSet",
    plural="virtualmachinereplicasets",
    short="vmrs",
    description="A number of equal guests, made from a template.",
    spec=VirtualMachineReplicaSetSpec,
    status=VirtualMachineReplicaSetStatus,
    columns=(
        Column("Desired", ".spec.replicas", "integer"),
        Column("Current", ".status.replicas", "integer"),
        Column("Ready", ".status.readyReplicas", "integer"),
        AGE,
    ),
    needs_spec=True,
    scale=True,
)
