"""The reconcilers of all kinds but guests, and what each of them watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.definitions import DefinitionReconciler
from controller.fleet import Fleet
from controller.liveness import Liveness
from controller.nodes import NodeReconciler, changes_labels, changes_readiness
from controller.resources import MACHINES, NETWORKS, NODES, POOLS
from kube.builder import Builder
from kube.object import Key
from kube.pages import Selection
from kube.predicates import any_change
from kube.recorder import Recorder
from kube.resource import LEASES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kube.client import Client
    from kube.manager import Manager
    from kube.object import Object

COMPONENT = "kubevmm.io/controller"


def add(manager: Manager, client: Client, namespace: str, instance: str) -> None:
    """Have *manager* run them; *namespace* has the nodes' Leases, *instance* is this process's name in events."""
    recorder = Recorder(client, COMPONENT, instance)
    manager.add(recorder.run)
    leases = Selection(namespace=namespace)
    liveness = Liveness(manager.cache(LEASES, leases), namespace)
    fleet = Fleet(manager, liveness)
    nodes = NodeReconciler(manager, client, liveness, recorder)
    (
        Builder(manager, "nodes")
        .for_(NODES, any_change)
        .watches(MACHINES, _of_the_same_name, changes_labels)
        .watches(LEASES, nodes.renewed, selection=leases)
        .complete(nodes.reconcile)
    )
    for name, resource in (("networks", NETWORKS), ("pools", POOLS)):
        definitions = DefinitionReconciler(manager, client, resource, fleet, recorder)
        (
            Builder(manager, name)
            .for_(resource, any_change)
            .watches(NODES, definitions.every, changes_readiness)
            .watches(MACHINES, definitions.every, changes_labels)
            .complete(definitions.reconcile)
        )


def _of_the_same_name(found: Object) -> Iterable[Key]:
    return [Key("", found.key.name)]
