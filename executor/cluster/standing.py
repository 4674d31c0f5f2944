"""How an object stands on this node, as the API has it: from the status that the engine finds out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from executor.cluster.roles import claimed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OF_NODE: Final = ("bridge", "autostart", "capacity", "allocation", "available")
_OF_COPY: Final = ("format", "size", "virtualSize", "checksum", "completionTime")


def guest(status: Mapping[str, Any], generation: int) -> dict[str, Any]:
    """Return the status of a guest; which node it is on is the controller's to say."""
    out = {key: value for key, value in status.items() if key != "nodeName"}
    observed = out.setdefault("observedGeneration", generation)
    out["conditions"] = [{"observedGeneration": observed, **each} for each in out.get("conditions") or ()]
    return out


def single(status: Mapping[str, Any], generation: int) -> dict[str, Any]:
    """Return the status of a disk or a snapshot, of which there is one."""
    out = guest(status, generation)
    conditions = {each["type"]: each for each in out["conditions"]}
    trouble = conditions.get("Synchronized") or {}
    failed = trouble.get("status") == "False"
    if "phase" not in out:
        waits = failed and trouble.get("reason") == "Waiting"
        out["phase"] = "Failed" if failed and not waits else "Pending"
    if "Ready" not in conditions and trouble:
        why = {"reason": out["phase"], "message": trouble.get("message") or ""}
        out["conditions"].append({**trouble, "type": "Ready", "status": "False", **why})
    if trouble.get("reason") == "Terminating":
        out["phase"] = "Terminating"
    return out


def node(name: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the node *name* stands to a network or a pool: its entry in ``status.nodes``."""
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    ready, synchronized = conditions.get("Ready") or {}, conditions.get("Synchronized") or {}
    out: dict[str, Any] = {"nodeName": name, "state": "Active" if ready.get("status") == "True" else "Inactive"}
    message = ready.get("message")
    if synchronized.get("status") == "False":
        out["state"], message = "Failed", synchronized.get("message")
    if message:
        out["message"] = message
    if "observedGeneration" in status:
        out["observedGeneration"] = status["observedGeneration"]
    return {**{key: status[key] for key in _OF_NODE if key in status}, **out}


def copies(
    name: str, status: Mapping[str, Any], pools: Mapping[str, str], before: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return how the node *name* stands to an image: its entries in ``status.copies``.

    *pools* are libvirt's names of the pools that it is to be in, by what the entries call them. What the node claimed
    *before* and is to have no longer stays: it has it still.
    """
    there = {each.get("pool"): each for each in status.get("copies") or () if each.get("pool")}
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    synchronized, ready = conditions.get("Synchronized") or {}, conditions.get("Ready") or {}
    failed = synchronized.get("status") == "False"
    why = str((synchronized if failed else ready).get("message") or "")
    # What it is not yet, and why.
    absent = "Failed" if failed and synchronized.get("reason") != "Waiting" else "Pending"
    out = []
    for key, pool in sorted(pools.items()):
        copy = there.get(pool)
        if copy is None:
            entry = {"state": absent, **({"message": why} if why else {})}
        else:
            facts = {each: status[each] for each in _OF_COPY if status.get(each)} if copy["state"] == "Ready" else {}
            entry = {each: copy[each] for each in ("state", "path", "message") if copy.get(each)} | facts
        if "observedGeneration" in status:
            entry["observedGeneration"] = status["observedGeneration"]
        out.append({"pool": key, "nodeName": name, **entry})
    return out + [_own(each) for each in before if claimed(each) and each["pool"] not in pools]


def moving(before: Sequence[Mapping[str, Any]], what: str, percent: int) -> list[dict[str, Any]]:
    """Return the entries *before* with those that are not ready being brought: *what* is done, and how far that is."""
    state = "Downloading" if what in ("downloading", "reading") else "Converting"
    return [
        _own(each)
        if each.get("state") == "Ready"
        else {"pool": each["pool"], "nodeName": each["nodeName"], "state": state, "progressPercent": percent}
        for each in before
        if claimed(each)
    ]


def key(reference: Mapping[str, Any]) -> str:
    """Return what entries call the pool that *reference* means.

    >>> key({"name": "fast"}), key({"name": "fast", "namespace": "infra"})
    ('fast', 'infra/fast')
    """
    namespace = reference.get("namespace")
    return f"{namespace}/{reference['name']}" if namespace else str(reference["name"])


def _own(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "desired"}
