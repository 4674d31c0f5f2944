"""The placement Pod: what kube-scheduler places in a guest's stead, and what keeps the guest's room on its node."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from schemas.requests import quantity, requests

if TYPE_CHECKING:
    from collections.abc import Mapping

FINALIZER: Final = "kubevmm.io/placement"
"""Holds a Pod that is evicted until its guest is off."""

GRACE: Final = 180
"""Seconds that a guest has to shut down which does not say it."""

MARGIN: Final = 60
"""Seconds more that its Pod stays as it is when it is evicted.

A kubelet ends a Pod that is deleted, whatever finalizers it has, and the room of one that has ended is free, as
kube-scheduler sees it. So the Pod sleeps on for as long as its guest may take; as soon as that is off, it goes at once.
"""

LABEL: Final = "kubevmm.io/vm"
"""Names the Pod's guest."""

OFFERS: Final = "kubevmm.io/nodes"
"""What nodes offered when kube-scheduler was last told to look at the Pod (see ``offers``)."""

MADE_OF: Final = "kubevmm.io/made-of"
"""An annotation: what the guest said of its place and its room when the Pod was made, as one word."""

SCHEDULER: Final = "kubevmm-scheduler"
MARK: Final = "kubevmm.io/guest"
"""A resource that only placement Pods ask for: kube-scheduler asks the extender about no other."""

_HANDED_ON: Final = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "priorityClassName")
"""What a guest says of its place in the words of a Pod."""

PAUSE: Final = "registry.k8s.io/pause:3.10"
_END: Final = "-placement"
_LONGEST: Final = 63
"""Characters of a label's value, and of a Pod's name that is to be a host name."""


def name_of(guest: str) -> str:
    """Return the name of the Pod of *guest*."""
    return f"{_short(guest, _LONGEST - len(_END))}{_END}"


def _short(name: str, most: int) -> str:
    """Return *name* in at most *most* characters; what stands for the rest keeps two that begin alike apart."""
    if len(name) <= most:
        return name
    end = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: most - len(end) - 1].rstrip('-.')}-{end}"


def pod(guest: Mapping[str, Any], image: str = PAUSE, node: str = "", offers: str = "") -> dict[str, Any]:
    """Return the Pod for the VirtualMachine *guest*; with *node* it goes there or nowhere. *offers*: see OFFERS."""
    metadata, spec = guest["metadata"], guest.get("spec") or {}
    amounts = amounts_of(spec.get("domain") or {})
    held = spec.get("terminationGracePeriodSeconds", GRACE) + MARGIN
    out: dict[str, Any] = {
        "schedulerName": SCHEDULER,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": held,
        "restartPolicy": "Always",
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 65535, "runAsGroup": 65535, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "placement",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "lifecycle": {"preStop": {"sleep": {"seconds": held}}},
                "resources": {"requests": amounts, "limits": {k: v for k, v in amounts.items() if k != "cpu"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }  # fmt: skip
    for key in _HANDED_ON:
        if spec.get(key):
            out[key] = spec[key]
    if node:
        out["affinity"] = _pinned(out.get("affinity") or {}, node)
    owner = {
        "apiVersion": guest["apiVersion"], "kind": guest["kind"], "name": metadata["name"], "uid": metadata["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    word = hashlib.sha256(json.dumps(out, sort_keys=True).encode()).hexdigest()[:16]
    labels = {**(metadata.get("labels") or {}), LABEL: _short(metadata["name"], _LONGEST), OFFERS: offers}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name_of(metadata["name"]), "namespace": metadata["namespace"], "labels": labels,
            "annotations": {MADE_OF: word}, "ownerReferences": [owner], "finalizers": [FINALIZER],
        },
        "spec": out,
    }  # fmt: skip


def amounts_of(domain: Mapping[str, Any]) -> dict[str, str]:
    """Return what the guest's Pod asks for."""
    wanted = requests(domain)
    return {MARK: "1"} | {name: str(n) if name == "cpu" else _quantity(name, n) for name, n in wanted.items()}


def _quantity(name: str, count: int) -> str:
    return f"{count >> 20}Mi" if name == "memory" else quantity(count)


def _pinned(affinity: Mapping[str, Any], node: str) -> dict[str, Any]:
    """Return *affinity* narrowed to *node*: every term must also be about it."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    nodes = dict(affinity.get("nodeAffinity") or {})
    required = nodes.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or [{}]
    pinned = [{**term, "matchFields": [*(term.get("matchFields") or ()), field]} for term in terms]
    nodes["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": pinned}
    return {**affinity, "nodeAffinity": nodes}
