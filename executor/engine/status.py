"""How a guest stands, as the status of its object, from libvirt alone. What shows or stores it is the engine's sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from executor.hypervisor.domain import DomainState, State
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.guest import Guest as Inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.engine.objects import Ref
    from executor.engine.store import Guest
    from executor.hypervisor.domains import Summary


class Sink(Protocol):
    """Takes the status of objects: a terminal here, an API server in a cluster."""

    def put(self, ref: Ref, status: Mapping[str, Any]) -> None:
        """Take the status of one object."""


_WORDS: Final[Mapping[State, str]] = {
    State.NOSTATE: "Unknown",
    State.RUNNING: "Running",
    State.BLOCKED: "Running",
    State.PAUSED: "Paused",
    State.SHUTDOWN: "Stopping",
    State.SHUTOFF: "Stopped",
    State.CRASHED: "Stopped",
    State.PMSUSPENDED: "Paused",
}

_REASONS: Final = {
    (State.PAUSED, "migration"): "Migrating",
    (State.PAUSED, "starting-up"): "Starting",
    (State.PAUSED, "shutting-down"): "Stopping",
}


def printable(state: DomainState) -> str:
    """Return KubeVirt's word for *state*.

    >>> printable(DomainState(State.SHUTOFF, "shutdown"))
    'Stopped'
    """
    return _REASONS.get((state.state, state.reason)) or _WORDS[state.state]


def status(guest: Guest, summary: Summary, *, node: str, detail: bool = False) -> dict[str, Any]:
    """Return the status of *guest*; with *detail* also addresses, vCPUs and memory, which cost further calls."""
    domain, mark = guest.domain, guest.mark
    word = printable(summary.state)
    pending = mark is not None and bool(mark.pending) and mark.guest == int(domain.raw.ID())
    ready = word == "Running" and not pending
    out: dict[str, Any] = {
        "nodeName": node,
        "printableStatus": word,
        "created": True,
        "ready": ready,
        "domain": {
            "name": domain.name,
            "uuid": domain.uuid,
            "state": str(summary.state.state),
            "reason": summary.state.reason,
        },
    }
    if pending and mark is not None:
        out |= {"restartRequired": True, "pendingChanges": list(mark.pending)}
    why = "RestartRequired" if pending else word
    out["conditions"] = [{"type": "Ready", "status": "True" if ready else "False", "reason": why, "message": ""}]
    if detail:
        out |= _detail(guest, summary)
    return out


def _detail(guest: Guest, summary: Summary) -> dict[str, Any]:
    out: dict[str, Any] = {}
    found = summary.statistics
    if "vcpu.current" in found:
        out["vcpus"] = int(found["vcpu.current"])
    if "balloon.current" in found:
        kib = int(found["balloon.current"])
        out["memory"] = f"{kib // 1024}Mi" if kib % 1024 == 0 else f"{kib}Ki"
    if summary.state.active:
        interfaces = _interfaces(guest)
        if interfaces:
            out["interfaces"] = interfaces
    return out


def _interfaces(guest: Guest) -> list[dict[str, Any]]:
    try:
        found = Inside(guest.domain).best_addresses()
    except LibvirtError:
        return []
    out = []
    for each in found:
        addresses = [address.partition("/")[0] for address in each.addresses]
        if addresses:
            out.append({"mac": each.mac, "name": each.name, "ipAddress": addresses[0], "ipAddresses": addresses})
    return out
