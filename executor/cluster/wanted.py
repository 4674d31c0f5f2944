"""An object of the API server as one that somebody declared, without what the server added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from executor.engine.objects import Ref
from executor.engine.source import Declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.object import Object

FINALIZER: Final = "kubevmm.io/executor"
"""Holds an object's deletion until nothing of it is left on its node."""

ORPHAN: Final = "orphan"
"""The finalizer that `kubectl delete --cascade=orphan` sets."""

_KEPT: Final = ("name", "namespace", "uid", "generation", "labels", "creationTimestamp")
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def ref_of(kind: str, found: Object) -> Ref:
    """Return what the engine calls *found*."""
    return Ref(kind, found.key.namespace, found.key.name)


def declared(ref: Ref, found: Object) -> Declared:
    """Return *found* as a declaration. What changes without anybody's doing (status, version) is left out."""
    whole = found.decode()
    metadata: Mapping[str, Any] = whole["metadata"]
    kept = {key: metadata[key] for key in _KEPT if key in metadata}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    if annotations:
        kept["annotations"] = annotations
    obj = {
        "apiVersion": whole["apiVersion"],
        "kind": whole["kind"],
        "metadata": kept,
        "spec": whole.get("spec") or {},
    }
    return Declared(ref, obj, f"{ref.kind.lower()}/{ref.namespace}/{ref.name}")
