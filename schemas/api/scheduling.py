"""Where a guest may run: the same affinity, spread and tolerations that a Pod has, since a Pod holds its place."""

from __future__ import annotations

from typing import Annotated

from schemas.api.common import Struct, doc


class Requirement(Struct):
    """A condition on one label."""

    needed = ("key", "operator")

    key: Annotated[str, doc("Key of the label.")]
    operator: Annotated[str, doc("In, NotIn, Exists or DoesNotExist; for nodes Gt and Lt as well.")]
    values: Annotated[list[str] | None, doc("What the label's value is compared with.")] = None


class LabelSelector(Struct):
    """Objects by their labels; all conditions must hold."""

    match_labels: Annotated[dict[str, str] | None, doc("Labels with exactly these values.")] = None
    match_expressions: Annotated[list[Requirement] | None, doc("Conditions on labels.")] = None


class NodeTerm(Struct):
    """Nodes by labels and fields; all conditions must hold."""

    match_expressions: Annotated[list[Requirement] | None, doc("Conditions on the node's labels.")] = None
    match_fields: Annotated[
        list[Requirement] | None, doc("Conditions on the node's fields, such as metadata.name.")
    ] = None


class NodeTerms(Struct):
    """Nodes that fit any of the terms."""

    needed = ("nodeSelectorTerms",)

    node_selector_terms: Annotated[list[NodeTerm], doc("One of these must fit.")]


class PreferredNodes(Struct):
    """Nodes that are preferred, and how much."""

    needed = ("weight", "preference")

    weight: Annotated[int, doc("1 to 100: what a node gains by fitting.")]
    preference: Annotated[NodeTerm, doc("Which nodes.")]


class NodeAffinity(Struct):
    """Which nodes a guest needs or prefers."""

    required_during_scheduling_ignored_during_execution: Annotated[
        NodeTerms | None, doc("Nodes that it may run on.")
    ] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredNodes] | None, doc("Nodes that are better than others.")
    ] = None


class PodTerm(Struct):
    """Placement Pods (and others) by their labels, and what counts as the same place."""

    needed = ("topologyKey",)

    topology_key: Annotated[str, doc("Nodes with the same value of this label are one place.")]
    label_selector: Annotated[LabelSelector | None, doc("Which Pods; a guest's own labels are its Pod's too.")] = None
    namespace_selector: Annotated[LabelSelector | None, doc("In which namespaces, by their labels.")] = None
    namespaces: Annotated[list[str] | None, doc("In which namespaces, by name; without any, the guest's own.")] = None
    match_label_keys: Annotated[list[str] | None, doc("Labels that must equal the guest's own.")] = None
    mismatch_label_keys: Annotated[list[str] | None, doc("Labels that must differ from the guest's own.")] = None


class PreferredPods(Struct):
    """Pods whose company is sought or avoided, and how much."""

    needed = ("weight", "podAffinityTerm")

    weight: Annotated[int, doc("1 to 100: what a node gains, or loses, by it.")]
    pod_affinity_term: Annotated[PodTerm, doc("Which Pods.")]


class PodAffinity(Struct):
    """Which Pods a guest needs, or prefers, to be beside or apart from."""

    required_during_scheduling_ignored_during_execution: Annotated[list[PodTerm] | None, doc("What must hold.")] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredPods] | None, doc("What is better than not.")
    ] = None


class Affinity(Struct):
    """As a Pod's affinity."""

    node_affinity: Annotated[NodeAffinity | None, doc("Which nodes it needs or prefers.")] = None
    pod_affinity: Annotated[PodAffinity | None, doc("Which Pods and guests it wants near.")] = None
    pod_anti_affinity: Annotated[PodAffinity | None, doc("Which Pods and guests it wants away.")] = None


class Toleration(Struct):
    """As a Pod's toleration: a taint of nodes that does not keep the guest away."""

    key: Annotated[str | None, doc("Key of the taint; without one, every taint.")] = None
    operator: Annotated[str | None, doc("Equal (the default) or Exists.")] = None
    value: Annotated[str | None, doc("Value of the taint.")] = None
    effect: Annotated[str | None, doc("NoSchedule, PreferNoSchedule or NoExecute; without one, all.")] = None
    toleration_seconds: Annotated[int | None, doc("For how long a NoExecute taint is borne.")] = None


class SpreadConstraint(Struct):
    """As a Pod's topologySpreadConstraint: how evenly guests and Pods of a kind are over the places."""

    needed = ("maxSkew", "topologyKey", "whenUnsatisfiable")

    max_skew: Annotated[int, doc("How many more of them one place may have than another.", minimum=1)]
    topology_key: Annotated[str, doc("Nodes with the same value of this label are one place.")]
    when_unsatisfiable: Annotated[str, doc("DoNotSchedule: it waits; ScheduleAnyway: the evener, the better.")]
    label_selector: Annotated[
        LabelSelector | None, doc("Which are counted; a guest's own labels are its Pod's too.")
    ] = None
    match_label_keys: Annotated[list[str] | None, doc("Labels that must equal the guest's own.")] = None
    min_domains: Annotated[int | None, doc("Places that there must be at least; fewer count as empty ones.")] = None
    node_affinity_policy: Annotated[
        str | None, doc("Honor (the default): only nodes that the guest may run on are places; or Ignore.")
    ] = None
    node_taints_policy: Annotated[
        str | None, doc("Ignore (the default), or Honor: nodes whose taints the guest does not bear are no places.")
    ] = None
