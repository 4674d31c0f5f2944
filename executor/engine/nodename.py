"""What the node is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyser.names import object_name

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor


def node_name(hypervisor: Hypervisor) -> str:
    """Return the node's name: the one that it was given, else its host name, as Kubernetes would have it."""
    if hypervisor.node:
        return hypervisor.node
    name = hypervisor.host.hostname()
    return object_name(name) or name
