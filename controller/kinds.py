"""The reconcilers of all kinds but guests, and what each of them watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller import secrets
from controller.definitions import DefinitionReconciler
from controller.disks import DiskReconciler, moves_disk, moves_guest
from controller.fleet import Fleet
from controller.images import ImageReconciler
from controller.liveness import Liveness
from controller.nodes import NodeReconciler, changes_labels, changes_readiness
from controller.resources import DISKS, GUESTS, IMAGES, MACHINES, NETWORKS, NODES, POOLS, SNAPSHOTS
from controller.snapshots import SnapshotReconciler
from controller.stranded import StrandedReconciler, changes_node
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
    _add_placed(manager, client, fleet, recorder)
    secrets.add(manager, client)


def _add_placed(manager: Manager, client: Client, fleet: Fleet, recorder: Recorder) -> None:
    """Add the reconcilers of what is on one node, and of images, which disks need."""
    disks = DiskReconciler(manager, client, fleet)
    (
        Builder(manager, "disks")
        .for_(DISKS, any_change)
        .watches(POOLS, disks.of_pool)
        .watches(GUESTS, disks.of_guest, moves_guest)
        .watches(NODES, disks.of_node, changes_readiness)
        .complete(disks.reconcile)
    )
    images = ImageReconciler(manager, client, fleet, recorder)
    (
        Builder(manager, "images")
        .for_(IMAGES, any_change)
        .watches(POOLS, images.every)
        .watches(DISKS, images.every, moves_disk)
        .watches(NODES, images.every, changes_readiness)
        .complete(images.reconcile)
    )
    snapshots = SnapshotReconciler(manager, client, fleet)
    (
        Builder(manager, "snapshots")
        .for_(SNAPSHOTS, any_change)
        .watches(GUESTS, snapshots.of_guest, moves_guest)
        .watches(NODES, snapshots.of_node, changes_readiness)
        .complete(snapshots.reconcile)
    )
    stranded = StrandedReconciler(manager, client, fleet)
    (
        Builder(manager, "stranded")
        .for_(GUESTS, changes_node)
        .watches(NODES, stranded.of_node, changes_readiness)
        .complete(stranded.reconcile)
    )


def _of_the_same_name(found: Object) -> Iterable[Key]:
    return [Key("", found.key.name)]
