"""The placement Pod: what kube-scheduler places in a guest's stead, and what keeps the guest's room on its node."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from schemas.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

LABEL: Final = "kubevmm.io/vm"
"""Names the Pod's guest."""

SCHEDULER: Final = "kubevmm-scheduler"
MARK: Final = "kubevmm.io/guest"
"""A resource that only placement Pods ask for: kube-scheduler asks the extender about no other."""

PAUSE: Final = "registry.k8s.io/pause:3.10"
_LONGEST: Final = 63 - len("-placement")
_MEBIBYTE: Final = 1 << 20


def name_of(guest: str) -> str:
    """Return the name of the Pod of *guest*."""
    return f"{guest[:_LONGEST].rstrip('-.')}-placement"


def pod(guest: Mapping[str, Any], image: str = PAUSE, node: str = "") -> dict[str, Any]:
    """Return the Pod for the VirtualMachine *guest*; with *node* it goes there or nowhere."""
    metadata, spec = guest["metadata"], guest.get("spec") or {}
    amounts = requests(spec.get("domain") or {})
    out: dict[str, Any] = {
        "schedulerName": SCHEDULER,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "restartPolicy": "Always",
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 65535, "runAsGroup": 65535, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "placement",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "resources": {"requests": amounts, "limits": {k: v for k, v in amounts.items() if k != "cpu"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }  # fmt: skip
    for key in ("nodeSelector", "affinity", "tolerations", "priorityClassName"):
        if spec.get(key):
            out[key] = spec[key]
    if node:
        out["affinity"] = _pinned(out.get("affinity") or {}, node)
    owner = {
        "apiVersion": guest["apiVersion"], "kind": guest["kind"], "name": metadata["name"], "uid": metadata["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    labels = {**(metadata.get("labels") or {}), LABEL: metadata["name"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name_of(metadata["name"]), "namespace": metadata["namespace"], "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": out,
    }  # fmt: skip


def requests(domain: Mapping[str, Any]) -> dict[str, str]:
    """Return what the guest takes of its node: its vCPUs, its memory, and about what its QEMU takes beside that."""
    vcpu = domain.get("vcpu") or {}
    vcpus = int((vcpu.get("current") or vcpu.get("value") or 1) if isinstance(vcpu, dict) else vcpu)
    memory = in_bytes(domain.get("memory", 0))
    own = 64 * _MEBIBYTE + vcpus * 8 * _MEBIBYTE + memory // 512
    out = {"cpu": str(vcpus), MARK: "1"}
    pages = (domain.get("memoryBacking") or {}).get("hugepages")
    if pages is not None:
        first: Mapping[str, Any] = next(iter((pages or {}).get("pages") or ()), {})
        out[f"hugepages-{_quantity(in_bytes(first.get('size', 0)) or 2 * _MEBIBYTE)}"] = _quantity(memory)
        memory = 0
    out["memory"] = f"{math.ceil((memory + own) / _MEBIBYTE)}Mi"
    return out


def _quantity(count: int) -> str:
    for shift, unit in ((30, "Gi"), (20, "Mi"), (10, "Ki")):
        if count and count % (1 << shift) == 0:
            return f"{count >> shift}{unit}"
    return str(count)


def _pinned(affinity: Mapping[str, Any], node: str) -> dict[str, Any]:
    """Return *affinity* narrowed to *node*: every term must also be about it."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    nodes = dict(affinity.get("nodeAffinity") or {})
    required = nodes.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or [{}]
    pinned = [{**term, "matchFields": [*(term.get("matchFields") or ()), field]} for term in terms]
    nodes["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": pinned}
    return {**affinity, "nodeAffinity": nodes}
